"""JSON frames of telephony providers, as Twilio's Media Streams send them."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ..requirement import requirement
from .parameters import Samples

ENCODINGS: dict[str, Samples] = {
    "audio/x-mulaw": "mulaw",
    "audio/x-alaw": "alaw",
    "audio/l16": "int16",
}


class MediaFormat(BaseModel):
    """Format of the audio: ``mediaFormat``."""

    encoding: Literal["audio/x-mulaw", "audio/x-alaw", "audio/l16"] = "audio/x-mulaw"
    rate: int = Field(8_000, alias="sampleRate", ge=1, le=1_000_000)
    channels: Literal[1] = 1

    @property
    def samples(self) -> Samples:
        """The parameter ``samples`` of the same format."""
        return ENCODINGS[self.encoding]


class _Start(BaseModel):
    format: MediaFormat = Field(MediaFormat(), alias="mediaFormat")


class Start(BaseModel):
    """First event: the format of the audio."""

    event: Literal["start"]
    start: _Start = _Start()


class _Media(BaseModel):
    payload: str
    track: str = ""


class Media(BaseModel):
    """A piece of audio of one track."""

    event: Literal["media"]
    media: _Media

    @property
    def audio(self) -> bytes:
        """The audio.

        Raises:
            ValueError: It is not Base64.
        """
        try:
            return base64.b64decode(self.media.payload, validate=True)
        except binascii.Error as error:
            raise ValueError(f"media.payload is not Base64 ({error})") from error


class Stop(BaseModel):
    """Last event."""

    event: Literal["stop"]


class Other(BaseModel):
    """An event without audio."""

    event: Literal["connected", "mark", "dtmf"]


Event = Start | Media | Stop | Other
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def event_of(text: str) -> Event:
    """The event of a text frame.

    Raises:
        ValueError: It is none.
    """
    try:
        return _EVENTS.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            text = 'send binary frames, the text "end", or JSON frames (start, media, stop)'
            raise ValueError(text) from error
        where = ".".join(map(str, first["loc"][1:])) or "event"
        raise ValueError(f"JSON frame: {where}{requirement([first])}") from error
