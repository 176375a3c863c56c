"""``affekt serve`` and headless Chromium for the tests of the page; $AFFEKT_BROWSER=firefox for it.

Nothing may be written to the console, and no request may go to another host.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import soundfile
from page_steps import DEMO, DOWNLOADS

from affekt.audio.decoding import read

FIREFOX = os.environ.get("AFFEKT_BROWSER") == "firefox"
NAMES = ("firefox-esr", "firefox") if FIREFOX else ("chromium", "chromium-browser")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "browser.download.folderList": 2,  # this driver reports no downloads: into a folder
    "browser.download.dir": str(DOWNLOADS),
}
REFUSED = "Failed to load resource"  # how Chromium logs any answer of 4xx


def pytest_collection_modifyitems(items):
    """Skip the tests of the page where there is no browser."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and not BROWSER:
            item.add_marker(pytest.mark.skip(reason=f"no {NAMES[0]} on this machine"))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, "-m", "affekt", "serve", "--port", str(port), "--state", str(state)]
    environment = {k: v for k, v in os.environ.items() if k != "AFFEKT_TOKEN"}
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(address + "readyz", process, state / "log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address, process, log):
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(address)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"not ready: {log.read_text()}")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    pytest.importorskip("fastapi", reason="the server needs the extra serve")
    playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
    playwright.expect.set_options(timeout=20_000)
    microphone = tmp_path_factory.mktemp("microphone") / "lively.wav"
    pause = np.zeros(3 * 16_000, np.float32)
    soundfile.write(microphone, np.concatenate([read(DEMO / "lively.flac").wave, pause]), 16_000)
    arguments = [
        "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]  # fmt: skip
    with playwright.sync_playwright() as driver:
        if FIREFOX:  # a stock Firefox, by WebDriver BiDi
            browser = driver.firefox.launch(
                executable_path=BROWSER, channel="moz-firefox", firefox_user_prefs=PREFERENCES
            )
        else:
            browser = driver.chromium.launch(executable_path=BROWSER, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def audio(browser):
    """Skips where the browser starts no audio: Firefox without a device to play it."""
    if not FIREFOX:
        return
    page = browser.new_page()
    starts = page.evaluate("""() => new Promise((found) => {
        new AudioContext().resume().then(() => found(true));
        setTimeout(() => found(false), 3000);
    })""")
    page.close()
    if not starts:
        pytest.skip("this browser starts no audio here")


@pytest.fixture
def visit(browser, server):
    """Opens the page; afterwards all consoles must be empty."""
    contexts, messages, requests = [], [], []

    def go(*, refused=False, prepare=None, **options):
        size = {"width": 1280, "height": 800}
        allowed = [] if FIREFOX else ["microphone"]  # Firefox knows no such permission
        context = browser.new_context(**{"viewport": size, "permissions": allowed} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("console", lambda m: (refused and REFUSED in m.text) or messages.append(m.text))
        page.on("request", lambda request: requests.append(request.url))
        if prepare:
            prepare(page)
        page.goto(server)
        return page

    yield go
    for context in contexts:
        context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith((server, "blob:", "data:"))] == []
