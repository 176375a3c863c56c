"""Audit of a finished run: its record, its scores, and the corpus that it was made of."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...content import hash_value
from ...corpora.corpus import Corpus
from ...corpora.splits import Fold
from ...errors import AffektError, CorpusError
from ...plural import counted
from ...progress import Report, silent
from ...run_result import RECORDINGS, RunResult, load_run_result
from ...types import ANONYMOUS, Example
from ..results import read_run
from ..score_check import score_differences
from .corpus_check import abridged
from .findings import EVIDENCE, Case, Finding, summarised, unchecked
from .leakage import audit_folds
from .record_check import record_findings

TRAINING_RECORDS = {  # of a run: what a test speaker must not be in, and the kind of finding
    "training_speakers": ("speaker", "test speakers in the training part"),
    "validation_speakers": ("choice", "test speakers among the validation speakers"),
    "statistics_from": ("statistics", "test speakers in the normalisation statistics"),
}
NEEDS_CORPUS = {  # checks by the kind of finding
    "record": "protocol, notes, counts and training speakers",
    "label": "labels and speakers of the predictions, and missing clips",
    "recording": "test recordings in the training part, and copies of them",
    "voice": "one speaker under two names",
    "text": "sentences in both parts",
    "confounding": "classes that speaker, length or level predict",
}
NEEDS_TRAINING = ("recording", "voice")
OPTIONS = (
    "give the corpus with the options of the evaluation: --test, --leave-out, --train-only, --folds"
)


def audit_run(folder: Path, corpus: Corpus | None = None, report: Report = silent) -> list[Finding]:
    """Audit a run: its record, its scores and, with its corpus, the clips of its folds.

    Args:
        folder: Folder of the run.
        corpus: The corpus of the run, combined as in the evaluation.
        report: Called after each recording that is decoded.

    Raises:
        AffektError: The folder has no readable metrics.json.
    """
    result = load_run_result(folder)
    findings = audit_record(result)
    try:
        table = read_run(folder).table
    except AffektError as error:
        if (folder / "predictions.parquet").exists():
            findings.append(Finding("score", "serious", str(error)))
        else:
            findings.append(unchecked("score", "scores against predictions", str(error)))
        return findings + _unchecked(NEEDS_CORPUS, "no readable predictions")
    if differences := score_differences(result, table):
        text = f"values that predictions.parquet does not give: {len(differences)}"
        findings.append(Finding("score", "serious", text, differences[:EVIDENCE]))
    none = "no corpus given"
    if corpus and not {*table["utterance"]} & {e.id for e in corpus.examples}:
        text = "the corpus has none of the clips of the predictions"
        findings.append(Finding("label", "serious", text, [OPTIONS]))
        corpus, none = None, "other corpus"
    findings += record_findings(result, table, corpus)
    if corpus is None:
        return findings + _unchecked(NEEDS_CORPUS, none)
    return [
        *findings,
        *_disagreements(table, corpus, result),
        *_changed_audio(folder, corpus, result),
        *_unchecked(NEEDS_TRAINING, _untraceable(corpus, result)),
        *audit_folds(_folds(table, corpus, result), report),
    ]


def _unchecked(kinds: Iterable[str], reason: str) -> list[Finding]:
    """The checks of these kinds as not made; none if there is no reason."""
    return [unchecked(kind, NEEDS_CORPUS[kind], reason) for kind in kinds] if reason else []


def _untraceable(corpus: Corpus, result: RunResult) -> str:
    """Why the training clips of a run, or some of them, are unknown; "" if all are known."""
    if result.existing:
        return f"the training data of {result.existing.name} are not part of the run"
    if any(run.training_speakers is None for run in result.runs):
        return "the run does not record the training speakers"
    known = {e.speaker for e in (*corpus.examples, *corpus.train_only)}
    trained = {s for run in result.runs for s in run.training_speakers or ()}
    if absent := sorted(trained - known):
        return f"the corpus lacks {counted(len(absent), 'training speaker')} ({abridged(absent)})"
    return ""


def audit_record(result: RunResult) -> list[Finding]:
    """Audit what a run recorded: its training, validation and normalisation speakers."""
    tests = [set(fold.test_speakers) for fold in result.folds]
    cases = _training_cases(result, tests)
    findings = [*_caveats(result), *summarised(cases, counted(len(result.runs), "training"))]
    folds_of = defaultdict(list)
    for number, speakers in enumerate(tests):
        for speaker in speakers:
            folds_of[speaker].append(number)
    if repeated := {s: numbers for s, numbers in sorted(folds_of.items()) if len(numbers) > 1}:
        text = f"speakers tested in more than one fold: {len(repeated)}"
        evidence = [f"{s}: folds {', '.join(map(str, n))}" for s, n in repeated.items()]
        findings.append(Finding("speaker", "serious", text, evidence[:EVIDENCE]))
    return findings


def _caveats(result: RunResult) -> Iterator[Finding]:
    """Findings on the protocol, and on the training data of an existing model."""
    if result.settings.protocol.test_normalisation in ("speaker", "fold"):
        text = "test clips were standardised by the statistics of the unlabelled test clips"
        evidence = ["the score holds for many recordings of one domain together, not for one alone"]
        yield Finding("statistics", "note", text, evidence)
    if result.existing and result.existing.unseen_speakers is False:
        text = f"{result.existing.name} was trained on this corpus"
        yield Finding("speaker", "serious", text)
    if result.existing and result.existing.unseen_speakers is None:
        text = f"it is unknown whether {result.existing.name} was trained on these speakers"
        yield Finding("speaker", "note", text)
    if any(ANONYMOUS in speaker for fold in result.folds for speaker in fold.test_speakers):
        yield unchecked("speaker", "test speakers in training", "speakers are unknown")
    if missing := [run for run in result.runs if "training_speakers" not in run.to_json()]:
        check = f"test speakers in {len(missing)} of {counted(len(result.runs), 'training')}"
        yield unchecked("speaker", check, "the training speakers are not recorded")


def _training_cases(result: RunResult, tests: Sequence[set[str]]) -> Iterator[Case]:
    for run in result.runs:
        training_info = run.to_json()
        where = f"seed {run.seed}, fold {run.fold}"
        if run.fold is None or run.fold >= len(tests):
            yield Case("record", "serious", "trainings of a fold without a test", where, [where])
            continue
        for key, (kind, what) in TRAINING_RECORDS.items():
            if both := sorted(tests[run.fold] & set(training_info.get(key) or [])):
                yield Case(kind, "serious", what, where, both)


def _disagreements(table: pd.DataFrame, corpus: Corpus, result: RunResult) -> Iterator[Finding]:
    """Findings on predictions that do not fit the corpus, and on clips without a prediction."""
    examples = {e.id: e for e in corpus.examples}
    rows = table.drop_duplicates("utterance")
    clips = counted(len(rows), "clip")
    if absent := [name for name in rows["utterance"] if name not in examples]:
        text = f"predictions of clips that the corpus does not have: {len(absent)} of {clips}"
        yield Finding("label", "serious", text, [abridged(absent)])
    for attribute in ("label", "speaker"):
        different = [
            f"{name}: {own}, in the corpus {getattr(examples[name], attribute)}"
            for name, own in zip(table["utterance"], table[attribute], strict=True)
            if name in examples and getattr(examples[name], attribute) != own
        ]
        if different := list(dict.fromkeys(different)):
            text = f"predictions with another {attribute} than in the corpus: {len(different)}"
            yield Finding(attribute, "serious", text, different[:EVIDENCE])
    try:
        tested = _test_part(corpus, result)
    except CorpusError as error:
        yield unchecked("label", "test clips without a prediction", str(error))
        return
    predicted = {*rows["utterance"]}
    if missing := [e.id for e in tested if e.id not in predicted]:
        text = f"test clips without a prediction: {len(missing)} of {len(tested)}"
        yield Finding("label", "serious", text, [abridged(missing)])


def _test_part(corpus: Corpus, result: RunResult) -> list[Example]:
    """The examples that an evaluation of the corpus tests.

    Raises:
        CorpusError: The corpus has no folds under the settings of the run.
    """
    if not result.existing:
        folds = corpus.test_folds(result.settings.protocol.folds)
        return list({e.id: e for fold in folds for e in fold.test}.values())
    known = [e for e in corpus.examples if e.label in result.confusion.labels]
    return [e for e in known if e.split == "test"] or known


def _changed_audio(folder: Path, corpus: Corpus, result: RunResult) -> Iterator[Finding]:
    """A finding on recordings whose content is not that of the run."""
    if result.existing:  # only the clips of classes that the model has were scored
        corpus = replace(corpus, examples=tuple(_test_part(corpus, result)))
    now, before = corpus.audio_hashes(), {}
    with suppress(OSError, ValueError):
        before = json.loads((folder / RECORDINGS).read_text("utf-8"))
    if changed := [name for name in now if name in before and before[name] != now[name]]:
        text = f"recordings that changed since the run: {len(changed)} of {len(now)}"
        yield Finding("recording", "serious", text, [abridged(changed)])
    elif result.corpus.audio and result.corpus.audio != hash_value(sorted(now.items())):
        if {*before} == {*now}:
            text = f"{RECORDINGS} and corpus.audio of metrics.json differ: one of them was changed"
        else:
            text = "the recordings are not those of the run, or some of them changed"
        yield Finding("recording", "serious", text, [OPTIONS])
    elif not before and not result.corpus.audio:
        reason = "the run did not record the content of its audio"
        yield unchecked("recording", "changes of the audio since the run", reason)


def _folds(table: pd.DataFrame, corpus: Corpus, result: RunResult) -> list[Fold]:
    """The folds of a run: its test clips, and the clips of its recorded training speakers.

    Of a fold table, the training clips are those of the table.
    """
    trained: dict[int | None, set[str]] = defaultdict(set)
    for run in result.runs:
        trained[run.fold].update(run.training_speakers or ())
    prescribed = corpus.fold_table.folds if corpus.fold_table else ()
    folds = []
    for number in sorted({int(fold) for fold in table["fold"]}):
        test = {*table["utterance"][table["fold"] == number]}
        training: Sequence[Example] = [
            e
            for e in (*corpus.examples, *corpus.train_only)
            if e.speaker in trained[number] and e.id not in test
        ]
        if number < len(prescribed):
            training = [*prescribed[number].train, *prescribed[number].val]
        folds.append(Fold(training, (), [e for e in corpus.examples if e.id in test]))
    return folds
