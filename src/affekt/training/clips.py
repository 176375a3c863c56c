"""Labelled clips with their audio, and the inner split into training and validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..audio import decoding
from ..audio.recording import Recording
from ..corpora.splits import inner_validation
from ..errors import AudioError, CorpusError
from ..progress import Event, Report, silent
from ..types import Example


@dataclass(frozen=True)
class Clip:
    """A labelled example with its audio."""

    example: Example
    recording: Recording

    @property
    def label(self) -> str:
        """The emotion."""
        return self.example.label

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.recording.seconds


def load_clips(examples: Sequence[Example], report: Report = silent) -> list[Clip]:
    """Decode the recording of every example.

    Raises:
        AudioError: Some cannot be read; the message counts them and names the first.
    """
    clips, broken = [], []
    for done, example in enumerate(examples, 1):
        try:
            clips.append(Clip(example, decoding.read(example.path)))
        except AudioError as error:
            broken.append(str(error))
        report(Event("read recordings", done, len(examples)))
    if broken:
        raise AudioError(
            f"{len(broken)} of {len(examples)} recordings cannot be read, the first: {broken[0]}"
        )
    return clips


def inner_split(
    clips: Sequence[Clip], share: float, seed: int, held_out: Sequence[Clip] | None = None
) -> tuple[Sequence[Clip], Sequence[Clip]]:
    """Split the training part into clips to learn from and validation clips.

    The split is by speaker. Of a single speaker, a share of the clips of each class is held out:
    the score on a known voice is too high, but there is no other voice.

    Args:
        clips: The training part.
        share: Share of its speakers that validate.
        seed: Draws them.
        held_out: Validation clips from elsewhere; nothing is then taken from `clips`.

    Returns:
        Clips to learn from, and validation clips.

    Raises:
        CorpusError: A single speaker, and a single clip of some class.
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
    for label in sorted({c.label for c in clips}):
        own = [c for c in clips if c.label == label]
        if len(own) < 2:
            raise CorpusError(
                f"one training speaker, and one clip of {label}: training needs a second "
                "speaker, or of each class a second clip for validation"
            )
        order = rng.permutation(len(own))
        number = min(max(1, round(share * len(own))), len(own) - 1)
        validation += [own[i] for i in order[:number]]
        inner += [own[i] for i in order[number:]]
    return inner, validation


def speakers(clips: Sequence[Clip]) -> list[str]:
    """The speakers of clips, sorted."""
    return sorted({c.example.speaker for c in clips})


def audio_warnings(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """Warnings about the audio of clips, by the id of the example; of those that have any."""
    warnings = ((clip.example.id, clip.recording.warnings) for clip in clips)
    return {name: list(texts) for name, texts in warnings if texts}
