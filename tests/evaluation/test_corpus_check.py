"""Faults that are planted in a corpus are found by its check."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers import RATE, affekt, voice
from rich.console import Console

from affekt.corpora.registry import load_corpus
from affekt.corpora.splits import one_class_speakers
from affekt.evaluation.audit.corpus_check import check
from affekt.report.corpora import check_view
from affekt.types import ANONYMOUS

LABELS = ("anger", "neutral", "sadness")


def corpus(folder, seconds=lambda label: 1.3, gain=lambda label: 1.0, speaks=lambda s, label: True):
    """Clips of four speakers, and a manifest; what is planted depends on the label."""
    rows = []
    for speaker in ("s1", "s2", "s3", "s4"):
        for label in LABELS:
            for take in range(3):
                if speaks(speaker, label):
                    name = f"{speaker}_{label}_{take}.wav"
                    wave = voice(label, speaker, take, seconds(label)) * gain(label)
                    soundfile.write(folder / name, wave, RATE, subtype="FLOAT")
                    rows.append([name, label, speaker])
    with (folder / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "speaker"], *rows])
    return load_corpus(str(folder / "m.csv"))


def test_an_ordinary_corpus_has_nothing_serious(tmp_path):
    found = check(corpus(tmp_path))
    assert found.serious == []
    assert found.sampling_rates == {RATE: 36}
    assert found.duplicates == []
    assert len(found.seconds) == 36
    examples = [replace(e, speaker=ANONYMOUS + e.id) for e in found.corpus.examples]
    unknown = replace(found, corpus=replace(found.corpus, examples=tuple(examples)))
    for seen, texts in ((found, ("36 clips, 4 speakers", "s4")), (unknown, ("speakers unknown",))):
        console = Console(file=io.StringIO(), width=200)
        console.print(check_view(seen))
        assert all(text in console.file.getvalue() for text in texts)
        assert "clip s1" not in console.file.getvalue()


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ({"seconds": lambda label: 1.0 + LABELS.index(label)}, "the length of a clip"),
        ({"gain": lambda label: 0.1 ** LABELS.index(label)}, "the level of a clip"),
        ({"speaks": lambda s, label: (int(s[1]) - 1) % 3 == LABELS.index(label)}, "the speaker"),
    ],
)
def test_a_label_predicted_by_something_else_is_found(planted, what, tmp_path):
    found = check(corpus(tmp_path, **planted))
    assert any(
        sentence.startswith(f"{what} alone predicts the class") for sentence in found.serious
    )
    assert (len(one_class_speakers(found.corpus.examples)) == 4) == (what == "the speaker")


def test_unreadable_repeated_and_silent_clips_are_found(tmp_path):
    loaded = corpus(tmp_path)
    (tmp_path / "s1_anger_0.wav").write_bytes(b"no audio")
    double = (tmp_path / "s1_neutral_0.wav").read_bytes()
    (tmp_path / "s2_anger_0.wav").write_bytes(double)  # the same samples, another label
    soundfile.write(tmp_path / "s1_anger_1.wav", np.zeros(8_000), 8_000)
    found = check(loaded)
    assert list(found.unreadable) == ["s1_anger_0.wav"]
    assert found.duplicates == [["s1_neutral_0.wav", "s2_anger_0.wav"]]
    assert found.warnings["silent"] == ["s1_anger_1.wav"]
    assert found.sampling_rates == {8_000: 1, RATE: 34}
    assert found.serious == [
        "1 clip cannot be read",
        "1 recording with several labels or speakers",
    ]


def test_missing_clips_of_a_published_corpus_are_counted(tmp_path):
    for stem in ("03a01Wa", "08b02Na"):
        soundfile.write(tmp_path / f"{stem}.wav", voice("anger", "s1", 0, 1.3), RATE)
    found = check(load_corpus(f"emodb:{tmp_path}"))
    assert ("anger", 1, 127) in found.official
    assert len(found.official) == 7


def test_the_command_says_what_it_found_and_exits_1(tmp_path):
    corpus(tmp_path, seconds=lambda label: 1.0 + LABELS.index(label))
    done = affekt("data", "check", tmp_path / "m.csv")
    assert done.returncode == 1
    assert "36 clips, 4 speakers" in done.stdout
    assert "serious: the length of a clip alone predicts the class" in done.stdout
