"""Labelled clips with their audio, and the inner split into training and validation."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..audio.recording import Recording
from ..audio.resampling import Wave
from ..corpora.parts import (
    last_end,
    overlap_groups,
    read_example,
    read_examples,
    refuse_conflicts,
)
from ..corpora.splits import inner_validation
from ..errors import AudioError, CorpusError
from ..plural import counted
from ..progress import Event, Report, silent
from ..types import Example
from .recordings import Memory, StoredRecording


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled example with its recording.

    Attributes:
        example: The example.
        recording: Its sound.
        copies: Changed copies of the recording by what changed it: folds, seeds and the refit train
            on the same copies, and some take longer to make than to encode.
        change: What changed the sound of a copy, such as "degraded 0"; "" for a recording itself.
    """

    example: Example
    recording: Recording
    copies: dict[str, Recording] = field(default_factory=dict, compare=False, repr=False)
    change: str = ""

    @property
    def label(self) -> str:
        """The emotion."""
        return self.example.label

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.recording.seconds


def load_clips(examples: Sequence[Example], report: Report = silent) -> list[Clip]:
    """Decode the recording of every example, each file once.

    The first recordings stay in memory, up to `affekt.training.recordings.MEMORY`; the others are
    decoded again whenever their wave is used.

    Raises:
        AudioError: Recordings cannot be read; the message has their number and the first error.
        CorpusError: Parts of a file overlap and differ in label, speaker or split.
    """
    refuse_conflicts(examples)
    recordings: dict[int, Recording] = {}
    parts: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.part:
            parts[example.path].append(example)
    ends = {path: last_end(own) for path, own in parts.items()}
    memory = Memory()
    broken = []
    for done, (index, found) in enumerate(read_examples(examples), 1):
        if isinstance(found, AudioError):
            broken.append(str(found))
        else:
            load = partial(_wave, examples[index], ends.get(examples[index].path, 0.0))
            stored = StoredRecording(
                found.name,
                len(found.wave),
                load,
                memory,
                warnings=found.warnings,
                sampling_rate=found.sampling_rate,
            )
            stored.keep(found.wave)
            recordings[index] = stored
        report(Event("read recordings", done, len(examples)))
    if broken:
        raise AudioError(
            f"cannot read {len(broken)} of {counted(len(examples), 'recording')}, the first: "
            f"{broken[0]}"
        )
    return [Clip(example, recordings[index]) for index, example in enumerate(examples)]


def _wave(example: Example, last: float) -> Wave:
    return read_example(example, last).wave


def inner_split(
    clips: Sequence[Clip], share: float, seed: int, held_out: Sequence[Clip] | None = None
) -> tuple[Sequence[Clip], Sequence[Clip]]:
    """Split the training part into training and validation clips.

    The split is by speaker. If there is a single speaker, a share of the clips of each class is
    used for validation; the validation score is then too high.

    Args:
        clips: The training part.
        share: Share of the speakers that are used for validation.
        seed: Seed of the random choice of speakers.
        held_out: Validation clips from elsewhere; none is then taken from `clips`.

    Returns:
        Training clips and validation clips.

    Raises:
        CorpusError: There is a single speaker with a single clip of a class.
    """
    if held_out is not None:
        return clips, held_out
    if len(speakers(clips)) == 1:
        return _split_by_clip(clips, share, seed)
    chosen = inner_validation([c.example for c in clips], share, seed)
    inner = [c for c in clips if c.example.speaker not in chosen]
    return inner, [c for c in clips if c.example.speaker in chosen]


def _split_by_clip(clips: Sequence[Clip], share: float, seed: int) -> tuple[list[Clip], list[Clip]]:
    rng = np.random.default_rng(seed)
    inner, validation = [], []
    units: dict[str, dict[int, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip, group in zip(clips, overlap_groups([c.example for c in clips]), strict=True):
        units[clip.label][group].append(clip)
    for label in sorted(units):
        own = list(units[label].values())
        if len(own) < 2:
            raise CorpusError(
                f"one training speaker with one clip of {label}: validation needs a second "
                "speaker, or a second clip of each class"
            )
        order = rng.permutation(len(own))
        number = min(max(1, round(share * len(own))), len(own) - 1)
        validation += [clip for i in order[:number] for clip in own[i]]
        inner += [clip for i in order[number:] for clip in own[i]]
    return inner, validation


def held_out_units(clips: Sequence[Clip]) -> list[str]:
    """What cross-validation holds out together, for each clip.

    It is the speaker; parts that overlap, if they are all of one speaker.
    """
    groups = overlap_groups([c.example for c in clips])
    if len(speakers(clips)) > 1 or len(set(groups)) == len(clips):
        return [c.example.speaker for c in clips]
    return [str(group) for group in groups]


def speakers(clips: Sequence[Clip]) -> list[str]:
    """The speakers of clips, sorted."""
    return sorted({c.example.speaker for c in clips})


def audio_warnings(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """Warnings about the recordings, by the id of the example; only of clips with warnings."""
    warnings = ((clip.example.id, clip.recording.warnings) for clip in clips)
    return {name: list(texts) for name, texts in warnings if texts}
