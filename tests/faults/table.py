"""The table of kinds of files, each with its expected outcome.

`test_decoding` checks where the words of each are, `test_interfaces` that `predict`, Python,
`batch` and the server give the outcome.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from faults import damaged, mistaken
from faults.damaged import RATE, SECONDS, SPEECH

JOINED = 2 * SECONDS
DECODED = {  # duration in seconds, displacement of the last words, codes of warnings
    damaged.joined_mp3_with_xing_header: (JOINED, SECONDS, ()),
    damaged.chained_vorbis: (JOINED, SECONDS, ()),
    damaged.chained_opus: (JOINED, SECONDS, ()),
    damaged.joined_flac: (JOINED, SECONDS, ()),
    damaged.flac_without_length: (SECONDS, 0, ()),
    damaged.wav_of_a_killed_recorder: (SECONDS, 0, ()),
    damaged.wav_of_a_recorder_killed_later: (SECONDS, 0, ("damaged",)),
    damaged.aiff_of_a_recorder_killed_later: (SECONDS, 0, ("damaged",)),
    damaged.au_of_a_recorder_killed_later: (SECONDS, 0, ("damaged",)),
    damaged.joined_wav: (JOINED, SECONDS, ()),
    damaged.wav_of_a_pipe: (SECONDS, 0, ()),
    damaged.mp3_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.flac_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.vorbis_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.opus_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.m4a_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.mp4_that_starts_late: (5 + SECONDS, 5, ()),
    damaged.mkv_that_starts_late: (5 + SECONDS, 5, ()),
    damaged.webm_with_a_hole: (10 + SECONDS, 10, ("gaps",)),
    damaged.mkv_with_two_tracks: (SECONDS, 0, ("tracks",)),
    damaged.mp4_with_two_tracks: (SECONDS, 0, ("tracks",)),
    damaged.wav_with_data_after_audio: (SECONDS, 0, ()),
    damaged.ogg_without_some_pages: (SECONDS, 0, ("damaged",)),
    damaged.adts: (10 + SECONDS, 10, ()),
    damaged.adts_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.mp3_without_xing_header: (10 + SECONDS, 6, ()),
    damaged.joined_mp3_of_two_rates: (6 + SECONDS, 6, ()),
    damaged.mp3_with_tags: (SECONDS, 0, ()),
    damaged.mp3_joined_with_tags: (JOINED, SECONDS, ()),
    damaged.flac_with_a_tag: (SECONDS, 0, ()),
    damaged.mkv_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.mpegts: (SECONDS, 0, ()),
    damaged.mpegts_joined: (JOINED, SECONDS, ()),
    damaged.mpegts_with_zeros: (SECONDS, 0, ("gaps",)),
    damaged.mkv_from_the_year_3000: (SECONDS, 0, ()),
    damaged.webm_without_length: (SECONDS, 0, ()),
    damaged.wave_of_channels: (SECONDS, 0, ()),
} | dict.fromkeys(damaged.PLAIN, (SECONDS, 0, ()))
TRUNCATED = {  # codes of warnings; Ogg does not state its length
    damaged.wav_truncated: ("truncated",),
    damaged.mp3_truncated: ("truncated",),
    damaged.flac_truncated: ("truncated",),
    damaged.mkv_truncated: ("truncated",),
    damaged.ogg_truncated: (),
    damaged.fragmented_mp4_of_a_killed_recorder: (),
}
UNDECODABLE = {  # what the error says
    damaged.video_without_audio: "has no audio track",
    damaged.mp4_of_a_killed_recorder: "its index (moov) is missing",
}


class Kind(NamedTuple):
    """A kind of file and the outcome that every interface must give.

    Attributes:
        name: Unique.
        make: Writes the file into a folder and returns its path.
        seconds: Duration, or None where it is not checked.
        codes: Codes of the warnings about the file.
        error: What the error says; "" if it is recognised.
        rejection_reason: Why it has no emotion, or "".
        utterances: Number of utterances, or None where it is not checked.
    """

    name: str
    make: Callable[[Path], Path]
    seconds: float | None = None
    codes: tuple[str, ...] = ()
    error: str = ""
    rejection_reason: str = ""
    utterances: int | None = None


def _wave(name: str, wave: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        soundfile.write(folder / name, wave, RATE, subtype="FLOAT")
        return folder / name

    return make


def _noise(seconds: float, level: float) -> np.ndarray:
    """White noise at a level in dBFS."""
    rng = np.random.default_rng(0)
    return 10 ** (level / 20) * rng.standard_normal(round(seconds * RATE))


def _several(seconds: int) -> np.ndarray:
    """The same words every four seconds, in soft noise."""
    wave = _noise(seconds, -70)
    words = SPEECH[: 2 * RATE]
    for start in range(1, seconds - 3, 4):
        wave[start * RATE : start * RATE + len(words)] += words
    return wave


NOBODY = "nobody speaks"
SPOKEN = [
    Kind("silence", _wave("a.wav", np.zeros(3 * RATE)), 3, ("silent",), "", "silent"),
    Kind("offset", _wave("a.wav", np.full(3 * RATE, 0.4)), 3, ("silent",), "", "silent"),
    Kind("noise-70-dB", _wave("a.wav", _noise(5, -70)), 5, (), "", NOBODY),
    Kind("noise-30-dB", _wave("a.wav", _noise(5, -30)), 5, (), "", NOBODY),
    Kind("click", _wave("a.wav", np.eye(1, 2 * RATE, RATE)[0]), 2, (), "", NOBODY),
    Kind("syllable", _wave("a.wav", SPEECH[: RATE // 5]), 0.2, (), "", "too short"),
    Kind("one-utterance", _wave("a.wav", _several(5)), 5, utterances=1),
    Kind("seven-utterances", _wave("a.wav", _several(29)), 29, utterances=7),
]


def kinds() -> Iterator[Kind]:
    """All kinds."""
    for make, (seconds, _, codes) in DECODED.items():
        yield Kind(make.__name__, make, seconds, codes)
    for make, codes in TRUNCATED.items():
        yield Kind(make.__name__, make, None, codes)
    yield Kind("antiphase_wav", damaged.antiphase_wav, SECONDS, ("silent", "antiphase"))
    for make, error in UNDECODABLE.items():
        yield Kind(make.__name__, make, error=error)
    for name, make in mistaken.READ.items():
        yield Kind(f"name-{name}", make, len(mistaken.WAVE) / mistaken.RATE)
    for name, (make, error) in mistaken.REFUSED.items():
        yield Kind(f"not-{name}", make, error=error)
    yield from SPOKEN
