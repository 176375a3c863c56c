"""Recordings in requests, and their predictions in responses."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import AudioError
from ..types import Prediction
from .transport import ServerError

Source = str | Path | bytes  # a file, or its bytes


def opened(source: Source, stack: ExitStack) -> tuple[str, bytes | BinaryIO]:
    """Name and content of a recording.

    Args:
        source: Path or bytes.
        stack: Closes the file at its end.

    Raises:
        AudioError: There is no such file.
    """
    if isinstance(source, bytes):
        return "recording", source
    try:
        return Path(source).name, stack.enter_context(Path(source).open("rb"))
    except OSError as error:
        raise AudioError(f"{source}: cannot be read: {error.strerror}") from error


def recording(values: dict[str, Any]) -> Prediction:
    """The prediction of a recording with those of its utterances."""
    utterances = [Prediction.from_dict(value) for value in values.pop("utterances")]
    return replace(Prediction.from_dict(values), utterances=utterances)


def failure(values: dict[str, Any]) -> ServerError:
    """The error of one of several recordings."""
    name, detail = values["file"], values["detail"]
    text = detail if detail.startswith(name) else f"{name}: {detail}"
    return ServerError(text, values["code"])
