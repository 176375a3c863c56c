"""Audit of folds for leakage and other faults that invalidate a score."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from statistics import median

from ...audio.recording import Recording
from ...corpora.corpus import Corpus
from ...corpora.parts import overlapping, read_examples
from ...corpora.splits import Fold, anonymous, one_class_speakers
from ...plural import counted
from ...progress import Event, Report, silent
from ...types import Example
from .corpus_check import abridged, confounded, probes, rms_level
from .findings import EVIDENCE, Case, Finding, Severity, summarised, unchecked
from .near_duplicates import coarse_log_mel, matching_pairs
from .split_audit import split_findings
from .voice_likeness import (
    LEAST_CLIPS,
    LEAST_NAMES,
    THRESHOLD,
    compared,
    likenesses,
    voice_embeddings,
)

WORD = re.compile(r"\d+|[^\W\d_]+")


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
    folds, findings = [Fold(**parts)], split_findings(corpus.examples)
    if not parts["test"] and not _common(parts["train"], parts["val"], "speaker"):
        speakers = len(corpus.speakers)
        if speakers < 2:
            check, reason = "training part against test part", "fewer than two usable speakers"
            return [*findings, unchecked("speaker", check, reason)]
        folds = corpus.test_folds(speakers if speakers < corpus.folds else None)
    return findings + audit_folds(folds, report)


def audit_folds(folds: Sequence[Fold], report: Report = silent) -> list[Finding]:
    """Audit folds: their speakers, sentences and recordings, and what else predicts the class.

    Args:
        folds: Training, validation and test part of each fold.
        report: Called after each recording that is decoded.
    """
    examples = list({e.recording: e for f in folds for e in (*f.train, *f.val, *f.test)}.values())
    recordings = _decoded(examples, report)
    readable = [e for e in examples if e.recording in recordings]
    content = {n: sha256(r.wave.tobytes()).digest() for n, r in recordings.items()}
    copies = _copies(folds, recordings, content)
    cases = [*_shared(folds), *_shared_sentences(folds), *copies]
    return [
        *_contradictory_copies(readable, content),
        *summarised(cases, counted(len(folds), "fold")),
        *_voices(folds, readable, recordings, report),
        *_confounding(readable, recordings),
        *_not_checked(examples, len(examples) - len(readable)),
    ]


def _shared(folds: Sequence[Fold]) -> Iterator[Case]:
    """Speakers and recordings in several parts of a fold, and repeated recordings."""
    for number, fold in enumerate(folds):
        where = f"fold {number}"
        training = [*fold.train, *fold.val]
        if both := _common(training, fold.test, "speaker"):
            what = "test speakers in the training part"
            yield Case("speaker", "serious", what, where, both)
        if alike := _spelled_alike(training, fold.test):
            what = "test speakers whose name is spelled almost like that of a training speaker"
            yield Case("speaker", "suspicion", what, where, alike)
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


def _spelled_alike(training: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Pairs of names that differ only in case, blanks, punctuation or leading zeros."""
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for example in training:
        names[_spelling(example)].add(example.speaker)
    return [
        f"{one} and {other}"
        for one, example in sorted({e.speaker: e for e in test}.items())
        for other in sorted(names[_spelling(example)] - {one})
    ]


def _spelling(example: Example) -> tuple[str, ...]:
    if example.anonymous:
        return (example.speaker,)
    return tuple(part.lstrip("0") for part in WORD.findall(example.speaker.casefold()))


def _shared_sentences(folds: Sequence[Fold]) -> Iterator[Case]:
    for number, fold in enumerate(folds):
        trained = {e.text for e in fold.train}
        if same := [e for e in fold.test if e.text and e.text in trained]:
            what = "test clips whose sentence is also in the training part"
            sentences = sorted({e.text for e in same})
            yield Case(
                "text", "note", what, f"fold {number}", [e.recording for e in same], sentences
            )


def _contradictory_copies(
    examples: Sequence[Example], content: Mapping[str, bytes]
) -> Iterator[Finding]:
    """A finding on recordings with the same content that have several labels."""
    copies: dict[bytes, list[Example]] = defaultdict(list)
    for example in examples:
        copies[content[example.recording]].append(example)
    several = [own for own in copies.values() if len({e.label for e in own}) > 1]
    if several:
        text = f"recordings with the same content and several labels: {len(several)}"
        named = [abridged([f"{e.id} {e.label!r}" for e in own]) for own in several[:EVIDENCE]]
        yield Finding("label", "serious", text, named)


