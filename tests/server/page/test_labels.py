"""Labels: one key a clip, spans of the user's own, what is stored, exported and imported."""

import csv
import json
import re
import zipfile

import numpy as np
import pytest
import soundfile
from page_steps import DEMO, RESULT, choose, drop, export, lanes, rows, seek, settle

import affekt
from affekt.audio.decoding import read
from affekt.corpora.registry import load_corpus

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
expect = playwright.expect
CLIPS = 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Twelve clips of 1.5 to 1.8 s, cut from a demo recording at different places."""
    wave = read(DEMO / "mixed.flac").wave
    folder = tmp_path_factory.mktemp("clips")
    for number in range(CLIPS):
        start = 2000 * (number % 30)
        cut = wave[start : start + 24_000 + 400 * number]
        soundfile.write(folder / f"clip-{number:02}.flac", cut, 16_000)
    return sorted(folder.iterdir())


def unpacked(archive, folder):
    """Path of the manifest in an export."""
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        file.extractall(folder)
    return folder / "corrections" / "manifest.csv"


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_twelve_clips_take_twelve_keys(visit, clips, tmp_path):
    page = visit()
    page.set_input_files("#choose", clips)
    expect(page.locator("#files .state", has_text=RESULT)).to_have_count(CLIPS, timeout=90_000)
    expect(page.locator("#progress")).to_have_text(f"0 of {CLIPS}")
    labels = page.locator("#classes button[data-value]").evaluate_all(
        "all => all.map((n) => n.dataset.value)"
    )
    pressed = [number % 7 + 1 for number in range(CLIPS)]
    for number in pressed:
        page.keyboard.press(str(number))
    expect(page.locator("#progress")).to_have_text(f"{CLIPS} of {CLIPS}")
    expect(page.locator("#files .tick", has_text="✓")).to_have_count(CLIPS)
    expect(page.locator("#name")).to_have_text(clips[-1].name)
    last = page.locator("#files .open[aria-current=true]")
    expect(last).to_contain_text(clips[-1].name)
    expect(last).to_be_in_viewport()
    corpus = load_corpus(str(unpacked(export(page), tmp_path)))
    assert [(e.label, e.speaker) for e in corpus.examples] == [
        (labels[number - 1], clip.stem) for number, clip in zip(pressed, clips, strict=True)
    ]
    for _ in range(CLIPS):
        page.keyboard.press("z")
    expect(page.locator("#progress")).to_have_text(f"0 of {CLIPS}")
    expect(page.locator("#name")).to_have_text(clips[0].name)


def test_a_label_goes_on_to_the_next_clip_which_plays(visit):
    page = visit()
    choose(page, "lively.flac", "mixed.flac")
    expect(page.locator("#files .state", has_text=RESULT)).to_have_count(2)
    agreed = page.locator("#selected-row .named").first.inner_text().split()[0]
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("mixed.flac")
    expect(page.locator("#play")).to_have_text("Pause")
    page.keyboard.press("Escape")
    page.locator("#files .open").first.click()
    expect(page.locator("#rows .own")).to_have_text([agreed])
    page.locator("#table").focus()
    page.keyboard.press("u")
    page.keyboard.press("x")
    expect(page.locator("#status")).to_have_text("This was the last one.")
    expect(page.locator("#rows .own").first).to_have_text("unusable")
    expect(page.locator("#export")).to_have_text("Export (0)")


def test_a_click_on_a_class_leaves_the_keys_with_the_table(visit):
    page = visit()
    choose(page, "lively.flac", "mixed.flac")
    page.locator("#table").focus()
    page.get_by_role("button", name="sadness").click()
    expect(page.locator("#name")).to_have_text("mixed.flac")
    page.keyboard.press("3")
    expect(page.locator("#rows .own").first).to_have_text("fear")


def test_spans_are_drawn_moved_split_and_merged(visit, tmp_path):
    page = visit()
    choose(page, "mixed.flac")
    box = page.locator("#axis").bounding_box()

    def x(seconds: float) -> float:
        return box["x"] + seconds / 8.064 * box["width"]

    def drag(start: float, end: float) -> None:
        page.mouse.move(x(start), box["y"] + 30)
        page.mouse.down()
        page.mouse.move(x((start + end) / 2), box["y"] + 35)
        page.mouse.move(x(end), box["y"] + 30)
        page.mouse.up()

    def spans() -> list[list[float]]:
        settle(page)
        texts = page.locator("#rows .row.drawn .time").all_inner_texts()
        return [[float(t) for t in re.findall(r"\d+\.\d+", text)] for text in texts]

    drag(1, 2.5)
    assert spans() == [[pytest.approx(1, abs=0.02), pytest.approx(2.5, abs=0.02)]]
    page.keyboard.press("2")
    page.keyboard.press("z")  # the label
    page.keyboard.press("4")
    page.keyboard.press("Escape")
    page.locator("#rows .row.drawn").click()
    page.keyboard.press("Escape")
    drag(2.5, 3.2)
    assert spans() == [[pytest.approx(1, abs=0.02), pytest.approx(3.2, abs=0.02)]]
    seek(page, 2 / 8.064)
    page.keyboard.press("s")
    assert spans() == [
        [pytest.approx(1, abs=0.02), pytest.approx(2, abs=0.02)],
        [pytest.approx(2, abs=0.02), pytest.approx(3.2, abs=0.02)],
    ]
    expect(page.locator("#rows .row.drawn .own")).to_have_text(["happiness", "happiness"])
    page.keyboard.press("m")
    assert spans() == [[pytest.approx(1, abs=0.02), pytest.approx(3.2, abs=0.02)]]
    page.keyboard.press("c")
    page.keyboard.type('=HYPERLINK("x")')
    page.keyboard.press("Enter")
    expect(page.locator("#rows .row.drawn .own small")).to_have_text('=HYPERLINK("x")')
    path = unpacked(export(page), tmp_path)
    [row] = table(path)
    assert row["label"] == "happiness"
    assert row["comment"] == """'=HYPERLINK("x")"""  # no formula
    assert len(read(path.parent / row["path"]).wave) == pytest.approx(2.2 * 16_000, abs=640)


