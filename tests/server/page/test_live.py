"""The live view, with a recording as the microphone."""

import re
from contextlib import ExitStack

import pytest
from page_steps import RESULT, lanes, painted
from websockets.sync.client import connect

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
Page, expect = playwright.Page, playwright.expect
LIVE = re.compile(r"^[1-9]\d?\.\d s: (uncertain|\w+ \d+\s%)$")  # not "listening"


def record(page: Page) -> None:
    page.click("#live-open")
    page.click("#record")


def expect_results(page: Page) -> None:
    result, problem = page.locator("#live-text"), page.locator("#record-problem")
    expect(result.filter(has_text=LIVE).or_(problem.filter(has_text="."))).to_be_visible()
    expect(problem).to_be_empty()


def test_level_waveform_emotions_and_utterances(visit, audio):
    page = visit()
    record(page)
    expect_results(page)
    assert painted(page, "#live-bands") > 1
    assert painted(page, "#live-wave") > 1
    expect(page.locator("#live-now .first")).to_have_count(1)
    page.wait_for_function("() => document.getElementById('level').value > -50")
    expect(page.locator("#live-utterances li").first).to_have_text(
        re.compile(r"^\d+\.\d – \d+\.\d +(uncertain|\w+ \d+\s%)")
    )
    page.click("#record")
    expect(page.locator("#files .name")).to_have_text(re.compile(r"^recording-[-\dT]+\.wav$"))
    expect(page.locator("#files .state")).to_have_text(RESULT)
    expect(lanes(page)).to_have_count(1)
    expect(page.locator("#record-problem")).to_be_empty()
    assert float(page.locator("#axis").get_attribute("aria-valuemax")) > 2


def test_recording_before_the_models_are_known_uses_the_default(visit, audio):
    waiting = []
    page = visit(
        prepare=lambda page: page.route("**/v1/models", lambda route: waiting.append(route))
    )
    record(page)
    expect(page.locator("#live-text").filter(has_text=LIVE)).to_be_visible()
    waiting[0].continue_()
    page.click("#record")
    expect(page.locator("#summaries .result")).to_have_count(1)


def test_recording_continues_without_the_live_stream(visit, audio, server):
    page = visit()
    with ExitStack() as streams:
        for _ in range(16):  # as many as the server serves
            streams.enter_context(connect(server.replace("http", "ws") + "v1/stream"))
        record(page)
        expect(page.locator("#record-problem")).to_have_text(
            "No live result: too many streams at the same time; try again. Recording continues."
        )
    expect(page.locator("#live-text")).to_have_text(re.compile(r"^\d+\.\d s: recording$"))
    page.wait_for_timeout(1500)
    page.click("#record")
    expect(page.locator("#summaries .result")).to_have_count(1)


def test_a_browser_that_starts_no_audio_is_reported(visit):
    """As Firefox without a device to play sound: what starts the audio never returns."""
    never = "AudioContext.prototype.resume = () => new Promise(() => {})"
    page = visit(prepare=lambda page: page.add_init_script(never))
    record(page)
    expect(page.locator("#record-problem")).to_contain_text("does not start audio")
    expect(page.locator("#record")).to_have_text("Record")


def test_the_live_view_is_left_and_entered_again(visit):
    page = visit()
    page.click("#live-open")
    expect(page.locator("#live")).to_be_visible()
    page.click("#live-open")
    expect(page.locator("#empty")).to_be_visible()
