"""What would make a score on a split worthless: looked for, and shown with its evidence."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...audio import decoding
from ...audio.recording import Recording
from ...corpora.splits import Fold, one_class_speakers
from ...errors import AudioError
from ...progress import Event, Report, silent
from ...run_result import RunResult
from ...types import Example
from .corpus_check import CONFOUNDED, loudness, probes
from .near_duplicates import picture, same_sound

Severity = Literal["serious", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: Short name.
        severity: ``serious`` forbids trusting the score.
        text: What and how much.
        evidence: Some of the cases.
    """

    kind: str
    severity: Severity
    text: str
    evidence: Sequence[str] = ()


def audit_folds(folds: Sequence[Fold], report: Report = silent) -> list[Finding]:
    """Audit a split by who and what stands where, and by its sound.

    Args:
        folds: The split.
        report: Progress of decoding.
    """
    examples = list({u.path: u for f in folds for u in (*f.train, *f.val, *f.test)}.values())
    recordings = _decoded(examples, report)
    findings = [*_membership(folds), *_texts(folds)]
    findings += _sounds(folds, recordings)
    findings += _probes([u for u in examples if u.path in recordings], recordings)
    return findings


def audit_run(result: RunResult) -> list[Finding]:
    """Audit what a run recorded of itself: who was trained on, who chose, whose statistics."""
    findings = []
    if result.settings.protocol.test_normalisation != "none":
        text = "the unlabelled test clips gave the statistics that standardise them"
        evidence = ["a score on batches of one source, not on single recordings"]
        findings.append(Finding("statistics", "note", text, evidence))
    if result.existing and result.existing.unseen_speakers is False:
        text = f"{result.existing.name} was trained on this corpus"
        findings.append(Finding("speaker", "serious", text))
    if result.existing and result.existing.unseen_speakers is None:
        text = f"it is unknown on whom {result.existing.name} was trained"
        findings.append(Finding("speaker", "note", text))
    tests = [set(fold.test_speakers) for fold in result.folds]
    for run in result.runs:
        training_info = run.to_json()
        test, where = (
            tests[training_info["fold"]],
            f"seed {training_info['seed']}, fold {training_info['fold']}",
        )
        for key, kind, what in (
            ("training_speakers", "speaker", "were trained on"),
            ("validation_speakers", "choice", "chose the epoch or the settings"),
            ("statistics_from", "statistics", "gave the statistics of the normalisation"),
        ):
            if both := sorted(test & set(training_info.get(key) or [])):
                text = f"{where}: {len(both)} test speakers {what}"
                findings.append(Finding(kind, "serious", text, both[:5]))
        if "training_speakers" not in training_info:
            text = f"{where}: the run does not say who was trained on"
            findings.append(Finding("speaker", "note", text))
    for one, first in enumerate(tests):
        for other, second in enumerate(tests[one + 1 :], one + 1):
            if both := sorted(first & second):
                text = f"folds {one} and {other} test {len(both)} speakers twice"
                findings.append(Finding("speaker", "serious", text, both[:5]))
    return findings


def _membership(folds: Sequence[Fold]) -> list[Finding]:
    findings = []
    for number, fold in enumerate(folds):
        learned = [*fold.train, *fold.val]
        if both := _common(learned, fold.test, "speaker"):
            text = f"fold {number}: {len(both)} test speakers are trained on"
            findings.append(Finding("speaker", "serious", text, both[:5]))
        if both := _common(fold.train, fold.test, "path"):
            text = f"fold {number}: {len(both)} test recordings are trained on"
            findings.append(Finding("recording", "serious", text, both[:5]))
        if both := _common(fold.val, fold.test, "path"):
            text = f"fold {number}: {len(both)} test recordings choose the epoch or the settings"
            findings.append(Finding("choice", "serious", text, both[:5]))
        times = Counter(u.path for u in (*learned, *fold.test))
        if repeated := [path for path, n in times.items() if n > 1]:
            text = f"fold {number}: {len(repeated)} recordings stand more than once"
            everywhere = {u.path for u in learned} & {u.path for u in fold.test}
            severity: Severity = "serious" if everywhere & set(repeated) else "note"
            findings.append(Finding("oversampling", severity, text, repeated[:5]))
    return findings


def _texts(folds: Sequence[Fold]) -> list[Finding]:
    findings = []
    for number, fold in enumerate(folds):
        learned = {u.text for u in fold.train}
        known = [u for u in fold.test if u.text]
        if heard := [u.text for u in known if u.text in learned]:
            text = f"fold {number}: {len(heard)} of {len(known)} test clips say a trained sentence"
            findings.append(Finding("text", "note", text, sorted(set(heard))[:5]))
    return findings


def _sounds(folds: Sequence[Fold], recordings: Mapping[str, Recording]) -> list[Finding]:
    paths = list(recordings)
    pairs = same_sound([picture(recordings[p].wave) for p in paths])
    findings = []
    for number, fold in enumerate(folds):
        side = {u.path: "train" for u in (*fold.train, *fold.val)}
        side |= {u.path: "test" for u in fold.test}
        across = [
            f"{paths[i]} = {paths[j]} ({likeness:.2f})"
            for i, j, likeness in pairs
            if {side.get(paths[i]), side.get(paths[j])} == {"train", "test"}
        ]
        if across:
            text = f"fold {number}: {len(across)} test recordings sound like trained ones"
            findings.append(Finding("near-duplicate", "serious", text, across[:5]))
    return findings


def _probes(examples: Sequence[Example], recordings: Mapping[str, Recording]) -> list[Finding]:
    if len({u.label for u in examples}) < 2:
        return []
    heard = [recordings[u.path] for u in examples]
    tried = probes(examples, [r.seconds for r in heard], [loudness(r) for r in heard])
    findings = []
    for name, probe in tried.items():
        if probe.share > CONFOUNDED:
            text = f"{name} alone tells the class: UAR {probe.uar:.2f}, chance {probe.chance:.2f}"
            one, all_of_them = one_class_speakers(examples), {u.speaker for u in examples}
            evidence = [f"{len(one)} of {len(all_of_them)} speakers speak one class only"]
            findings.append(
                Finding("confounding", "serious", text, evidence if name == "the speaker" else ())
            )
    return findings


def _common(one: Iterable[Example], other: Iterable[Example], what: str) -> list[str]:
    return sorted({getattr(u, what) for u in one} & {getattr(u, what) for u in other})


def _decoded(examples: Sequence[Example], report: Report) -> dict[str, Recording]:
    recordings = {}
    for done, u in enumerate(examples, 1):
        try:
            recordings[u.path] = decoding.read(u.path)
        except AudioError:
            continue  # affekt data check lists them
        report(Event("read recordings", done, len(examples)))
    return recordings
