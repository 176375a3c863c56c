"""What a recognizer accepts as a recording, decoded."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Number, Real
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..audio.decoding import read
from ..audio.recording import Recording, from_array
from ..audio.source import Source

ONE = (
    str, os.PathLike, bytes, bytearray, memoryview, Mapping, np.ndarray, torch.Tensor, Recording
)  # fmt: skip
OneRecording = Source | Recording | NDArray[Any] | torch.Tensor | Mapping[str, Any]
Errors = Literal["raise", "return"]


FORMS = "a path, the bytes of a file, an open binary file, or an array with its sampling rate"


def is_batch(source: Any) -> bool:
    """Whether `source` is several recordings: an iterable, but not a recording itself.

    A list of numbers is the samples of one recording; a list of anything else is a batch.
    """
    if isinstance(source, ONE) or _is_pair(source):
        return False
    if hasattr(source, "read") or hasattr(source, "__array__") or not isinstance(source, Iterable):
        return False
    if isinstance(source, list | tuple):
        return not (source and isinstance(source[0], Number))
    return True


def _is_pair(source: Any) -> bool:
    """Whether this is samples and their sampling rate in a tuple, in either order.

    soundfile, librosa and torchaudio give the samples first, scipy and gradio the rate.
    """
    if not isinstance(source, tuple) or len(source) != 2:
        return False
    return any(
        isinstance(rate, Real) and (hasattr(samples, "__array__") or isinstance(samples, list))
        for samples, rate in (source, source[::-1])
    )


def read_input(
    source: Any, sampling_rate: float | None = None, track: int | None = None
) -> Recording:
    """Decode one recording as a whole.

    Args:
        source: As of `file_or_recording`.
        sampling_rate: Of an array or tensor, in Hz.
        track: The audio track of a file, as of `Decoder`.

    Raises:
        AudioError: It cannot be read as a recording.
        ValueError: As of `file_or_recording`.
    """
    item = file_or_recording(source, sampling_rate)
    return item if isinstance(item, Recording) else read(item, track)


def file_or_recording(source: Any, sampling_rate: float | None = None) -> Source | Recording:
    """A file or recording as it is, samples as a recording.

    Args:
        source: Path, bytes of a file, open binary file; array ``(samples,)`` or
            ``(samples, channels)``; tensor ``(samples,)`` or, as torchaudio gives it,
            ``(channels, samples)``; a tuple of either and its sampling rate; or a dict with
            ``array`` and ``sampling_rate``, ``bytes`` or ``path``, as the datasets library gives
            it.
        sampling_rate: Of an array or tensor, in Hz.

    Raises:
        AudioError: Samples that are missing, NaN or infinite.
        ValueError: Samples without a sampling rate or of a wrong shape or type, a sampling rate
            with a file, or a dict with other keys.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source, sampling_rate)
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if _is_pair(source):
        if sampling_rate is not None:
            raise ValueError("a tuple has its own sampling rate; give sampling_rate with an array")
        source, sampling_rate = source if isinstance(source[1], Real) else source[::-1]
    if isinstance(source, str | os.PathLike | bytes) or hasattr(source, "read"):
        if sampling_rate is not None:
            raise ValueError(
                "a file has its own sampling rate; give sampling_rate only with an array"
            )
        return cast(Source, source)
    return _from_samples(source, sampling_rate)


def as_array(samples: Any) -> NDArray[Any]:
    """Samples of an array, a tensor or a list of numbers as an array.

    Raises:
        ValueError: Something else.
    """
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu()
        # numpy has no bfloat16
        return (samples.float() if samples.is_floating_point() else samples).numpy()
    array = np.asarray(samples)
    if array.dtype == object or array.dtype.kind in "US":
        raise ValueError(f"{type(samples).__name__} of {array.dtype}: give {FORMS}")
    return array


def _from_samples(samples: Any, sampling_rate: Any) -> Recording:
    array = as_array(samples)
    if array.ndim == 0 and sampling_rate is None:
        raise ValueError(f"{type(samples).__name__} is no recording: give {FORMS}")
    channels_first = isinstance(samples, torch.Tensor) and array.ndim == 2
    return from_array(array.T if channels_first else array, sampling_rate)


def _from_mapping(source: Mapping[str, Any], sampling_rate: float | None) -> Source | Recording:
    if source.get("array") is not None:
        rate = source.get("sampling_rate", sampling_rate)
        recording = _from_samples(source["array"], rate)
        return replace(recording, name=str(source.get("path") or recording.name))
    for key in ("bytes", "path"):
        if source.get(key) is not None:
            return cast(Source, source[key])
    raise ValueError(
        f"a dict with the keys {', '.join(map(str, source))}: it needs array and sampling_rate, "
        "bytes, or path"
    )
