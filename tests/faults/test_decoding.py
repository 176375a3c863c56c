"""Nothing is lost or displaced: every kind of file has its duration, its speech in place, and says
what is missing.
"""

import numpy as np
import pytest

from affekt.audio import decoding
from faults import damaged
from faults.damaged import RATE, SECONDS, SPEECH

JOINED = 2 * SECONDS
KINDS = {  # duration in seconds, displacement of the last words, codes of warnings
    damaged.joined_mp3_with_xing_header: (JOINED, SECONDS, ()),
    damaged.chained_vorbis: (JOINED, SECONDS, ()),
    damaged.chained_opus: (JOINED, SECONDS, ()),
    damaged.joined_flac: (JOINED, SECONDS, ()),
    damaged.flac_without_length: (SECONDS, 0, ()),
    damaged.wav_of_a_killed_recorder: (SECONDS, 0, ()),
    damaged.wav_of_a_pipe: (SECONDS, 0, ()),
    damaged.mp3_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.flac_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.vorbis_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.opus_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.m4a_with_zeros: (SECONDS, 0, ("damaged",)),
    damaged.mp4_that_starts_late: (5 + SECONDS, 5, ()),
    damaged.mkv_that_starts_late: (5 + SECONDS, 5, ()),
    damaged.webm_with_a_hole: (10 + SECONDS, 10, ("gaps",)),
}


def displacement(wave, begin, end, expected):
    """Seconds by which a part of SPEECH is later than in SPEECH, near what is expected."""
    part = SPEECH[int(begin * RATE) : int(end * RATE)]
    first = max(0, int((begin + expected - 0.5) * RATE))
    near = wave[first : int((end + expected + 0.5) * RATE)]
    likeness = np.correlate(near, part, "valid")
    return (first + int(np.abs(likeness).argmax())) / RATE - begin


@pytest.mark.parametrize("maker", KINDS, ids=lambda maker: maker.__name__)
def test_decoding_to_the_end(maker, tmp_path):
    seconds, late, codes = KINDS[maker]
    recording = decoding.read(maker(tmp_path))
    assert recording.seconds == pytest.approx(seconds, abs=0.25)
    assert displacement(recording.wave, 6.8, 7.4, late) == pytest.approx(late, abs=0.2)
    assert tuple(w.code for w in recording.warnings) == codes


def test_channels_that_cancel_are_a_warning(tmp_path):
    (warning,) = decoding.read(damaged.antiphase_wav(tmp_path)).warnings[1:]
    assert warning.code == "antiphase"