def test_own_classes_are_offered_and_exported(visit, tmp_path):
    page = visit()
    choose(page, "lively.flac")
    page.get_by_role("button", name="Add a class").click()
    page.get_by_label("Name").fill("  irony  ")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="irony").click()
    page.get_by_role("button", name="Add a class").click()
    page.get_by_label("Name").fill("=1+1")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("does not begin with")
    [row] = table(unpacked(export(page), tmp_path))
    assert row["label"] == "irony"


def test_the_whole_keeps_the_labels_of_its_parts(visit):
    page = visit()
    choose(page, "mixed.flac")
    for key in ["ArrowRight", "ArrowDown", "6", "4", "Escape"]:
        page.keyboard.press(key)
    rows(page).first.click()
    page.keyboard.press("5")
    expect(page.locator("#status")).to_contain_text("Labels of its parts stay: 2")
    expect(page.locator("#export")).to_have_text("Export (3)")
    settle(page)
    assert rows(page).locator(".own").all_inner_texts()[:3] == ["neutral", "sadness", "happiness"]


def test_export_has_the_audio_of_each_label(visit, tmp_path):
    page = visit()
    choose(page, "lively.flac")
    page.keyboard.press("3")
    page.locator("#speaker").fill('Ann, "the" voice')
    page.locator("#speaker").blur()
    path = unpacked(export(page), tmp_path)
    [row] = table(path)
    assert (row["label"], row["speaker"], row["recognised"]) == (
        "fear",
        'Ann, "the" voice',
        "anger",
    )
    lively, cut = read(DEMO / "lively.flac").wave, read(path.parent / row["path"]).wave
    [utterance] = affekt.load().utterances(DEMO / "lively.flac")
    begin, end = (
        round(t * 16_000) for t in (utterance.start, utterance.start + utterance.duration)
    )
    assert len(cut) == end - begin
    assert np.abs(cut - lively[begin:end]).max() < 1e-3


def test_voices_are_named_in_the_export(visit):
    page = visit()
    choose(page, "lively.flac")
    page.select_option("#speakers", "auto")
    expect(page.locator("#rows")).to_contain_text("speaker 1")
    page.locator("#table").focus()
    page.keyboard.press("3")
    with zipfile.ZipFile(export(page)) as archive:
        assert ",fear,lively speaker 1," in archive.read("corrections/manifest.csv").decode()


