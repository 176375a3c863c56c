"""Audit of folds and runs for leakage and other faults that invalidate a score."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...audio.recording import Recording
from ...corpora.corpus import Corpus
from ...corpora.parts import overlapping, read_examples
from ...corpora.splits import Fold, one_class_speakers
from ...plural import counted
from ...progress import Event, Report, silent
from ...run_result import RunResult
from ...types import Example
from .corpus_check import confounded, probes, rms_level
from .findings import EVIDENCE, Case, Finding, Severity, summarised, unchecked
from .near_duplicates import coarse_log_mel, matching_pairs
from .split_audit import split_findings

TRAINING_RECORDS = {  # of a run: what a test speaker must not be in, and the kind of finding
    "training_speakers": ("speaker", "test speakers in the training part"),
    "validation_speakers": ("choice", "test speakers among the validation speakers"),
    "statistics_from": ("statistics", "test speakers in the normalisation statistics"),
}


def audit_corpus(corpus: Corpus, report: Report = silent) -> list[Finding]:
    """Audit the official split of a corpus, or its usual folds.

    Examples are in the part that they are marked for, also where a speaker is in several parts.

    Args:
        corpus: A corpus; its split may have any fault.
        report: Called after each recording that is decoded.
    """
    parts: dict[str, list[Example]] = {"train": [], "val": [], "test": []}
    for example in corpus.examples:
        parts[example.split or "train"].append(example)
    folds = [Fold(**parts)]
    if not parts["test"] and not _common(parts["train"], parts["val"], "speaker"):
        speakers = len(corpus.speakers)
        if speakers < 2:
            reason = "only one speaker, so there are no folds"
            return [unchecked("speaker", "speakers and recordings in both parts", reason)]
        folds = corpus.test_folds(speakers if speakers < corpus.folds else None)
    return split_findings(corpus.examples) + audit_folds(folds, report)


def audit_folds(folds: Sequence[Fold], report: Report = silent) -> list[Finding]:
    """Audit folds: their speakers, sentences and recordings, and what else predicts the class.

    Args:
        folds: Training, validation and test part of each fold.
        report: Called after each recording that is decoded.
    """
    examples = list({e.recording: e for f in folds for e in (*f.train, *f.val, *f.test)}.values())
    recordings = _decoded(examples, report)
    cases = [*_shared(folds), *_shared_sentences(folds), *_near_duplicates(folds, recordings)]
    findings = summarised(cases, counted(len(folds), "fold"))
    return findings + _confounding([e for e in examples if e.recording in recordings], recordings)


def audit_run(result: RunResult) -> list[Finding]:
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
    if result.settings.protocol.test_normalisation != "none":
        text = "test clips were standardised by the statistics of the unlabelled test clips"
        evidence = ["the score holds for many recordings of one domain together, not for one alone"]
        yield Finding("statistics", "note", text, evidence)
    if result.existing and result.existing.unseen_speakers is False:
        text = f"{result.existing.name} was trained on this corpus"
        yield Finding("speaker", "serious", text)
    if result.existing and result.existing.unseen_speakers is None:
        text = f"the training speakers of {result.existing.name} are unknown"
        yield Finding("speaker", "note", text)
    if missing := [run for run in result.runs if "training_speakers" not in run.to_json()]:
        trainings = counted(len(result.runs), "training")
        text = f"training speakers are not recorded in {len(missing)} of {trainings}"
        yield Finding("speaker", "note", text)


def _training_cases(result: RunResult, tests: Sequence[set[str]]) -> Iterator[Case]:
    for run in result.runs:
        training_info = run.to_json()
        fold = training_info["fold"]
        where = f"seed {training_info['seed']}, fold {fold}"
        for key, (kind, what) in TRAINING_RECORDS.items():
            if both := sorted(tests[fold] & set(training_info.get(key) or [])):
                yield Case(kind, "serious", what, where, both)


def _shared(folds: Sequence[Fold]) -> Iterator[Case]:
    """Speakers and recordings in several parts of a fold, and repeated recordings."""
    for number, fold in enumerate(folds):
        where = f"fold {number}"
        training = [*fold.train, *fold.val]
        if both := _common(training, fold.test, "speaker"):
            what = "test speakers in the training part"
            yield Case("speaker", "serious", what, where, both)
        if both := _common(fold.train, fold.val, "speaker"):
            what = "validation speakers in the training part"
            yield Case("choice", "serious", what, where, both)
        if both := _common_audio(fold.train, fold.test):
            what = "test recordings in the training part"
            yield Case("recording", "serious", what, where, both)
        if both := _common_audio(fold.val, fold.test):
            what = "test recordings in the validation part"
            yield Case("choice", "serious", what, where, both)
        times = Counter(e.recording for e in (*training, *fold.test))
        if repeated := [name for name, n in times.items() if n > 1]:
            tested = {*_common(training, fold.test, "recording")} & set(repeated)
            severity: Severity = "serious" if tested else "note"
            what = "recordings more than once in a fold"
            yield Case("oversampling", severity, what, where, repeated)


def _shared_sentences(folds: Sequence[Fold]) -> Iterator[Case]:
    for number, fold in enumerate(folds):
        trained = {e.text for e in fold.train}
        if same := [e for e in fold.test if e.text and e.text in trained]:
            what = "test clips whose sentence is also in the training part"
            sentences = sorted({e.text for e in same})
            yield Case(
                "text", "note", what, f"fold {number}", [e.recording for e in same], sentences
            )


def _near_duplicates(folds: Sequence[Fold], recordings: Mapping[str, Recording]) -> Iterator[Case]:
    names = list(recordings)
    pairs = matching_pairs([coarse_log_mel(recordings[n].wave) for n in names])
    for number, fold in enumerate(folds):
        part = {e.recording: "train" for e in (*fold.train, *fold.val)}
        part |= {e.recording: "test" for e in fold.test}
        across = [
            f"{names[i]} = {names[j]} ({correlation:.2f})"
            for i, j, correlation in pairs
            if {part.get(names[i]), part.get(names[j])} == {"train", "test"}
        ]
        if across:
            what = "test recordings that nearly equal a training recording"
            yield Case("near-duplicate", "serious", what, f"fold {number}", across)


def _confounding(examples: Sequence[Example], recordings: Mapping[str, Recording]) -> list[Finding]:
    """Findings on what predicts the class without its emotion."""
    if len({e.label for e in examples}) < 2:
        return []
    own = [recordings[e.recording] for e in examples]
    results = probes(examples, [r.seconds for r in own], [rms_level(r) for r in own])
    single, speakers = one_class_speakers(examples), {e.speaker for e in examples}
    of_one_class = f"{len(single)} of {counted(len(speakers), 'speaker')} with one class only"
    return [
        Finding("confounding", "serious", text, [of_one_class] if name == "the speaker" else ())
        for name, text in confounded(results).items()
    ]


def _common(one: Iterable[Example], other: Iterable[Example], attribute: str) -> list[str]:
    return sorted({getattr(e, attribute) for e in one} & {getattr(e, attribute) for e in other})


def _common_audio(one: Sequence[Example], other: Sequence[Example]) -> list[str]:
    """Recordings of `other` that are in `one` too, completely or by an overlapping part."""
    first, second = ({e.recording for e in examples} for examples in (one, other))
    shared = first & second
    for pair in overlapping([*one, *other]):
        for a, b in (pair, pair[::-1]):
            if a.recording in first and b.recording in second:
                shared.add(b.recording)
    return sorted(shared)


def _decoded(examples: Sequence[Example], report: Report) -> dict[str, Recording]:
    """Recordings by name, without those that cannot be read: ``affekt data check`` lists them."""
    recordings = {}
    for done, (index, found) in enumerate(read_examples(examples), 1):
        if isinstance(found, Recording):
            recordings[examples[index].recording] = found
        report(Event("read recordings", done, len(examples)))
    return recordings
