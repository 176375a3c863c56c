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
    return downloaded(page, page.locator("#export"), "corrections", ".zip")


def downloaded(page: Any, link: Any, stem: str, suffix: str) -> Path:
    """Click on a link or button; the path of the file that is saved."""
    if not FIREFOX:
        with page.expect_download() as download:
            link.click()
        assert download.value.suggested_filename == stem + suffix
        return Path(download.value.path())

    def files() -> set[Path]:
        return {path for path in DOWNLOADS.glob(f"{stem}*{suffix}") if path.stat().st_size}

    before = files()
    link.click()
    waited(lambda: files() - before and not [*DOWNLOADS.glob("*.part")])
    [path] = files() - before
    return path