def test_reload_changes_nothing(visit):
    page = visit()
    choose(page, "lively.flac", "mixed.flac")
    expect(page.locator("#files .state", has_text=RESULT)).to_have_count(2)
    page.locator("#table").focus()
    for key in ["3", "ArrowRight", "ArrowDown", "ArrowDown", "6", "ArrowUp", "Escape"]:
        page.keyboard.press(key)
    page.locator("#speaker").fill("Ann")
    page.locator("#speaker").blur()
    page.select_option("#compare", "open")
    expect(lanes(page)).to_have_count(2)
    page.check("#unlabelled")
    expect(page.locator("#saved")).to_have_text("saved")
    jobs = []
    page.on("request", lambda request: jobs.append(request.method + request.url))
    seen = ["#files", "#name", "#summaries", "#rows", "#progress", "#export", "#selected-row"]
    settle(page)
    before = [page.locator(selector).inner_text() for selector in seen]
    page.reload()
    expect(lanes(page)).to_have_count(2)
    expect(page.locator("#time")).to_contain_text("/ 8.06")
    settle(page)
    assert [page.locator(selector).inner_text() for selector in seen] == before
    assert page.locator("#speaker").input_value() == "Ann"
    assert [job for job in jobs if "/v1/jobs" in job] == []
    page.locator("#table").focus()
    page.keyboard.press("z")
    page.keyboard.press("z")
    expect(page.locator("#progress")).to_have_text("0 of 2")
    page.keyboard.press("Shift+Z")
    expect(page.locator("#progress")).to_have_text("1 of 2")


def test_the_queue_goes_on_after_a_reload(visit):
    waiting = []
    page = visit(
        prepare=lambda page: page.route("**/v1/jobs?*", lambda route: waiting.append(route))
    )
    page.set_input_files("#choose", [DEMO / "lively.flac", DEMO / "flat.flac"])
    expect(page.locator("#files .state")).to_have_text(["sending", "sending"])
    expect(page.locator("#saved")).to_have_text("saved")
    page.unroute("**/v1/jobs?*")
    page.reload()
    expect(page.locator("#files .state", has_text="%")).to_have_count(2)


def test_all_files_that_were_added_together_are_followed(visit):
    """All files are sent while the first states are waited for; the next request asks for all."""
    held, asked = [], []

    def hold(page):
        page.route("**/v1/jobs?id=*", lambda route: held.append(route))
        page.on("request", lambda request: asked.append(re.findall(r"[?&]id=(\w+)", request.url)))

    page = visit(prepare=hold)
    speech = (DEMO / "flat.flac").read_bytes()
    names = [f"{number}.flac" for number in range(6)]
    page.set_input_files(
        "#choose", [{"name": name, "mimeType": "audio/flac", "buffer": speech} for name in names]
    )
    expect(page.locator("#files .state")).to_have_text(["queued"] * 6)
    page.unroute("**/v1/jobs?id=*")
    expect(page.locator("#files .state", has_text="%")).to_have_count(6)
    first, second = [ids for ids in asked if ids][:2]
    assert len({*first, *second}) == 6  # those of the first request may have ended by the second
    expect(page.locator("#files progress:visible")).to_have_count(0)


def test_files_added_before_the_models_are_known_are_submitted_once(visit):
    models, jobs = [], []

    def hold(page):
        page.route("**/v1/models", lambda route: models.append(route))
        page.on("request", lambda request: request.method == "POST" and jobs.append(request.url))

    page = visit(prepare=hold)
    page.set_input_files("#choose", DEMO / "lively.flac")
    expect(page.locator("#name")).to_have_text("lively.flac")
    models[0].continue_()
    expect(page.locator("#files .state")).to_have_text(RESULT)
    assert len(jobs) == 1


def test_removing_deletes_on_the_server_and_in_the_browser(visit):
    page = visit()
    choose(page, "lively.flac")
    link = page.get_by_role("link", name="CSV").get_attribute("href")
    assert page.request.get(page.url + link).status == 200
    page.keyboard.press("3")
    page.get_by_role("button", name="Remove lively.flac").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#files .name")).to_have_count(1)
    page.get_by_role("button", name="Remove lively.flac").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        page.locator("#ask").get_by_role("button", name="Remove").click()
    assert deleted.value.status == 204
    assert page.request.get(page.url + link).status == 404
    page.reload()
    expect(page.locator("#empty")).to_be_visible()


def test_a_deletion_that_fails_is_made_up_for_at_the_next_visit(visit):
    def offline(route):
        return route.abort() if route.request.method == "DELETE" else route.continue_()

    page = visit(refused=True, prepare=lambda page: page.route("**/v1/jobs/*", offline))
    choose(page, "lively.flac")
    link = page.get_by_role("link", name="CSV").get_attribute("href")
    page.get_by_role("button", name="Remove lively.flac").click()
    expect(page.locator("#saved")).to_have_text("saved")
    page.unroute("**/v1/jobs/*")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.reload()
    assert page.request.get(page.url + link).status == 404


