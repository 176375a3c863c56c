"""What the tests of the page do on it."""

import base64
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from helpers import ROOT, waited

FIREFOX = os.environ.get("AFFEKT_BROWSER") == "firefox"
DOWNLOADS = Path(tempfile.gettempdir()) / f"affekt-downloads-{os.getpid()}"  # of Firefox
DEMO = ROOT / "demo"
RESULT = re.compile(r"^(uncertain|(\d+ utterances: )?\w+ \d+\s%)")  # in the list


def choose(page: Any, *paths: str | Path) -> None:
    """Add recordings, by name of a demo recording or by path, and wait for the first result."""
    page.set_input_files("#choose", [DEMO / path for path in paths])
    lanes(page).first.wait_for()
    page.locator("#time:not(:has-text('/ 0.00'))").wait_for()


def lanes(page: Any) -> Any:
    """The lanes of predictions."""
    return page.locator("#lanes canvas[role=img]")


def rows(page: Any) -> Any:
    """The rows of the table that are in the document."""
    return page.locator("#rows .row")


def drop(page: Any, name: str, data: bytes) -> None:
    """Drop a file on the page."""
    give = """([name, data]) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        const dropped = new DataTransfer();
        dropped.items.add(new File([bytes], name));
        return dropped;
    }"""
    transfer = page.evaluate_handle(give, [name, base64.b64encode(data).decode()])
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def seek(page: Any, share: float) -> str:
    """Click on the waveform; the text of the slider."""
    box = page.locator("#axis").bounding_box()
    page.locator("#wave").click(position={"x": share * box["width"], "y": 30})
    return str(page.locator("#axis").get_attribute("aria-valuetext"))


def settle(page: Any) -> None:
    """Wait until the page has drawn what was done last: views draw at the next frame."""
    page.evaluate("() => new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")


def painted(page: Any, selector: str) -> int:
    """Number of colours in a canvas."""
    settle(page)
    count = """(canvas) => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return int(page.locator(selector).first.evaluate(count))


def export(page: Any) -> Path:
    """Export the labels; the path of the ZIP archive."""
    if FIREFOX:
        before = {*DOWNLOADS.glob("corrections*.zip")}
        page.click("#export")
        waited(lambda: {*DOWNLOADS.glob("corrections*.zip")} - before)
        waited(lambda: not [*DOWNLOADS.glob("*.part")])
        [path] = {*DOWNLOADS.glob("corrections*.zip")} - before
        return path
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "corrections.zip"
    return Path(download.value.path())
