"""Results as they come, and how a recording is recognised. The test is the worker of the server."""

import re

import numpy as np
import pytest
import soundfile
from helpers import serving
from page_steps import DEMO, lanes, painted, rows, seek

import affekt
from affekt.audio.decoding import read
from affekt.server import worker
from affekt.server.queue import JobQueue
from affekt.server.store import JobStore

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
expect = playwright.expect


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(state_folder):
    """A server without threads that recognise jobs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "LANES", ())
        with serving(state_folder) as address:
            yield address + "/"


@pytest.fixture
def queue(server, state_folder):
    queue = JobQueue(JobStore(state_folder, max_jobs=64, keep_seconds=3600))
    yield queue
    queue.store.delete(*queue.store.find())


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """A recording of some utterances, and their predictions."""
    pause = np.zeros(2 * 16_000, np.float32)
    parts = [x for name in ("lively", "flat", "lively") for x in (demo(name), pause, pause)]
    path = tmp_path_factory.mktemp("call") / "call.flac"
    soundfile.write(path, np.concatenate([*parts, *parts]), 16_000)
    predictions = list(affekt.load().utterances(path))
    assert len(predictions) > 4
    return path, predictions


def demo(name):
    return read(DEMO / f"{name}.flac").wave


def submitted(page, queue, path):
    """Add a recording; its job, which this test works on."""
    page.set_input_files("#choose", path)
    expect(page.locator("#summaries .result")).to_have_text("queued")
    return queue.claim()


def add(queue, job, predictions, first=0, of=10):
    """Store predictions as a worker does."""
    for number, prediction in enumerate(predictions, first):
        assert queue.add_result(job, number, prediction)
        queue.heartbeat(job, (number + 1) / of)


def result(page):
    return page.locator("#summaries .result")


def test_utterances_are_shown_while_the_job_runs(visit, queue, call):
    path, predictions = call
    page = visit()
    job = submitted(page, queue, path)
    expect(lanes(page)).to_have_count(0)
    add(queue, job, predictions[:2])
    expect(result(page)).to_have_text(re.compile(r"^running, 20 %\. So far: 2 utterances: \w+ \d"))
    expect(page.locator("#files .state")).to_contain_text("So far: 2 utterances")
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#progress")).to_have_text("0 of 2")
    before = painted(page, "#lanes canvas[role=img]")
    assert before > 5
    assert seek(page, 0.95).endswith("Not recognised.")  # not "no speech"
    page.locator("#table").focus()
    page.keyboard.press("3")  # a label is possible meanwhile, and stays
    page.keyboard.press("Escape")
    add(queue, job, predictions[2:], first=2)
    expect(result(page)).to_contain_text(f"So far: {len(predictions)} utterances")
    expect(rows(page)).to_have_count(len(predictions))
    expect(rows(page).first.locator(".own")).to_have_text("fear")
    expect(page.locator("#downloads a")).to_have_count(0)
    queue.complete(job, [])
    expect(result(page)).to_have_text(re.compile(rf"^{len(predictions)} utterances: "))
    expect(page.locator("#downloads a")).to_have_count(3)
    expect(page.locator("#progress")).to_have_text(f"1 of {len(predictions)}")


def test_new_results_move_neither_window_nor_table(visit, queue, call):
    path, predictions = call
    page = visit(viewport={"width": 1280, "height": 620})
    job = submitted(page, queue, path)
    add(queue, job, predictions[:-1])
    expect(rows(page)).to_have_count(len(predictions) - 1)
    strip = page.locator("#overview").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] - 4, strip["y"] + 10)
    table = page.locator("#table")
    table.evaluate("(node) => { node.scrollTop = 60; }")
    window = page.locator("#overview-window").bounding_box()
    add(queue, job, predictions[-1:], first=len(predictions) - 1)
    expect(table).to_have_attribute("aria-rowcount", str(len(predictions) + 1))
    assert page.locator("#overview-window").bounding_box() == window
    assert table.evaluate("(node) => node.scrollTop") == 60


def test_a_running_job_goes_on_after_a_reload(visit, queue, call):
    path, predictions = call
    page = visit()
    posts = []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    job = submitted(page, queue, path)
    add(queue, job, predictions[:2])
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#saved")).to_have_text("saved")
    page.reload()
    expect(rows(page)).to_have_count(2)
    add(queue, job, predictions[2:], first=2)
    queue.complete(job, [])
    expect(result(page)).to_have_text(re.compile(rf"^{len(predictions)} utterances: "))
    expect(rows(page)).to_have_count(len(predictions))
    assert len(posts) == 1


def test_a_failed_job_leaves_its_utterances_and_can_be_tried_again(visit, queue, call):
    path, predictions = call
    page = visit()
    job = submitted(page, queue, path)
    add(queue, job, predictions[:2])
    expect(rows(page)).to_have_count(2)
    queue.fail(job, "call.flac: damaged after 12 s")
    expect(result(page)).to_contain_text("failed. So far: 2 utterances")
    expect(page.locator("#files .error")).to_contain_text("damaged after 12 s")
    expect(rows(page)).to_have_count(2)
    page.reload()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Try again").click()
    expect(result(page)).to_have_text("queued")
    again = queue.claim()
    assert again.id != job.id
    add(queue, again, predictions)
    queue.complete(again, [])
    expect(rows(page)).to_have_count(len(predictions))
    expect(page.locator("#files .error")).to_be_empty()


def test_a_job_that_is_deleted_on_the_server_leaves_its_utterances(visit, queue, call):
    path, predictions = call
    page = visit(refused=True)
    job = submitted(page, queue, path)
    add(queue, job, predictions[:2])
    expect(rows(page)).to_have_count(2)
    queue.store.delete(job)
    expect(page.locator("#files .error")).to_contain_text("The job was deleted on the server.")
    expect(rows(page)).to_have_count(2)
    assert queue.claim() is None  # it is not submitted again by itself


def test_a_job_of_an_earlier_visit_that_the_server_lost_is_submitted_again(visit, queue, call):
    path, predictions = call
    page = visit(refused=True)
    job = submitted(page, queue, path)
    add(queue, job, predictions[:2])
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#saved")).to_have_text("saved")
    page.goto("about:blank")
    queue.store.delete(job)
    page.go_back()
    expect(result(page)).to_have_text("queued")
    again = queue.claim()
    add(queue, again, predictions)
    queue.complete(again, [])
    expect(rows(page)).to_have_count(len(predictions))
