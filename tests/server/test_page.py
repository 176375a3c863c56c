"""The page of ``affekt serve`` in headless Chromium.

Nothing may be written to the console, and no request may go to another host.
"""

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import ROOT

import affekt
from affekt.audio.decoding import read
from affekt.corpora.registry import load_corpus

pytest.importorskip("fastapi", reason="the server needs the extra serve")
pytest.importorskip("playwright", reason="the page is tested with playwright")
from playwright.sync_api import Browser, Page, expect, sync_playwright

DEMO = ROOT / "demo"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")
REFUSED = "Failed to load resource"  # how Chromium logs any answer of 4xx
LIVE = re.compile(r"^[2-9]\.\d s: (uncertain|\w+ \d+\s%)$")  # not "listening"
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    microphone = tmp_path_factory.mktemp("microphone") / "lively.wav"
    soundfile.write(microphone, read(DEMO / "lively.flac").wave, 16_000)
    arguments = [
        "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: str):
    """Opens the page; afterwards all consoles must be empty."""
    contexts, messages, requests = [], [], []

    def go(*, refused=False, prepare=None, **options) -> Page:
        size = {"width": 1200, "height": 900}
        context = browser.new_context(**{"viewport": size, "permissions": ["microphone"]} | options)
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


def choose(page: Page, *names: str) -> None:
    page.set_input_files("#choose", [DEMO / name for name in names])
    expect(lanes(page)).to_have_count(1)
    expect(page.locator("#time")).not_to_contain_text("/ 0.00")


def lanes(page: Page):
    return page.locator("#lanes canvas[role=img]")


def drop(page: Page, name: str, data: bytes) -> None:
    give = """([name, data]) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        const dropped = new DataTransfer();
        dropped.items.add(new File([bytes], name));
        return dropped;
    }"""
    transfer = page.evaluate_handle(give, [name, base64.b64encode(data).decode()])
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def seek(page: Page, share: float) -> str:
    """Click on the waveform; the text of the slider."""
    box = page.locator("#axis").bounding_box()
    page.locator("#axis").click(position={"x": share * box["width"], "y": 30})
    return page.locator("#axis").get_attribute("aria-valuetext")


def labelled(page: Page, row: int, label: str) -> None:
    select = page.locator("#parts select").nth(row)
    select.focus()
    select.select_option(label)


def test_drop_shows_the_result_with_model_and_license(visit):
    page = visit()
    drop(page, "mixed.flac", (DEMO / "mixed.flac").read_bytes())
    expect(page.locator("#files .state")).to_have_text(re.compile(r"^\w+, \d+\s%$"))
    expect(page.locator("#summaries")).to_contain_text("Model default. License: research")
    expect(page.locator(".limits")).to_contain_text(
        "must not be used to make decisions about people"
    )
    expect(lanes(page)).to_have_count(1)
    assert painted(page, "#lanes canvas[role=img]") > 5  # bands
    assert page.locator("#wave canvas").count() > 0  # in the shadow root of wavesurfer.js
    with page.expect_download() as download:
        page.get_by_role("link", name="TextGrid").click()
    assert "ooTextFile" in Path(download.value.path()).read_text(encoding="utf-8")


def painted(page: Page, selector: str) -> int:
    """Colours in a canvas."""
    count = """(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return page.locator(selector).first.evaluate(count)


def test_cursor_shows_probabilities(visit):
    page = visit()
    choose(page, "mixed.flac")
    early, first = seek(page, 0.2), page.locator("#now").inner_text()
    late, second = seek(page, 0.8), page.locator("#now").inner_text()
    assert re.match(r"1\.6\d s\. \w+ \d+\s%", early)
    assert re.match(r"6\.4\d s\. \w+ \d+\s%", late)
    assert first != second
    assert page.locator("#now .first").count() == 1


def test_click_on_a_band_plays_the_part_and_returns(visit):
    page = visit()
    choose(page, "mixed.flac")
    place = page.locator("#axis").bounding_box()["width"] * 5.3 / 8.06
    lanes(page).click(position={"x": place, "y": 60})
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#play")).to_have_text("Play")
    start = float(page.locator("#axis").get_attribute("aria-valuenow"))
    starts = page.locator("#parts .part").all_inner_texts()
    assert any(text.startswith(f"▶ {start:.2f} ") for text in starts)


def test_corrections_survive_and_export_as_a_manifest(visit, tmp_path):
    page = visit()
    choose(page, "lively.flac", "mixed.flac")
    labelled(page, 0, "fear")
    page.locator("#speaker").fill('Ann, "the" voice')
    page.locator("#files .open").nth(1).click()
    expect(page.locator("#name")).to_have_text("mixed.flac")
    expect(page.locator("#speaker")).to_have_value("mixed")
    expect(lanes(page)).to_have_count(1)
    labelled(page, 1, "sadness")
    labelled(page, 2, "happiness")
    expect(page.locator("#export")).to_have_text("Export corrections (3)")
    page.locator("#files .open").nth(0).click()
    expect(page.locator("#parts select").nth(0)).to_have_value("fear")
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "corrections.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    corpus = load_corpus(str(tmp_path / "corrections" / "manifest.csv"))
    assert [(e.label, e.speaker) for e in corpus.examples] == [
        ("fear", 'Ann, "the" voice'),
        ("sadness", "mixed"),
        ("happiness", "mixed"),
    ]
    lively = read(DEMO / "lively.flac").wave
    cut = read(corpus.examples[0].path).wave
    [utterance] = affekt.load().utterances(DEMO / "lively.flac")
    begin, end = (
        round(t * 16_000) for t in (utterance.start, utterance.start + utterance.duration)
    )
    assert len(cut) == end - begin
    assert np.abs(cut - lively[begin:end]).max() < 1e-3
    page.locator("#files .open").nth(1).click()
    expect(page.locator("#name")).to_have_text("mixed.flac")
    labelled(page, 0, "neutral")  # replaces the labels of the parts within it
    expect(page.locator("#export")).to_have_text("Export corrections (2)")


def test_voices_are_told_apart_on_request_and_named_in_the_export(visit):
    page = visit()
    choose(page, "lively.flac")
    expect(page.locator("#parts tr")).not_to_have_count(0)
    expect(page.locator("#parts")).not_to_contain_text("speaker")
    page.select_option("#speakers", "auto")
    expect(page.locator("#parts tr").first).to_contain_text("speaker 1")
    labelled(page, 0, "fear")
    with page.expect_download() as download:
        page.click("#export")
    with zipfile.ZipFile(download.value.path()) as archive:
        manifest = archive.read("corrections/manifest.csv").decode()
    assert ",fear,lively speaker 1," in manifest
    page.select_option("#speakers", "1")
    expect(page.locator("#parts")).not_to_contain_text("speaker")


def test_recording_shows_live_results(visit):
    page = visit()
    page.click("#record")
    result, problem = page.locator("#live-text"), page.locator("#record-problem")
    expect(result.filter(has_text=LIVE).or_(problem.filter(has_text="."))).to_be_visible()
    expect(problem).to_be_empty()
    assert painted(page, "#live-bands") > 1
    page.click("#record")
    expect(page.locator("#files .name")).to_have_text(re.compile(r"^recording-[-\dT]+\.wav$"))
    expect(page.locator("#summaries .result")).to_have_text(
        re.compile(r"^(\w+, \d+\s%|uncertain)$")
    )
    expect(page.locator("#record-problem")).to_be_empty()
    assert float(page.locator("#axis").get_attribute("aria-valuemax")) > 2


def test_recording_before_the_models_are_known_uses_the_default(visit):
    waiting = []
    page = visit(
        prepare=lambda page: page.route("**/v1/models", lambda route: waiting.append(route))
    )
    page.click("#record")
    result, problem = page.locator("#live-text"), page.locator("#record-problem")
    expect(result.filter(has_text=LIVE).or_(problem.filter(has_text="."))).to_be_visible()
    expect(problem).to_be_empty()
    waiting[0].continue_()
    page.click("#record")
    expect(page.locator("#summaries .result")).to_have_count(1)


def test_recording_continues_without_the_live_stream(visit):
    def refuse(page: Page) -> None:
        page.route_web_socket(
            "**/v1/stream?*", lambda stream: stream.close(code=1013, reason="busy")
        )

    page = visit(prepare=refuse)
    page.click("#record")
    expect(page.locator("#record-problem")).to_have_text(
        "No live result: busy. Recording continues."
    )
    expect(page.locator("#live-text")).to_have_text(re.compile(r"^[1-9]\.\d s: recording$"))
    page.click("#record")
    expect(page.locator("#summaries .result")).to_have_count(1)


def test_a_missing_microphone_is_reported(visit):
    deny = "navigator.mediaDevices.getUserMedia = async () => { throw new Error('denied'); }"
    page = visit(prepare=lambda page: page.add_init_script(deny))
    page.click("#record")
    expect(page.locator("#record-problem")).to_have_text("No microphone: denied.")
    choose(page, "flat.flac")


def test_an_error_is_shown_at_its_file(visit):
    page = visit(refused=True)
    name = "<img src=x onerror=alert(1)>.wav"
    page.on("dialog", lambda dialog: pytest.fail("the name was run"))
    drop(page, name, b"no sound at all\n" * 50)
    alert = page.locator("#files li").first.get_by_role("alert")
    expect(alert).to_contain_text("not a recording")
    expect(page.locator("#files .name").first).to_have_text(name)
    expect(page.locator("#silent-note")).to_be_visible()
    assert page.locator("#files img").count() == 0
    drop(page, "lively.flac", (DEMO / "lively.flac").read_bytes())
    expect(page.locator("#files .state").nth(1)).to_contain_text("%")
    expect(page.locator("#silent-note")).to_be_hidden()


def test_two_models_on_one_axis(visit):
    page = visit()
    choose(page, "mixed.flac")
    page.select_option("#compare", "open")
    expect(lanes(page)).to_have_count(2)
    expect(page.locator("#summaries .result")).to_have_count(2)
    expect(page.locator("#now h4")).to_have_text(["default", "open"])
    expect(page.locator("#head th")).to_have_text(["Time (s)", "Recognised", "open", "Your label"])
    boxes = [lane.bounding_box() for lane in lanes(page).all()]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["width"] == boxes[1]["width"]
    assert "; open: " in seek(page, 0.5)
    assert unnamed(page) == []
    page.select_option("#compare", "")
    expect(lanes(page)).to_have_count(1)


def unnamed(page: Page) -> list[str]:
    """Controls without a name for screen readers."""
    controls = "button, select, input, [role=slider], [role=img]"
    search = """(controls) => [...document.querySelectorAll(controls)]
        .filter((n) => !n.getAttribute("aria-label") && !n.labels?.length && !n.textContent.trim())
        .map((n) => n.outerHTML)"""
    return page.evaluate(search, controls)


def test_long_recording_shows_utterances_and_pauses(visit, tmp_path):
    speech = [read(DEMO / f"{name}.flac").wave for name in ("lively", "mixed", "flat")]
    pause = np.zeros(8 * 16_000, np.float32)
    wave = np.concatenate([speech[0], pause, speech[1], pause, speech[2], pause])
    soundfile.write(tmp_path / "long.flac", wave, 16_000)
    page = visit()
    choose(page, str(tmp_path / "long.flac"))
    expect(page.locator("#summaries .result")).to_contain_text("utterances, mostly ")
    assert page.locator("#parts .whole").count() > 1
    assert seek(page, 0.2).endswith("No speech here.")
    expect(page.locator("#now")).to_contain_text("No speech here.")
    page.click("#zoom-in")
    page.locator("#axis").focus()
    page.keyboard.press("End")
    assert page.locator("#scroll").evaluate("box => box.scrollLeft") > 0


def test_keyboard_alone(visit):
    page = visit()
    choose(page, "flat.flac", "mixed.flac")
    tab_to(page, ".open")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("mixed.flac")
    expect(page.locator("#time")).to_contain_text("/ 8.06")
    expect(page.locator("#parts tr")).not_to_have_count(0)
    tab_to(page, "#axis")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#axis")).to_have_attribute("aria-valuenow", "0.24")
    tab_to(page, ".part")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("3")
    expect(page.locator("#parts select").nth(1)).to_have_value("fear")
    expect(page.locator("#status")).to_contain_text("fear")
    page.keyboard.press("0")
    expect(page.locator("#export")).to_be_disabled()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Pause")
    page.keyboard.press("Escape")
    expect(page.locator("#play")).to_have_text("Play")
    tab_to(page, ".open")
    page.keyboard.press("Delete")
    expect(page.locator("#files .name")).to_have_text(["flat.flac"])
    expect(page.locator("#view")).to_be_hidden()


def tab_to(page: Page, selector: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"no way to {selector} by Tab")


def test_chinese_browser(visit):
    page = visit(locale="zh-CN", refused=True)
    choose(page, "mixed.flac")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("#record")).to_have_text("录音")
    expect(page.locator("#summaries .result")).to_have_text(re.compile("^(愤怒|高兴|中性|悲伤), "))
    english = re.compile(r"[A-Za-z]{3,}")
    own = page.locator("[data-word]").all_inner_texts()
    assert len(own) > 15
    assert [text for text in own if english.search(text.replace("Delete", ""))] == []
    drop(page, "a.wav", b"no sound at all\n" * 50)
    expect(page.locator("#files .error").last).to_contain_text("不是录音，或录音已损坏（")


def test_dark_mode(visit):
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(color_scheme=scheme).evaluate(ground) for scheme in ("light", "dark"))
    assert sum(map(int, re.findall(r"\d+", light))) > 600
    assert sum(map(int, re.findall(r"\d+", dark))) < 200


def test_fits_a_phone(visit):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, locale="en-GB")
    choose(page, "mixed.flac")
    page.select_option("#compare", "open")
    expect(lanes(page)).to_have_count(2)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_token_is_requested_and_stored(visit):
    def guarded(page: Page) -> None:
        def answer(route):
            if route.request.headers.get("authorization") == "Bearer opensesame":
                return route.continue_()
            return route.fulfill(status=401, json={"detail": "a token is needed"})

        page.route("**/v1/**", answer)

    page = visit(refused=True, prepare=guarded)
    expect(page.locator("#problem")).to_have_text("a token is needed")
    page.get_by_label("Access token").fill("opensesame")
    page.keyboard.press("Enter")
    expect(page.locator("#token")).to_be_hidden()
    choose(page, "flat.flac")
    page.reload()
    expect(page.locator("#model option")).not_to_have_count(0)


def test_busy_server_is_retried(visit):
    answers = iter([429])

    def busy(page: Page) -> None:
        def answer(route):
            if (status := next(answers, None)) is None:
                return route.continue_()
            return route.fulfill(
                status=status, headers={"Retry-After": "1"}, json={"detail": "too many"}
            )

        page.route("**/v1/jobs?*", answer)

    page = visit(refused=True, prepare=busy)
    choose(page, "flat.flac")
    expect(page.locator("#files .error")).to_be_empty()
    assert next(answers, None) is None  # the first request was refused
