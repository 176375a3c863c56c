"""Writers for annotation tools: Praat's TextGrid and ELAN's EAF, with the same tiers."""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.parse import quote

from ..sanitise import printable
from ..types import Prediction

ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")  # a byte of a name that is not UTF-8


class Span(NamedTuple):
    """An interval in seconds with its text."""

    start: float
    end: float
    text: str


def textgrid(predictions: Sequence[Prediction]) -> str:
    """Praat's TextGrid, with a tier of utterances and a tier of the emotion over time.

    Channels that were recognised separately, and speakers, have two tiers each.
    """
    tiers = _tiers(predictions)
    ends = [end for p in predictions for end in (p.start + p.duration, p.file_duration or 0.0)]
    end = max(ends, default=1.0)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [
        "xmin = 0",
        f"xmax = {end:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, spans) in enumerate(tiers.items(), 1):
        filled = _filled(spans, end)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"']
        lines += [f'        name = "{name}"', "        xmin = 0", f"        xmax = {end:.6f}"]
        lines.append(f"        intervals: size = {len(filled)}")
        for i, span in enumerate(filled, 1):
            text = span.text.replace('"', '""')
            lines += [f"        intervals [{i}]:", f"            xmin = {span.start:.6f}"]
            lines += [f"            xmax = {span.end:.6f}", f'            text = "{text}"']
    return "\n".join(lines) + "\n"


def _filled(spans: Sequence[Span], end: float) -> list[Span]:
    """Fill the gaps between spans with empty ones, as Praat requires."""
    filled: list[Span] = []
    at = 0.0
    for span in [*spans, Span(end, end, "")]:
        if span.start > at + 1e-6:
            filled.append(Span(at, span.start, ""))
        if span.end > span.start:
            filled.append(span._replace(start=max(span.start, at)))
        at = max(at, span.end)
    return filled


def elan(predictions: Sequence[Prediction], folder: Path | None = None) -> str:
    """ELAN's EAF, with the same tiers as `textgrid`.

    Args:
        predictions: Predictions of one recording.
        folder: Folder of the EAF, for the path of the recording; without it the EAF has only the
            name of the recording, for which ELAN looks in the folder of the EAF.
    """
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        AUTHOR="affekt",
        FORMAT="3.0",
        VERSION="3.0",
        DATE=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    root.set(
        "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation",
        "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
    )  # fmt: skip
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if predictions:
        media = _media(predictions[0].file, folder)
        ET.SubElement(header, "MEDIA_DESCRIPTOR", media, MIME_TYPE="audio/*")
    order = ET.SubElement(root, "TIME_ORDER")
    number = 0
    for name, spans in _tiers(predictions).items():
        tier = ET.SubElement(root, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF="default-lt")
        for span in spans:
            ids = []
            for seconds in span[:2]:
                number += 1
                ids.append(f"ts{number}")
                value = str(round(seconds * 1000))
                ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=ids[-1], TIME_VALUE=value)
            annotation = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION")
            annotation.set("ANNOTATION_ID", f"a{number // 2}")
            annotation.set("TIME_SLOT_REF1", ids[0])
            annotation.set("TIME_SLOT_REF2", ids[1])
            text = printable(span.text, "?")  # XML cannot hold control characters
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = text
    ET.SubElement(
        root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="default-lt", TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
    )  # fmt: skip
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _media(file: str, folder: Path | None) -> dict[str, str]:
    """Addresses of a recording: of the file itself, and relative to the EAF.

    Args:
        file: The recording.
        folder: As of `elan`.
    """
    if folder is None:
        address = "./" + quote(PureWindowsPath(file).name, errors="replace")
        return {"MEDIA_URL": address, "RELATIVE_MEDIA_URL": address}
    path = Path(file)
    if not path.exists():
        path = Path(ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), file))
    relative = Path(os.path.relpath(path.absolute(), folder)).as_posix()
    address = quote(os.fsencode(relative if relative.startswith("../") else f"./{relative}"))
    return {"MEDIA_URL": path.absolute().as_uri(), "RELATIVE_MEDIA_URL": address}


def _tiers(predictions: Sequence[Prediction]) -> dict[str, list[Span]]:
    """Name and spans of each tier: two for each separate channel and speaker, in their order."""
    tiers = {}
    for of, own in by_party(predictions).items():
        tiers["utterances" + of] = utterances(own)
        tiers["over time" + of] = _over_time(own)
    return tiers


def by_party(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    """Utterances of each channel and speaker, by " of SPEAKER, channel N"; "" of no names."""
    parties: dict[tuple[int, str], list[Prediction]] = {}
    for one in [part for p in predictions for part in p.utterances or [p]]:
        parties.setdefault((one.channel, one.speaker), []).append(one)
    named: dict[str, list[Prediction]] = {}
    for (channel, speaker), own in sorted(parties.items(), key=lambda item: item[0][0]):
        who = [speaker] * bool(speaker) + [f"channel {channel}"] * bool(channel)
        named[f" of {', '.join(who)}" if who else ""] = own
    return named or {"": []}


def spoken(predictions: Iterable[Prediction]) -> list[Prediction]:
    """The utterances of predictions, without those of recordings in which nobody speaks."""
    parts = (part for p in predictions for part in p.utterances or [p])
    return [part for part in parts if part.segments]


def utterances(predictions: Iterable[Prediction]) -> list[Span]:
    """Time and label of each utterance."""
    return [Span(p.start, p.start + p.duration, p.label) for p in spoken(predictions)]


def _over_time(predictions: Iterable[Prediction]) -> list[Span]:
    """Runs of segments with the same label; each point in time belongs to the nearest segment."""
    spans: list[Span] = []
    for p in spoken(predictions):
        edges = p.edges()
        at = 0
        for label, group in groupby(p.segments, lambda segment: segment.label):
            first, at = at, at + len(list(group))
            spans.append(Span(edges[first], edges[at], label))
    return spans
