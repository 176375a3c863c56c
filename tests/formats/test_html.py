"""HTML of a prediction: escaped, complete, and drawn to scale."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from helpers import spoken

from affekt.inference.pipeline import combine

HOSTILE = '<img src=x onerror="alert(1)">&'


def parsed(prediction):
    """The HTML read as XML: what is not well formed fails."""
    return ET.fromstring(prediction._repr_html_().replace("<br>", "<br/>"))


def test_all_text_is_escaped():
    prediction = replace(
        spoken(0.0, HOSTILE, [HOSTILE, "neutral"]),
        file=HOSTILE, model=HOSTILE, warnings=[HOSTILE],
    )  # fmt: skip
    root = parsed(prediction)
    assert not list(root.iter("img"))
    assert "".join(root.itertext()).count(HOSTILE) == 6  # label twice, band, file, model, warning


def test_bars_and_bands_are_to_scale():
    root = parsed(spoken(2.0, "anger", ["neutral", "anger"]))
    bars = [span.get("style") for span in root.iter("span")]
    assert [float(re.search(r"width:([\d.]+)%", bar)[1]) for bar in bars] == [70, 10]
    neutral, anger, attention = (path.get("d") for path in root.iter("path"))
    assert neutral.startswith("M0.0,72.0")  # 0.1 of 80 pixels, from below
    assert anger.startswith("M0.0,16.0")  # 0.7 above it
    assert attention.startswith("M0.0,84.0")
    assert "600.0," in anger


def test_utterances_are_drawn_where_they_are_and_nothing_between_them():
    first = spoken(0.0, "anger", ["neutral", "anger"])
    last = replace(first.moved(8.08), file_duration=10.0)
    long = combine([replace(p, vad="level") for p in (first, last)])
    bands = [p.get("d") for p in parsed(long).iter("path") if p.get("fill") != "#666666"]
    ends = [[float(x) for x in re.findall(r"([\d.]+),", band)] for band in bands]
    assert [(min(x), max(x)) for x in ends] == [(0.0, 115.2)] * 2 + [(484.8, 600.0)] * 2
    assert "2 utterances" in long.plot()._suptitle.get_text()


def test_a_rejected_recording_is_faded_and_gives_the_reason():
    html = spoken(0.0, "anger", ["anger", "neutral"], "not speech")._repr_html_()
    assert "uncertain" in html
    assert "not speech" in html
    assert 'opacity="0.4"' in html
    silent = replace(spoken(0.0, "anger", ["anger", "neutral"], "nobody speaks"), segments=[])
    assert "<svg" not in silent._repr_html_()
    with pytest.raises(ValueError, match="nobody speaks"):
        silent.plot()
