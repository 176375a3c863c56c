"""Decoding by libsndfile, with the corrections that damaged and piped files need."""

import io
import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from . import mp3, wav
from .quiet import quiet

BLOCK = 1 << 14  # samples of each channel decoded at a time
NO_LENGTH = 1 << 62  # samples; libsndfile states more where it does not know


class Sound(soundfile.SoundFile):  # type: ignore[misc]  # it is not typed
    """An open file of libsndfile, read without seeking.

    Seeking after each block, as the base class does, fails at the end of a FLAC file without a
    length.

    Args:
        file: The file, which stays open.

    Attributes:
        understated: Duration in seconds that the header states, if more audio follows; else 0.
    """

    def __init__(self, file: BinaryIO) -> None:
        wrong = wav.correction(file)
        self._guessed = mp3.without_length(file)
        file.seek(0)
        plain = isinstance(file, io.FileIO) and os.name == "posix" and not wrong
        target = wav.Patched(file, wrong.position, wrong.data) if wrong else file
        with quiet():
            super().__init__(file.fileno() if plain else target, closefd=False)
        stated = wrong.stated if wrong else 0.0
        self.understated = stated * self.frames / self.samplerate

    def seekable(self) -> bool:
        """Whether to seek after each block."""
        return False

    @property
    def promised(self) -> float:
        """Duration in seconds that the header states; 0 if it does not.

        libsndfile corrects the length of a truncated WAV or AIFF and notes the stated one in its
        log.
        """
        if self.format == "MP3" and self._guessed:
            return 0.0
        cut = re.search(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)", self.extra_info)
        if cut and int(cut[1]) < wav.UNKNOWN_SIZE:
            return self.frames * int(cut[1]) / max(int(cut[2]), 1) / self.samplerate
        return self.frames / self.samplerate if not cut and self.frames < NO_LENGTH else 0.0

    def to_end(self) -> Iterator[NDArray[np.float32]]:
        """Blocks ``(samples, channels)``."""
        # What follows a FLAC stream is an error to its decoder; MP3 may only guess its length.
        left = self.frames if self.format != "MP3" else NO_LENGTH
        while left:
            with quiet():
                block = self.read(min(BLOCK, left), dtype="float32", always_2d=True)
            if not len(block):
                break
            yield block
            left -= len(block)
