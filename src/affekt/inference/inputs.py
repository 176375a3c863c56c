"""What a recognizer accepts as a recording, decoded."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Number
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..audio.decoding import read
from ..audio.recording import Recording, from_array
from ..audio.source import Source

OneRecording = Source | Recording | NDArray[Any] | torch.Tensor | Mapping[str, Any]
Errors = Literal["raise", "return"]


def is_batch(source: Any) -> bool:
    """Whether `source` is several recordings: an iterable, but not a recording itself.

    A list of numbers is the samples of one recording; a list of anything else is a batch.
    """
    if isinstance(
        source, str | os.PathLike | bytes | Mapping | np.ndarray | torch.Tensor | Recording
    ):
        return False
    if hasattr(source, "read") or hasattr(source, "__array__") or not isinstance(source, Iterable):
        return False
    if isinstance(source, list | tuple):
        return not (source and isinstance(source[0], Number))
    return True


def read_input(source: Any, sampling_rate: float | None = None) -> Recording:
    """Decode one recording as a whole.

    Args:
        source: As of `file_or_recording`.
        sampling_rate: Of an array or tensor, in Hz.

    Raises:
        AudioError: It cannot be read as a recording.
        ValueError: As of `file_or_recording`.
    """
    item = file_or_recording(source, sampling_rate)
    return item if isinstance(item, Recording) else read(item)


def file_or_recording(source: Any, sampling_rate: float | None = None) -> Source | Recording:
    """A file or recording as it is, samples as a recording.

    Args:
        source: Path, bytes of a file, open binary file; array ``(samples,)`` or
            ``(samples, channels)``; tensor ``(samples,)`` or, as torchaudio gives it,
            ``(channels, samples)``; or a dict with ``array`` and ``sampling_rate``, ``bytes`` or
            ``path``, as the datasets library gives it.
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
    if isinstance(source, str | os.PathLike | bytes) or hasattr(source, "read"):
        if sampling_rate is not None:
            raise ValueError(
                "a file has its own sampling rate; give sampling_rate only with an array"
            )
        return cast(Source, source)
    return _from_samples(source, sampling_rate)


def _from_samples(samples: Any, sampling_rate: Any) -> Recording:
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu().numpy()
        samples = samples.T if samples.ndim == 2 else samples
    return from_array(cast(ArrayLike, samples), sampling_rate)


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
