"""Check of what metrics.json says besides scores: texts, counts, speakers of the trainings."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pandas as pd

from ...corpora.corpus import Corpus
from ...errors import AffektError
from ...export.onnx_model import OnnxModel
from ...provenance import code_hash
from ...run_result import ExistingModel, RunResult
from .. import existing, runner
from ..folds import jobs_of
from ..protocol_text import settings_marks
from ..score_check import value_differences
from ..systems.titles import title
from .findings import EVIDENCE, Finding, unchecked

TEXTS = ("title ", "protocol ", "notes", "corpus.terms ")  # beginnings of differences of wording
UNCHECKABLE = (
    "settings, versions, warnings of the decoder, what the trainings chose, what an existing model "
    "was trained on, and whether the system gives these predictions"
)


def record_findings(
    result: RunResult, table: pd.DataFrame, corpus: Corpus | None = None
) -> Iterator[Finding]:
    """Findings on values of metrics.json that predictions, settings and corpus do not give.

    Args:
        result: Content of ``metrics.json``.
        table: Content of ``predictions.parquet``.
        corpus: The corpus of the run, combined as in the evaluation; without it, only what
            predictions and settings give is checked.
    """
    found = list(_against_predictions(result, table))
    if corpus is None:
        found += _against_settings(result)
    else:
        try:
            found += _against_corpus(result, table, corpus)
        except AffektError as error:
            check = "title, protocol, notes, counts and training speakers"
            yield unchecked("record", check, str(error))
    texts = [text for text in found if text.startswith(TEXTS)]
    if texts and result.versions.get("code") != code_hash():
        found = [text for text in found if text not in texts]
        what = "title, protocol, notes and license"
        reason = "the run is of another version of affekt, which may word them differently"
        yield Finding("record", "unchecked", f"{what}: {reason}", texts[:EVIDENCE])
    if found:
        text = f"values that predictions, settings and corpus do not give: {len(found)}"
        yield Finding("record", "serious", text, found[:EVIDENCE])
    if not {f"prob_{label}" for label in result.confusion.labels} <= {*table}:
        check = "predictions against their probabilities"
        yield unchecked("score", check, "predictions.parquet lacks probabilities")
    yield unchecked("record", UNCHECKABLE, "only a new evaluation shows it")


def _against_predictions(result: RunResult, table: pd.DataFrame) -> Iterator[str]:
    counts, protocol = result.corpus.labels, result.settings.protocol
    if counts and sum(counts.values()) != result.corpus.clips:
        yield f"corpus.clips is {result.corpus.clips}, its classes have {sum(counts.values())}"
    tested = Counter(table.drop_duplicates("utterance")["label"])
    for label, number in tested.items():
        if counts and counts.get(label, 0) < number:
            yield f"corpus.labels.{label} is {counts.get(label, 0)}, {number} clips were tested"
    if result.existing:
        return
    predicted = {*zip(table["seed"], table["fold"], strict=True)}
    seeds = range(protocol.seed, protocol.seed + protocol.seeds)
    if {seed for seed, _ in predicted} != {*seeds}:
        yield f"protocol.seeds is {protocol.seeds}, the predictions have others"
    if {(run.seed, run.fold) for run in result.runs} != predicted:
        yield f"runs has {len(result.runs)} trainings, the predictions have {len(predicted)}"


def _against_settings(result: RunResult) -> Iterator[str]:
    """A difference of the title to what is known of it without the corpus."""
    marks: list[str] = []
    if result.existing:
        start = f"{result.existing.name} {existing.MARK}"
    else:
        start = _own_title(result)
        marks = settings_marks([run.to_json() for run in result.runs], result.settings.protocol)
    if not result.title.startswith(start) or any(mark not in result.title for mark in marks):
        yield f"title is {result.title}, from the settings {' '.join([start, *marks])}"


def _own_title(result: RunResult) -> str:
    """Title of the system without marks; "" for a system that is not known by its name."""
    with suppress(AffektError):
        return title(result.system, result.settings)
    return ""


def _against_corpus(result: RunResult, table: pd.DataFrame, corpus: Corpus) -> Iterator[str]:
    """Differences to what an evaluation of the corpus would record.

    Raises:
        AffektError: The corpus cannot be evaluated under the settings of the run.
    """
    stored, expected = result.to_json(), _expected(result, corpus)
    yield from value_differences(stored, expected, "the corpus")
    if not result.existing:
        yield from _training_differences(result, table, corpus)


def _expected(result: RunResult, corpus: Corpus) -> dict[str, Any]:
    """Values of metrics.json by the corpus; the texts as of the recorded trainings."""
    if model := result.existing:
        corpus, left_out = existing.with_classes(corpus, result.confusion.labels, model.name)
        how = next((how for how in (existing.HOW, OnnxModel.how) if how in result.protocol), "")
        model = ExistingModel.model_validate(model.to_json() | {"left_out": left_out})
        values = existing.description(corpus, model, how)
        values["existing"] = result.to_json()["existing"] | {"left_out": left_out}
    else:
        trainings = [run.to_json() for run in result.runs]
        name = _own_title(result)
        values = runner.description(corpus, result.settings, name, trainings)
        if not name:
            del values["title"]
    own = result.corpus.to_json()
    early = "code" not in result.versions  # a version that described less of a corpus
    now = corpus.description()
    values["corpus"] = own | {k: v for k, v in now.items() if k in own or not early}
    return values


def _training_differences(result: RunResult, table: pd.DataFrame, corpus: Corpus) -> Iterator[str]:
    speaker = {e.id: e.speaker for e in (*corpus.examples, *corpus.train_only)}
    recorded = {(run.seed, run.fold): run for run in result.runs}
    groups = table.groupby(["seed", "fold"])["utterance"]
    tested = {key: {*rows} for key, rows in groups}
    for job in jobs_of(corpus, result.settings.protocol):
        where = f"seed {job.seed}, fold {job.fold}"
        if different := tested.get((job.seed, job.fold), set()) ^ job.test:
            yield f"{where}: {len(different)} test clips differ from those of the corpus"
        run = recorded.get((job.seed, job.fold))
        if run is None or run.training_speakers is None:
            continue
        trained = {speaker[name] for name in job.train}
        if result.settings.protocol.training_imbalance:  # may drop all clips of a speaker
            trained &= {*run.training_speakers}
        if different := {*run.training_speakers} ^ trained:
            yield f"{where}: {len(different)} training speakers differ from those of the corpus"
