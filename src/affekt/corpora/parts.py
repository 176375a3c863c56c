"""Examples that are parts of files: their times, overlaps, and decoding."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..audio import decoding
from ..audio.recording import Recording, make_recording
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE
from ..errors import AudioError, CorpusError
from ..plural import counted
from ..types import Example

TIME = re.compile(r"(?:(-?\d+) days?,? *)?(?:(?:\+?(\d+):)?(\d+):)?(-?\d+(?:[.,]\d*)?|[.,]\d+)")
OVERLAP = 0.05  # s that parts may overlap, as rounded times do
BEYOND = 0.1  # s that a part may reach beyond the end of its file
UNIQUE = ("label", "targets", "speaker", "split")  # overlapping examples must agree in them


def seconds(value: object) -> float | None:
    """A time of a table in seconds, rounded to microseconds; None if the cell is empty.

    Args:
        value: A number, a time span of Python or pandas, or a text: "1.5", "1,5", "00:00:01.5",
            "0 days 00:00:01.500000"; "NaT" is an empty cell.

    Raises:
        ValueError: It is none of these.
    """
    if value is None or value != value or str(value).strip() in ("", "NaT", "nan", "NaN", "None"):
        return None
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 6)
    text = str(value).strip()
    if match := TIME.fullmatch(text):
        days, hours, minutes = (int(group or 0) for group in match.groups()[:3])
        rest = float(match[4].replace(",", "."))
        return round(((days * 24 + hours) * 60 + minutes) * 60 + rest, 6)
    return round(float(text), 6)  # 1e-3


def part_fault(start: float, end: float | None) -> str:
    """What is wrong with the times of a part; "" if nothing is."""
    if not 0 <= start < float("inf"):
        return f"start {start:g} s is before the beginning of the file"
    if end is not None and not start < end < float("inf"):
        return f"end {end:g} s is not after start {start:g} s"
    return ""


def overlapping(examples: Iterable[Example]) -> Iterator[tuple[Example, Example]]:
    """Pairs of examples of one file that overlap, one of them at least a part of it."""
    files: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        files[example.path].append(example)
    for own in files.values():
        if not any(example.part for example in own):
            continue
        active: list[Example] = []
        for example in sorted(own, key=lambda e: e.start):
            active = [e for e in active if e.end is None or e.end > example.start + OVERLAP]
            for other in active:
                yield other, example
            active.append(example)


def refuse_conflicts(examples: Iterable[Example]) -> None:
    """Check that overlapping parts of a file have one label, speaker and split.

    Raises:
        CorpusError: They do not; the message names the first pair.
    """
    conflicts = [
        (one, other, attribute)
        for one, other in overlapping(examples)
        for attribute in UNIQUE
        if getattr(one, attribute) != getattr(other, attribute)
    ]
    if conflicts:
        one, other, attribute = conflicts[0]
        values = f"{getattr(one, attribute)!r} and {getattr(other, attribute)!r}"
        raise CorpusError(
            f"{other.where or other.path}: {other.id} overlaps {one.id}, with the {attribute}s "
            f"{values} ({counted(len(conflicts), 'such conflict')}); cut the parts so that they do "
            "not overlap"
        )


def overlap_groups(examples: Sequence[Example]) -> list[int]:
    """For each example the index of a group; examples whose audio overlaps have the same."""
    group = list(range(len(examples)))
    index = {id(example): i for i, example in enumerate(examples)}
    for one, other in overlapping(examples):
        old, new = group[index[id(other)]], group[index[id(one)]]
        group = [new if g == old else g for g in group]
    return group


def read_examples(examples: Sequence[Example]) -> Iterator[tuple[int, Recording | AudioError]]:
    """Decode examples, each file once.

    Args:
        examples: Files or parts of files.

    Yields:
        The index of an example, and its recording or the reason why there is none. The order is
        that of the files.
    """
    files: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        files[example.path].append(index)
    for path, rows in files.items():
        own = [examples[row] for row in rows]
        try:
            if any(example.part for example in own):
                yield from zip(rows, _parts(path, own), strict=True)
            else:
                recording = decoding.read(path)
                yield from ((row, recording) for row in rows)
        except AudioError as error:
            yield from ((row, error) for row in rows)


def read_example(example: Example, last: float) -> Recording:
    """Decode an example again.

    Args:
        example: A file or a part of one.
        last: Of a part, the value of `last_end` for its file: parts that follow each other in a
            file are taken from the same decoded wave.

    Raises:
        AudioError: It cannot be read.
    """
    if not example.part:
        return decoding.read(example.path)
    try:
        changed = Path(example.path).stat().st_mtime_ns
    except OSError as error:
        raise AudioError(f"{example.path}: cannot be opened: {error.strerror}") from error
    found = _part(*_decoded_again(example.path, last, changed), example)
    if isinstance(found, AudioError):
        raise found
    return found


def last_end(examples: Iterable[Example]) -> float:
    """Second up to which a file with these parts is decoded."""
    return max(float("inf") if e.end is None else e.end for e in examples)


def _parts(path: str, examples: Sequence[Example]) -> list[Recording | AudioError]:
    """Parts of a file, which is decoded up to the end of the last one."""
    decoder, wave = _decoded(path, last_end(examples))
    return [_part(decoder, wave, example) for example in examples]


@lru_cache(maxsize=1)
def _decoded_again(path: str, seconds: float, changed: int) -> tuple[decoding.Decoder, Wave]:
    """`_decoded` of the file that was last used, at the time in ns at which it was changed."""
    return _decoded(path, seconds)


def _decoded(path: str, seconds: float) -> tuple[decoding.Decoder, Wave]:
    """A file, decoded up to a second."""
    last = seconds * SAMPLE_RATE
    decoder = decoding.Decoder(path)
    blocks, samples = [], 0
    for block in decoder:
        blocks.append(block)
        samples += len(block)
        if samples >= last:
            break
    return decoder, np.concatenate(blocks)


def _part(decoder: decoding.Decoder, wave: Wave, example: Example) -> Recording | AudioError:
    length = len(wave) / SAMPLE_RATE
    where = f"{example.where}: " if example.where else ""
    for name, time, most in (
        ("start", example.start, length),
        ("end", example.end or 0.0, length + BEYOND),
    ):
        if time > most or (name == "start" and time == most):
            return AudioError(
                f"{where}{name} {time:g} s is beyond the end of {decoder.name} ({length:.2f} s)"
            )
    start = round(example.start * SAMPLE_RATE)
    end = None if example.end is None else round(example.end * SAMPLE_RATE)
    samples = wave[start:end].copy()
    name = decoder.name + example.part
    return make_recording(name, samples, decoder.sampling_rate, decoder.warnings)