def _copies(
    folds: Sequence[Fold], recordings: Mapping[str, Recording], content: Mapping[str, bytes]
) -> Iterator[Case]:
    """Test recordings that equal or nearly equal a training recording of another name."""
    names = list(recordings)
    pairs = matching_pairs([coarse_log_mel(recordings[n].wave) for n in names])
    for number, fold in enumerate(folds):
        part = {e.recording: "train" for e in (*fold.train, *fold.val)}
        part |= {e.recording: "test" for e in fold.test}
        trained = {content[n]: n for n in names if part.get(n) == "train"}
        equal = [
            f"{n} = {trained[content[n]]}"
            for n in names
            if part.get(n) == "test" and content[n] in trained
        ]
        if equal:
            what = "test recordings with the content of a training recording"
            yield Case("recording", "serious", what, f"fold {number}", equal)
        near = [
            f"{names[i]} = {names[j]} ({correlation:.2f})"
            for i, j, correlation in pairs
            if {part.get(names[i]), part.get(names[j])} == {"train", "test"}
            and content[names[i]] != content[names[j]]
        ]
        if near:
            what = "test recordings that nearly equal a training recording"
            yield Case("near-duplicate", "serious", what, f"fold {number}", near)


def _voices(
    folds: Sequence[Fold],
    examples: Sequence[Example],
    recordings: Mapping[str, Recording],
    report: Report,
) -> Iterator[Finding]:
    """Suspicions that a test speaker is in the training part under another name.

    Args:
        folds: The folds.
        examples: Those that can be read.
        recordings: By name.
        report: Called when the probe starts and ends.
    """
    check = "one speaker under two names"
    known = [e for e in examples if not e.anonymous]
    if len(known) < len(examples):
        yield unchecked("voice", check + _of_unknown(examples), "speakers are unknown")
    examples = known
    across = set()
    for fold in folds:
        trained, tested = (
            {e.speaker for e in part if not e.anonymous}
            for part in ((*fold.train, *fold.val), fold.test)
        )
        across |= {(one, other) for one in trained for other in tested if one != other}
    chosen = [examples[i] for i in compared(examples)]
    names = {e.speaker for e in chosen}
    if left_out := sorted({name for pair in across for name in pair} - names):
        reason = f"fewer than {LEAST_CLIPS} clips, or fewer than {LEAST_NAMES} such speakers"
        yield unchecked("voice", f"{check}, for {abridged(left_out)}", reason)
    if not names:
        return
    report(Event("compare voices", 0, 1))
    embeddings = voice_embeddings([recordings[e.recording].wave for e in chosen])
    pairs = likenesses(embeddings, [e.speaker for e in chosen], [e.corpus for e in chosen])
    report(Event("compare voices", 1, 1))
    alike = [p for p in pairs if p.likeness >= THRESHOLD and {p.names, p.names[::-1]} & across]
    if alike:
        others = [p.likeness for p in pairs if p not in alike] or [float("nan")]
        rest = f"other pairs: median {median(others):.2f}, highest {max(others):.2f}"
        evidence = [
            f"{' and '.join(p.names)}: likeness {p.likeness:.2f} ({rest}); listen to "
            + " and ".join(chosen[i].recording for i in p.clips)
            for p in alike[:EVIDENCE]
        ]
        text = (
            "test and training speakers who may be one person under two names: "
            f"{counted(len(alike), 'pair')} with a likeness of {THRESHOLD} or more"
        )
        yield Finding("voice", "suspicion", text, evidence)


def _not_checked(examples: Sequence[Example], unreadable: int) -> Iterator[Finding]:
    if anonymous(examples):
        check = "speakers in both parts, and classes that the speaker predicts"
        yield unchecked("speaker", check + _of_unknown(examples), "speakers are unknown")
    if not any(e.text for e in examples):
        yield unchecked("text", "sentences in both parts", "the texts are unknown")
    if unreadable:
        check = f"copies and voices of {unreadable} of {counted(len(examples), 'recording')}"
        yield unchecked("recording", check, "they cannot be read; affekt data check names them")


def _of_unknown(examples: Sequence[Example]) -> str:
    """Of how many examples speakers are unknown; "" if they are of all."""
    unknown = sum(e.anonymous for e in examples)
    return f", of {unknown} of {len(examples)} clips" if unknown < len(examples) else ""


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
