"""Opening a container of FFmpeg and choosing its audio track."""

import io
from contextlib import suppress
from functools import partial
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition

from ..errors import AudioError
from ..sanitise import printable
from ..types import Notice

BOXES = 1000  # boxes of an MP4 file that are looked at
NAME = 40  # characters of a track's title


def open_container(name: str, file: BinaryIO) -> InputContainer:
    """Open a file.

    Args:
        name: Name of the recording in errors.
        file: An open file.

    Raises:
        AudioError: Its format is unknown, or it is damaged.
    """
    try:
        return _opened(file)
    except (av.FFmpegError, ValueError, EOFError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        if _without_index(file):
            reason = "its index (moov) is missing: the recorder was stopped before it wrote it"
        raise AudioError(f"{name}: not a recording, or damaged ({reason})") from error


def choose_track(
    name: str, container: InputContainer, track: int | None
) -> tuple[av.AudioStream, list[Notice]]:
    """The stream of a track, and a warning that names the others where none was chosen.

    Args:
        name: Name of the recording in errors.
        container: The open file.
        track: From 1 on; by default that which the container marks as default, else the first.

    Raises:
        AudioError: There is no such track, or no decoder for it.
    """
    warnings: list[Notice] = []
    streams = container.streams.audio
    if not streams:
        raise AudioError(f"{name}: has no audio track")
    names = [f"{i}{_described(stream)}" for i, stream in enumerate(streams, 1)]
    if track is None:
        known = [i for i, s in enumerate(streams) if s.codec_context is not None] or [0]
        default = [i for i in known if streams[i].disposition & Disposition.default]
        index = (default or known)[0]
        if len(streams) > 1:
            others = ", ".join(other for i, other in enumerate(names) if i != index)
            text = (
                f"tracks: audio track {names[index]} is used, of {len(streams)}; choose "
                f"another with --track: {others}"
            )
            warnings.append(Notice("tracks", text))
    elif not 1 <= track <= len(streams):
        raise AudioError(f"{name}: has no audio track {track}; its tracks: {', '.join(names)}")
    else:
        index = track - 1
    if streams[index].codec_context is None:
        raise AudioError(f"{name}: there is no decoder for its audio track {index + 1}")
    return streams[index], warnings


def _opened(file: BinaryIO) -> InputContainer:
    # An open file and no protocols: a playlist must not make us fetch other files.
    open_file = partial(
        av.open, mode="r", metadata_errors="replace", options={"protocol_whitelist": ""}
    )
    try:
        return open_file(file)
    except av.FFmpegError:
        # FFmpeg refuses a fragmented MP4 that was cut, unless it reads it like a pipe.
        file.seek(0)
        with suppress(av.FFmpegError):
            return open_file(_Pipe(file))
        raise


def _without_index(file: BinaryIO) -> bool:
    """Whether this is an MP4 or QuickTime file without the box that describes its audio."""
    position, names, end = 0, set[bytes](), file.seek(0, io.SEEK_END)
    for _ in range(BOXES):
        file.seek(min(position, end))
        head = file.read(16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        if len(head) < 8 or size < 8:
            break
        names.add(name)
        position += size
    return b"ftyp" in names and b"moov" not in names


class _Pipe:
    """An open file without positions."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read


def _described(stream: av.AudioStream) -> str:
    """Language and title of a track in parentheses; nothing if it has none."""
    texts = [printable(stream.metadata.get(key, ""))[:NAME] for key in ("language", "title")]
    texts = [text for text in texts if text not in ("", "und")]
    return f" ({', '.join(texts)})" if texts else ""
