"""Speakers and channels: chosen for each recording, with lanes and exports of their own."""

import csv
import zipfile

import numpy as np
import pytest
import soundfile
from page_steps import DEMO, choose, export, lanes, rows

from affekt.audio.decoding import read

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
expect = playwright.expect


def demo(name):
    return read(DEMO / f"{name}.flac").wave


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """A call with one party on each channel, who speak in turn."""
    lively, flat = demo("lively"), demo("flat")
    left = np.concatenate([lively, np.zeros_like(flat)])
    right = np.concatenate([np.zeros_like(lively), flat])
    path = tmp_path_factory.mktemp("call") / "call.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 16_000)
    return path


def names(page):
    return page.locator("#lanes span")


def test_each_channel_is_recognised_by_itself_on_request(visit, call, tmp_path):
    page = visit()
    choose(page, call)
    expect(names(page)).to_have_text(["default"])
    page.get_by_label("Channels").select_option("each by itself")
    expect(names(page)).to_have_text(["default: channel 1", "default: channel 2"])
    page.locator("#table").focus()
    page.keyboard.press("ArrowRight")  # unfolds
    page.locator("#rows .row", has_text="channel 2").first.click()
    page.keyboard.press("3")
    archive = export(page)
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    with (tmp_path / "corrections" / "manifest.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert (row["label"], row["speaker"]) == ("fear", "call channel 2")
    clip = read(tmp_path / "corrections" / row["path"]).wave
    begin = round(float(row["source_start"]) * 16_000)
    right = soundfile.read(call, dtype="float32")[0][:, 1]
    assert np.abs(clip - right[begin : begin + len(clip)]).max() < 1e-3  # the mean has half of it


def test_a_recording_of_one_channel_has_no_choice_of_channels(visit, call):
    page = visit()
    choose(page, "lively.flac")
    expect(page.locator("#channels")).to_be_hidden()
    expect(page.locator("#speakers")).to_be_visible()
    page.set_input_files("#choose", call)
    expect(page.locator("#channels")).to_be_visible()


def test_speakers_and_channels_are_remembered_for_each_file(visit, call):
    page = visit()
    queries = []
    page.on("request", lambda request: request.method == "POST" and queries.append(request.url))
    choose(page, call, "lively.flac")
    page.select_option("#channels", "split")
    expect(lanes(page)).to_have_count(2)
    page.select_option("#speakers", "2")
    expect(names(page).first).to_have_text("default: channel 1, speaker 1")
    assert "speakers=2&channels=split" in queries[-1]
    page.locator("#files .open").nth(1).click()
    expect(page.locator("#speakers")).to_have_value("1")
    expect(names(page)).to_have_text(["default"])
    expect(page.locator("#saved")).to_have_text("saved")
    page.reload()
    expect(names(page)).to_have_text(["default"])
    page.locator("#files .open").first.click()
    expect(page.locator("#speakers")).to_have_value("2")
    expect(page.locator("#channels")).to_have_value("split")
    expect(names(page).first).to_have_text("default: channel 1, speaker 1")
    assert rows(page).count() > 0
