"""A planted case of each kind is found, and nothing in a run of our own."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import RATE, SPEAKERS, affekt, settings, voice

from affekt import AffektError, api
from affekt.api import audit
from affekt.corpora.registry import load_corpus
from affekt.corpora.splits import Fold
from affekt.evaluation.audit.leakage import audit_folds
from affekt.evaluation.audit.near_duplicates import coarse_log_mel, matching_pairs
from affekt.evaluation.audit.run_audit import audit_record
from affekt.evaluation.audit.voice_likeness import compared, likenesses
from affekt.evaluation.results import load_run
from affekt.evaluation.runner import measure
from affekt.run_result import RunResult
from affekt.types import Example

LABELS = ("anger", "neutral", "sadness")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Six speakers, three classes, two takes of irregular speech-like noise."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for speaker in SPEAKERS:
        for label in LABELS:
            for take in range(2):
                wave = voice(label, speaker, take, rng.uniform(1.2, 1.6))
                knots = np.linspace(0, len(wave), 12)
                envelope = np.interp(np.arange(len(wave)), knots, rng.uniform(0.02, 1, 12))
                soundfile.write(folder / f"{speaker}_{label}_{take}.wav", wave * envelope, RATE)
    return folder


def clean():
    """Three folds of two speakers, as rows of a table."""
    rows = []
    for fold in range(3):
        test = SPEAKERS[2 * fold : 2 * fold + 2]
        val = SPEAKERS[(2 * fold + 2) % 6]
        for speaker in SPEAKERS:
            part = "test" if speaker in test else "val" if speaker == val else "train"
            for label in LABELS:
                for take in range(2):
                    name = f"{speaker}_{label}_{take}.wav"
                    rows.append({"path": name, "label": label, "speaker": speaker,
                                 "fold": str(fold), "part": part, "text": name})  # fmt: skip
    return rows


def audited(folder, rows, name="folds.csv"):
    with (folder / name).open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    return audit(folder / name)


def kinds(findings, severity="serious"):
    return {f.kind for f in findings if f.severity == severity}


def test_a_clean_split_has_nothing(recordings):
    [unchecked] = audited(recordings, clean())
    assert (unchecked.severity, unchecked.text) == (
        "unchecked",
        "one speaker under two names, for s1, s2, s3 and 3 more: fewer than 8 clips, or fewer than "
        "6 such speakers",
    )


def test_a_speaker_on_both_sides_is_found(recordings):
    rows = clean()
    moved = next(r for r in rows if r["part"] == "test" and r["fold"] == "0")
    moved["part"] = "train"
    [finding] = [f for f in audited(recordings, rows) if f.severity == "serious"]
    assert finding.kind == "speaker"
    assert finding.text == "test speakers in the training part: 1, in 1 of 3 folds"
    assert finding.evidence == ["fold 0: s1"]


def test_a_name_spelled_in_two_ways_is_a_suspicion_and_unknown_speakers_are_no_obstacle(recordings):
    rows = clean()
    moved = [r for r in rows if r["part"] == "test" and r["speaker"] == "s1"]
    for row in moved[:2]:
        row |= {"part": "train", "speaker": " S01"}
    for row in rows:
        if row["path"] == "s6_anger_0.wav":
            row["speaker"] = ""
    findings = audited(recordings, rows, "spelled.csv")
    [found] = [f for f in findings if f.severity == "suspicion"]
    assert found.evidence == ["fold 0: s1 and S01"]
    texts = [f.text for f in findings if f.severity == "unchecked"]
    assert any("two names, for S01, s1, s2 and" in text for text in texts)
    assert any(text.startswith("one speaker under two names, of 1 of 36 clips") for text in texts)


def test_a_recording_on_both_sides_and_oversampling_before_the_split_are_found(recordings):
    rows = clean()
    tested = next(r for r in rows if r["part"] == "test" and r["fold"] == "1")
    rows.append({**tested, "part": "train"})
    found = kinds(audited(recordings, rows))
    assert found == {"recording", "oversampling", "speaker"}


def test_oversampling_inside_training_is_only_a_note(recordings):
    rows = clean()
    rows.append(dict(next(r for r in rows if r["part"] == "train" and r["fold"] == "0")))
    findings = audited(recordings, rows)
    assert kinds(findings) == set()
    assert kinds(findings, "note") == {"oversampling"}


def test_a_choice_on_the_test_part_is_found(recordings):
    rows = clean()
    rows += [{**r, "part": "val"} for r in rows if r["part"] == "test" and r["fold"] == "2"]
    findings = audited(recordings, rows)
    [choice] = [f for f in findings if f.kind == "choice"]
    assert (choice.severity, choice.text) == (
        "serious", "test recordings in the validation part: 12, in 1 of 3 folds"
    )  # fmt: skip


def test_a_sentence_on_both_sides_is_noted(recordings):
    rows = clean()
    for row in rows:
        row["text"] = row["path"].rsplit("_")[-1]  # the take: spoken by everybody
    [finding] = [f for f in audited(recordings, rows) if f.severity != "unchecked"]
    assert (finding.kind, finding.severity) == ("text", "note")
    assert finding.text == (
        "test clips whose sentence is also in the training part: 36, in 3 of 3 folds"
    )
    assert finding.evidence == [f"fold {n}: 0.wav, 1.wav" for n in range(3)]


@pytest.mark.parametrize("change", ["louder", "later", "coded", "noisy", "padded"])
def test_a_near_duplicate_is_found_whatever_its_name(recordings, tmp_path, change):
    rows = clean()
    wave, _ = soundfile.read(recordings / "s1_anger_0.wav")
    place, form = tmp_path / "new.wav", {}
    if change == "louder":
        wave = np.clip(wave * 2, -1, 1)
    elif change == "later":
        wave = np.concatenate([np.zeros(RATE // 5), wave])
    elif change == "padded":
        wave = np.concatenate([np.zeros(3 * RATE), wave, np.zeros(RATE)])
    elif change == "noisy":
        wave = wave + 0.002 * np.random.default_rng(1).standard_normal(len(wave))
    else:
        place, form = tmp_path / "new.ogg", {"format": "OGG", "subtype": "OPUS"}
    soundfile.write(place, wave, RATE, **form)
    new = {"path": str(place), "label": "anger", "speaker": "s6", "text": "other"}
    rows += [{**new, "fold": "0", "part": "train"}]
    findings = audited(recordings, rows, f"{change}.csv")
    assert kinds(findings) == {"near-duplicate"}
    assert any("s1_anger_0.wav" in case for f in findings for case in f.evidence)


def test_different_takes_are_no_duplicates(recordings):
    paths = sorted(recordings.glob("*.wav"))
    assert (
        matching_pairs([coarse_log_mel(soundfile.read(p, dtype="float32")[0]) for p in paths]) == []
    )


def test_a_label_predicted_by_length_or_level_is_found(tmp_path):
    for name, seconds, gain in (("length", (1.0, 2.0, 3.0), (1, 1, 1)),
                                ("level", (1.3, 1.3, 1.3), (1, 0.1, 0.01))):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        for row in clean()[:36]:
            which = LABELS.index(row["label"])
            take = int(row["path"][-5])
            wave = voice(row["label"], row["speaker"], take, seconds[which]) * gain[which]
            soundfile.write(folder / row["path"], wave, RATE, subtype="FLOAT")
        findings = audited(folder, clean())
        assert any(f.text.startswith(f"the {name} of a clip alone predicts") for f in findings)


def test_one_row_a_clip_with_the_fold_that_tests_it(recordings):
    rows = [{k: r[k] for k in ("path", "label", "speaker", "fold")}
            for r in clean() if r["part"] == "test"]  # fmt: skip
    findings = audited(recordings, rows)
    assert {f.severity for f in findings} == {"unchecked"}
    assert findings[1].text == "sentences in both parts: the texts are unknown"
    rows[0]["fold"] = "1"  # its speaker is tested in fold 0
    assert kinds(audited(recordings, rows)) == {"speaker"}


def test_our_own_run_and_folds_have_nothing(manifest, tiny_config, tmp_path):
    run = affekt("evaluate", manifest, "--out", tmp_path / "run", *settings(tiny_config))
    assert run.returncode == 0, run.stderr
    done = affekt("audit", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == "nothing found in the checks made"
    assert all(line.startswith("not checked ") for line in others)
    assert [line.rpartition(": ")[2] for line in others] == [
        "only a new evaluation shows it", *["no corpus given"] * 6
    ]  # fmt: skip
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    test = metrics["folds"][0]["test_speakers"][0]
    for key, kind in (("training_speakers", "speaker"), ("validation_speakers", "choice"),
                      ("statistics_from", "statistics")):  # fmt: skip
        planted = json.loads(json.dumps(metrics))
        planted["runs"][0].setdefault(key, []).append(test)
        assert kinds(audit_record(RunResult.model_validate(planted))) == {kind}
    planted = json.loads(json.dumps(metrics))
    planted["folds"][1]["test_speakers"].append(test)
    [twice] = [f for f in audit_record(RunResult.model_validate(planted)) if "than one" in f.text]
    assert (twice.severity, twice.text) == ("serious", "speakers tested in more than one fold: 1")
    assert twice.evidence == [f"{test}: folds 0, 1"]


def test_a_fault_of_every_training_is_one_finding():
    """Ten speakers, five folds of two, all trained on, each validation speaker tested."""
    names = [f"s{i}" for i in range(10)]
    scores = {"WA": 0.5, "UAR": 0.5, "macro_f1": 0.5, "MAP": 0.5}
    metrics = scores | {
        "chance_UAR": 0.5, "sd": {}, "ci95": {}, "seeds": 2, "clips": 20, "majority": 0.5,
        "folds": [scores | {"test_speakers": names[2 * n : 2 * n + 2]} for n in range(5)],
        "per_class": {}, "per_speaker": {}, "confusion": {"labels": [], "counts": []},
        "runs": [
            {"seed": seed, "fold": n, "training_speakers": names,
             "validation_speakers": [names[2 * n]]}
            for seed in range(2) for n in range(5)
        ],
    }  # fmt: skip
    findings = audit_record(RunResult.model_validate(metrics))
    assert [(f.kind, f.severity, f.text) for f in findings] == [
        ("speaker", "serious", "test speakers in the training part: 10, in 10 of 10 trainings"),
        ("choice", "serious",
         "test speakers among the validation speakers: 5, in 10 of 10 trainings"),
    ]  # fmt: skip
    assert findings[0].evidence[:2] == ["seed 0, fold 0: s0, s1", "seed 0, fold 1: s2, s3"]
    assert [len(f.evidence) for f in findings] == [5, 5]
    for run in metrics["runs"]:
        del run["training_speakers"], run["validation_speakers"]
    [unrecorded] = audit_record(RunResult.model_validate(metrics))
    assert unrecorded.severity == "unchecked"
    assert unrecorded.text.endswith("in 10 of 10 trainings: the training speakers are not recorded")


def test_the_command_exits_1_on_something_serious(recordings):
    rows = clean()
    next(r for r in rows if r["part"] == "test")["part"] = "train"
    audited(recordings, rows, "bad.csv")
    done = affekt("audit", recordings / "bad.csv")
    assert done.returncode == 1
    assert (
        "serious     speaker: test speakers in the training part: 1, in 1 of 3 folds" in done.stdout
    )
    assert affekt("audit", recordings / "nothing.csv").returncode == 2


def test_one_speaker_of_emodb_under_two_names_is_a_suspicion(emodb):
    """Other speakers are none, and the usual folds have nothing serious."""
    corpus = load_corpus(f"emodb:{emodb}")
    own = {s: [e for e in corpus.examples if e.speaker == s] for s in corpus.speakers}
    examples = [e for s in own for e in own[s][::5]]
    divided = [replace(e, speaker="99") for e in own["16"][2::5]]
    test = {"16", "08", "09"}
    parts = [[e for e in (*examples, *divided) if (e.speaker in test) == t] for t in (False, True)]
    findings = audit_folds([Fold(parts[0], (), parts[1])])
    assert kinds(findings) == set()
    [suspicion] = [f for f in findings if f.severity == "suspicion"]
    assert suspicion.text.endswith("1 pair with a likeness of 0.5 or more")
    assert re.match(r"16 and 99: likeness 0\.\d\d \(other pairs: median", suspicion.evidence[0])
    assert "; listen to " in suspicion.evidence[0]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"s1": "val", "s2": "test", "s3": "test"}, "test speakers in the training part: 1"),
        ({"s2": "val"}, "validation speakers in the training part: 1"),
    ],
)
def test_a_split_that_shares_a_speaker_is_a_finding_and_no_error(recordings, parts, text):
    rows = [r for r in clean() if r["fold"] == "0"]
    rows = [
        {"path": r["path"], "label": r["label"], "speaker": r["speaker"],
         "split": parts.get(r["speaker"], "train")}
        for r in rows
    ]  # fmt: skip
    assert kinds(manifest_audit(recordings / "split.csv", rows)) == set()
    next(r for r in rows if r["speaker"] == "s2")["split"] = "train"
    findings = manifest_audit(recordings / "split.csv", rows)
    assert text in [f.text.partition(",")[0] for f in findings]
    done = affekt("audit", recordings / "split.csv")
    assert (done.returncode, text in done.stdout) == (1, True)


def manifest_of(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


def manifest_audit(path, rows):
    manifest_of(path, rows)
    return audit(path)


def marked(split=""):
    """Rows of a manifest: s1 val, s2 and s3 test, the others train; or all in one part."""
    parts = {"s1": "val", "s2": "test", "s3": "test"}
    return [
        {"path": r["path"], "label": r["label"], "speaker": r["speaker"],
         "split": split or parts.get(r["speaker"], "train")}
        for r in clean() if r["fold"] == "0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "text", "evidence"),
    [
        (marked("train"), "no row to test", "no mark 0, train 36, val 0, test 0"),
        (marked("test"), "no row to train on", "no mark 0, train 0, val 0, test 36"),
        (marked("val"), "no row to train on", "no mark 0, train 0, val 36, test 0"),
        ([r for r in marked() if r["split"] != "train"], "no row to train on", "val 6, test 12"),
        ([r | {"split": r["split"].replace("train", "Trian")} for r in marked()],
         "rows with an unknown split: 18 of 36",
         "split 'trian': 18 (s4_anger_0.wav, s4_anger_1.wav, s4_neutral_0.wav and 15 more)"),
        ([r for r in marked() if r["split"] == "test" or r["label"] != "anger"],
         "classes that are tested and not trained on: 1 of 3", "anger: 4 test rows"),
        ([*marked(), {"path": "gone.wav", "label": "anger", "speaker": "s1", "split": "val"}],
         "rows whose file does not exist: 1 of 37", "split 'val': 1 (gone.wav)"),
        ([*marked(), {"path": "./s1_anger_0.wav", "label": "anger", "speaker": "s4",
                      "split": "train"}],
         "files with several splits: 1, in 2 rows",
         "line 2: s1_anger_0.wav 'val', line 38: ./s1_anger_0.wav 'train'"),
        ([*marked(), {"path": "link.wav", "label": "sadness", "speaker": "s1", "split": "val"}],
         "files with several labels: 1, in 2 rows",
         "line 2: s1_anger_0.wav 'anger', line 38: link.wav 'sadness'"),
        ([*marked()[:-1], marked()[-1] | {"speaker": ""}], "rows without a speaker: 1 of 36",
         "line 37 s6_sadness_1.wav"),
    ],
)  # fmt: skip
def test_a_dangling_or_contradictory_split_is_a_finding(recordings, rows, text, evidence):
    link = recordings / "link.wav"
    if not link.exists():
        link.symlink_to("s1_anger_0.wav")
    findings = manifest_audit(recordings / "split.csv", rows)
    [found] = [f for f in findings if f.text.startswith(text)]
    assert found.severity == "serious"
    assert evidence in found.evidence[0]


def test_a_split_without_a_usable_row_and_copies_with_other_labels_are_findings(recordings):
    path = recordings / "split.csv"
    findings = manifest_audit(path, [r | {"split": "tset"} for r in marked()])
    assert [f.severity for f in findings] == ["serious", "unchecked"]
    assert findings[0].text == "rows with an unknown split: 36 of 36"
    shutil.copy(recordings / "s4_anger_0.wav", recordings / "copy.wav")
    copy = {"path": "copy.wav", "label": "sadness", "speaker": "s4", "split": "train"}
    findings = manifest_audit(path, [*marked(), copy])
    [conflict] = [f for f in findings if f.severity == "serious"]
    assert conflict.text == "recordings with the same content and several labels: 1"
    assert conflict.evidence == ["s4_anger_0.wav 'anger', copy.wav 'sadness'"]


def test_the_split_and_labels_of_an_audiofolder_are_audited(recordings, tmp_path):
    """A folder with metadata.csv; the speakers are unknown."""
    rows = [
        {"file_name": str(recordings / r["path"]), "label": r["label"], "split": r["split"]}
        for r in marked()
    ]
    rows[0] |= {"label": "Anger", "split": "tset"}
    rows[1] |= {"label": "Anger"}
    manifest_of(tmp_path / "metadata.csv", rows)
    findings = audit(tmp_path)
    first, second, *_ = [f.text for f in findings if f.severity == "serious"]
    assert first == "rows with an unknown split: 1 of 36"
    assert "labels differ only in case" in second
    assert {f.kind for f in findings if f.severity == "unchecked"} == {"speaker", "voice", "text"}


def test_dangling_and_contradictory_rows_of_a_fold_table_are_findings(recordings):
    rows = clean()
    rows[0]["part"] = "Tset"
    rows[3] = {**rows[3], "label": "fear"}
    rows.append({**rows[4], "path": "gone.wav"})
    rows.append({**rows[30], "fold": "9", "part": "test"})
    texts = {f.text: f.evidence for f in audited(recordings, rows) if f.severity == "serious"}
    assert texts["rows with an unknown split: 1 of 110"] == ["split 'tset': 1 (s1_anger_0.wav)"]
    assert texts["rows whose file does not exist: 1 of 109"] == ["split 'test': 1 (gone.wav)"]
    assert texts["folds without a train part: 1 of 4"] == ["9"]
    [named] = texts["files with several labels: 1, in 3 rows"]
    assert named.startswith("line 5: s1_neutral_1.wav 'fear', line 41: s1_neutral_1.wav 'neutral'")


@pytest.mark.parametrize("of_folds", [False, True])
def test_rows_with_an_empty_or_wrong_cell_are_findings_and_the_others_are_audited(
    recordings, of_folds
):
    rows = [r | {"start": "", "end": ""} for r in (clean() if of_folds else marked())]
    rows[0] |= {"label": ""}
    rows[2] |= {"path": "nan"}
    rows[3] |= {"start": "one"}
    rows[4] |= {"speaker": " "}
    rows[7] |= {"speaker": "s3"}  # of s2
    findings = manifest_audit(recordings / "empty.csv", rows)
    number = len(rows)
    texts = {f.text: f.evidence for f in findings if f.severity == "serious"}
    assert texts[f"rows without a label: 1 of {number}"] == ["line 2 s1_anger_0.wav"]
    assert texts[f"rows without a path: 1 of {number}"] == ["line 4"]
    [fault] = texts[f"rows with contradictory labels or wrong times: 1 of {number}"]
    assert fault.startswith("line 5: start 'one' or end '' is not a time")
    assert texts[f"rows without a speaker: 1 of {number - 3}"] == ["line 6 s1_sadness_0.wav"]
    assert any(text.startswith("files with several speakers") for text in texts) == of_folds
    assert affekt("audit", recordings / "empty.csv").returncode == 1
    with pytest.raises(AffektError, match="line 4: path is empty"):
        load_corpus(recordings / "empty.csv")


def test_a_sound_split_has_nothing_and_a_missing_mark_is_noted(recordings):
    assert kinds(manifest_audit(recordings / "split.csv", marked())) == set()
    findings = manifest_audit(
        recordings / "split.csv",
        [r | {"split": r["split"].replace("train", "")} for r in marked()],
    )
    assert ("note", "rows without a split, which are trained on: 18 of 36") in [
        (f.severity, f.text) for f in findings
    ]


def test_an_embedding_of_one_voice_resembles_it_under_another_name():
    rng = np.random.default_rng(0)
    names = [f"s{i // 8}" for i in range(64)]
    voices = rng.standard_normal((8, 40))
    voices[7] = voices[0]
    noise = rng.standard_normal((64, 40)) @ rng.standard_normal((40, 40)) / 4
    pairs = likenesses(np.repeat(voices, 8, 0) + noise, names, [""] * 64)
    assert pairs[0].names == ("s0", "s7")
    assert pairs[0].likeness > 0.8 > 0.5 > pairs[1].likeness
    assert [names[i] for i in pairs[0].clips] == ["s0", "s7"]
    examples = [Example(str(i), str(i), "a", name) for i, name in enumerate(names)]
    assert compared(examples) == list(range(64))
    assert compared(examples[:40]) == []  # five speakers


@pytest.fixture(scope="module")
def run(recordings, tmp_path_factory):
    """A run without training on the recordings, and their manifest."""
    manifest_of(recordings / "all.csv", [{**r, "split": ""} for r in marked()])
    out = tmp_path_factory.mktemp("run") / "run"
    protocol = {"folds": 3, "seeds": 1}
    api.evaluate(recordings / "all.csv", out, system="majority", config={"protocol": protocol})
    return out, recordings / "all.csv"


def altered(run, tmp_path, change):
    """A copy of a run, whose predictions were changed before all scores were computed again."""
    place = tmp_path / "run"
    shutil.copytree(run, place)
    table = pd.read_parquet(place / "predictions.parquet")
    metrics = json.loads((place / "metrics.json").read_text())
    table = change(table)
    table.to_parquet(place / "predictions.parquet")
    metrics |= measure(table, metrics["confusion"]["labels"])
    (place / "metrics.json").write_text(json.dumps(metrics))
    return place


def test_a_run_with_its_corpus_is_checked_against_it(run, tmp_path):
    out, manifest = run
    findings = audit(out, manifest)
    assert [(f.kind, f.severity) for f in findings] == [
        ("record", "unchecked"), ("voice", "unchecked"), ("text", "unchecked")
    ]  # fmt: skip
    with pytest.raises(AffektError, match="not the folder of a run"):
        audit(manifest, manifest)


def test_scores_that_the_predictions_do_not_give_are_found(run, tmp_path):
    place = tmp_path / "run"
    shutil.copytree(run[0], place)
    metrics = json.loads((place / "metrics.json").read_text())
    (place / "metrics.json").write_text(json.dumps(metrics | {"UAR": 0.9}))
    [finding] = [f for f in audit(place) if f.severity == "serious"]
    assert (finding.kind, finding.text) == (
        "score",
        "values that predictions.parquet does not give: 1",
    )
    assert finding.evidence == ["UAR is 0.9, from the predictions 0.3333"]
    (place / "metrics.json").write_text(json.dumps(metrics | {"majority": 0.9}))
    with pytest.raises(AffektError, match=r"majority is 0\.9, from the predictions 0\.3333"):
        load_run(place)
    (place / "metrics.json").write_text(json.dumps(metrics | {"config": {"precision": 3}}))
    with pytest.raises(AffektError, match=r"metrics\.json: wrong config"):
        audit(place)
    (place / "metrics.json").write_text(json.dumps(metrics))
    table = pd.read_parquet(place / "predictions.parquet")
    for column, wrong in (("speaker", None), ("fold", "x"), ("prob_anger", np.nan)):
        table.assign(**{column: wrong}).to_parquet(place / "predictions.parquet")
        [damaged] = [f for f in audit(place) if f.severity == "serious"]
        assert f"empty or wrong cells in {column})" in damaged.text
    (place / "predictions.parquet").unlink()
    unchecked, *others = audit(place)
    assert {f.severity for f in (unchecked, *others)} == {"unchecked"}
    assert {f.text.rpartition(": ")[2] for f in others} == {"no readable predictions"}
    assert unchecked.text.startswith("scores against predictions: ")
    done = affekt("report", place, "--html", tmp_path / "page.html")
    assert (done.returncode, (tmp_path / "page.html").exists()) == (2, False)


@pytest.mark.parametrize(
    ("change", "text", "alone"),
    [
        ({"title": "our system"}, "title is our system, from the corpus majority class", False),
        ({"title": "our system"}, "title is our system, from the settings majority class", True),
        ({"notes": ["all is well"]}, "notes", False),
        ({"protocol": "honest"}, "protocol is honest", False),
        ({"gender": {"s1": "female"}}, "gender.s1 is female, from the corpus None", False),
        ({"runs": lambda runs: [r | {"training_speakers": []} for r in runs]},
         "seed 0, fold 0: 4 training speakers differ", False),
        ({"runs": lambda runs: runs[1:]}, "runs has 2 trainings, the predictions have 3", True),
        ({"corpus": lambda c: c | {"clips": 360}}, "corpus.clips is 360", True),
        ({"corpus": lambda c: c | {"speakers": 60}}, "corpus.speakers is 60", False),
        ({"corpus": lambda c: {**c, "digest": ""}}, "corpus.digest is , from the corpus", False),
    ],
)  # fmt: skip
def test_a_record_edited_by_hand_is_found(run, tmp_path, change, text, alone):
    """By the predictions and settings alone, or with the corpus."""
    place = tmp_path / "run"
    shutil.copytree(run[0], place)
    metrics = json.loads((place / "metrics.json").read_text())
    for key, value in change.items():
        metrics[key] = value(metrics[key]) if callable(value) else value
    (place / "metrics.json").write_text(json.dumps(metrics))
    [found] = [f for f in audit(place, *([] if alone else run[1:])) if f.severity == "serious"]
    assert (found.kind, found.evidence[0][: len(text)]) == ("record", text)
    metrics["versions"]["code"] = "older"  # words may differ then, numbers not
    (place / "metrics.json").write_text(json.dumps(metrics))
    severities = {f.severity for f in audit(place, run[1]) if text in " ".join(f.evidence)}
    assert alone or severities == {"unchecked" if {*change} & {"title", "notes", "protocol"}
                                   else "serious"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.assign(label=t["predicted"]), "predictions with another label"),
        (lambda t: t.assign(speaker=t["speaker"] + "x"), "predictions with another speaker"),
        (lambda t: t.iloc[5:], "test clips without a prediction: 5 of 36"),
        (lambda t: t.assign(utterance="B/" + t.utterance), "corpus has none of the clips"),
    ],
)  # fmt: skip
def test_predictions_that_the_corpus_contradicts_are_found(run, tmp_path, change, text):
    place = altered(run[0], tmp_path, change)
    assert text in " ".join(f.text for f in audit(place, run[1]) if f.severity == "serious")


def test_copies_through_another_corpus_and_changed_audio_are_found(run, tmp_path):
    """Test files that are those of the training corpus, under other names."""
    rows = list(csv.DictReader(run[1].open()))
    other = tmp_path / "other"
    other.mkdir()
    for number, row in enumerate(rows):
        row["source"] = run[1].parent / row["path"]
        row["path"], row["speaker"] = f"{number}.wav", f"p{row['speaker']}"
        shutil.copy(row["source"], other / row["path"])
    columns = ("path", "label", "speaker")
    manifest_of(other / "other.csv", [{c: r[c] for c in columns} for r in rows])
    place = tmp_path / "run"
    api.evaluate(
        run[1],
        place,
        test=other / "other.csv",
        system="majority",
        config={"protocol": {"seeds": 1}},
    )
    (other / "0.wav").write_bytes((other / "1.wav").read_bytes())
    hashes = json.loads((place / "recordings.json").read_text())
    edited = hashes | {"other/0.wav": hashes["other/1.wav"]}  # to hide the change
    (place / "recordings.json").write_text(json.dumps(edited))
    [hidden] = [f for f in audit(place, run[1], test=other / "other.csv") if "differ:" in f.text]
    assert hidden.severity == "serious"
    (place / "recordings.json").write_text(json.dumps(hashes))
    done = affekt("audit", place, run[1], "--test", other / "other.csv", "--json")
    found = json.loads(done.stdout)
    texts = [f["text"] for f in found if f["severity"] == "serious"]
    assert done.returncode == 1
    assert texts == [
        "recordings that changed since the run: 1 of 72",
        "test recordings with the content of a training recording: 36, in 1 of 1 fold",
    ]


def test_what_unknown_speakers_leave_unchecked_is_named(run, tmp_path):
    for row in csv.DictReader(run[1].open()):
        folder = tmp_path / "clips" / row["label"]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(run[1].parent / row["path"], folder / row["path"])
    findings = audit(tmp_path / "clips")
    unchecked = [f.text for f in findings if f.severity == "unchecked"]
    assert "one speaker under two names: speakers are unknown" in unchecked
    assert any(text.startswith("speakers in both parts") for text in unchecked)