def test_export_is_imported_again(visit):
    first = visit()
    choose(first, "lively.flac", "mixed.flac")
    expect(first.locator("#files .state", has_text=RESULT)).to_have_count(2)
    first.locator("#table").focus()
    first.keyboard.press("3")
    first.keyboard.press("u")
    first.locator("#comment").fill("<b>both</b>")
    first.locator("#comment").press("Enter")
    archive = export(first).read_bytes()

    second = visit()
    choose(second, "mixed.flac")
    drop(second, "corrections.zip", archive)
    expect(second.locator("#status")).to_contain_text(
        "Labels also belong to lively.flac: add these files."
    )
    expect(second.locator("#rows .own")).to_contain_text(["unsure"])
    expect(second.locator("#rows .own small")).to_have_text("<b>both</b>")
    second.set_input_files("#choose", DEMO / "lively.flac")
    expect(second.locator("#name")).to_have_text("lively.flac")
    expect(second.locator("#rows .own")).to_have_text(["fear"])
    second.keyboard.press("z")
    expect(second.locator("#rows .own")).to_have_text([""])


@pytest.mark.parametrize(
    "content",
    [b"no archive", b"{}", json.dumps({"format": "affekt-labels", "version": 2}).encode()],
)
def test_what_is_no_export_is_refused(visit, content):
    page = visit()
    drop(page, "labels.json", content)
    expect(page.locator("#status")).to_have_text(
        "labels.json is not an export of labels from this page."
    )


def test_import_skips_what_is_invalid(visit):
    page = visit()
    choose(page, "lively.flac")
    good = {"start": 0.5, "end": 1.5, "label": "fear"}
    bad = [
        {**good, "start": -1}, {**good, "end": "1"}, {**good, "end": 0.2}, {**good, "mark": "?"},
        {**good, "label": 3}, None,
    ]  # fmt: skip
    content = {
        "format": "affekt-labels", "version": 1, "classes": ["=x", "irony", 5],
        "recordings": [{"name": "lively.flac", "annotations": [*bad, good]}, {"name": 5}, None],
    }  # fmt: skip
    drop(page, "labels.json", json.dumps(content).encode())
    expect(page.locator("#status")).to_have_text("Labels imported. Recordings: 1")
    expect(page.locator("#export")).to_have_text("Export (1)")
    classes = page.locator("#classes button[data-value]").evaluate_all(
        "all => all.map((n) => n.dataset.value)"
    )
    assert classes[-3:] == ["irony", "unsure", "unusable"]


def test_storage_that_fails_is_said(visit):
    broken = "indexedDB.open = () => { throw new Error('no storage here'); }"
    page = visit(prepare=lambda page: page.add_init_script(broken))
    expect(page.locator("#saved")).to_have_text("not saved: no storage here")
    choose(page, "lively.flac")
    page.keyboard.press("3")
    expect(page.locator("#progress")).to_have_text("1 of 1")
    expect(page.locator("#saved")).to_have_text("not saved: no storage here")


def test_a_second_tab_takes_over(visit):
    page = visit()
    choose(page, "lively.flac")
    expect(page.locator("#saved")).to_have_text("saved")
    second = page.context.new_page()
    second.goto(page.url)
    expect(page.locator("#problem")).to_contain_text("opened in another tab")
    expect(second.locator("#name")).to_have_text("lively.flac")


def test_triage_by_doubt_and_unlabelled(visit):
    page = visit()
    choose(page, "lively.flac", "flat.flac", "mixed.flac")
    expect(page.locator("#files .state", has_text=RESULT)).to_have_count(3)
    page.select_option("#order", "doubt")
    names = page.locator("#files .name").all_inner_texts()
    assert sorted(names) == ["flat.flac", "lively.flac", "mixed.flac"]
    shares = [
        1.0 if "uncertain" in text else float(re.findall(r"(\d+)\s%", text)[0]) / 100
        for text in page.locator("#files .state").all_inner_texts()
        if "utterances" not in text
    ]
    assert shares == sorted(shares)
    page.check("#unlabelled")
    page.locator("#files .open").first.click()
    page.locator("#table").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#files .name")).to_have_text(names[1:])
