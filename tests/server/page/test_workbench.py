"""The workbench: results, playback, zoom, keyboard, languages, themes, sizes and access."""

import re

import numpy as np
import pytest
import soundfile
from page_steps import DEMO, RESULT, choose, downloaded, drop, lanes, painted, rows, seek, settle

from affekt.audio.decoding import read

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
Page, expect = playwright.Page, playwright.expect
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """Two minutes: the demo recordings again and again, with pauses."""
    speech = [read(DEMO / f"{name}.flac").wave for name in ("lively", "mixed", "flat")]
    pause = np.zeros(2 * 16_000, np.float32)
    wave = np.concatenate([x for _ in range(5) for s in speech for x in (s, pause)])
    path = tmp_path_factory.mktemp("long") / "long.flac"
    soundfile.write(path, wave, 16_000)
    return path


def test_drop_shows_the_result_with_model_and_license(visit):
    page = visit()
    expect(page.locator("#empty")).to_be_visible()
    drop(page, "mixed.flac", (DEMO / "mixed.flac").read_bytes())
    expect(page.locator("#files .state")).to_have_text(RESULT)
    expect(page.locator("#summaries")).to_contain_text("Model default. License: research")
    expect(page.locator(".limits")).to_contain_text(
        "must not be used to make decisions about people"
    )
    expect(lanes(page)).to_have_count(1)
    assert painted(page, "#lanes canvas[role=img]") > 5  # bands
    assert painted(page, "#wave") > 2
    link = page.get_by_role("link", name="TextGrid")
    assert "ooTextFile" in downloaded(page, link, "mixed", ".TextGrid").read_text("utf-8")


def test_samples_are_the_demo_recordings_and_named_synthetic(visit):
    page = visit()
    expect(page.locator("#samples button")).to_have_count(3)
    expect(page.locator("#empty")).to_contain_text("synthetic speech")
    page.get_by_role("button", name="Lively 4 s").click()
    expect(page.locator("#name")).to_have_text("synthetic-lively.flac")
    expect(page.locator("#files .state")).to_have_text(RESULT)
    for name in ("lively", "flat", "mixed"):
        sample = page.request.get(f"{page.url}page/samples/{name}.flac").body()
        assert sample == (DEMO / f"{name}.flac").read_bytes()


def test_cursor_shows_probabilities(visit):
    page = visit()
    choose(page, "mixed.flac")
    early, first = seek(page, 0.2), page.locator("#now").inner_text()
    late, second = seek(page, 0.8), page.locator("#now").inner_text()
    assert re.match(r"1\.6\d s\. \w+ \d+\s%", early)
    assert re.match(r"6\.4\d s\. \w+ \d+\s%", late)
    assert first != second
    assert page.locator("#now .first").count() == 1


def test_click_on_a_band_selects_its_row_and_plays_it(visit):
    page = visit()
    choose(page, "mixed.flac")
    place = page.locator("#axis").bounding_box()["width"] * 3.9 / 8.06
    lanes(page).click(position={"x": place, "y": 60})
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#play")).to_have_text("Play")
    selected = page.locator("#selected-row")
    expect(selected).to_have_class(re.compile("run"))
    start, end = map(float, selected.locator(".time").inner_text().strip("▸▾ \n").split(" – "))
    assert start <= 3.9 <= end
    now = float(page.locator("#axis").get_attribute("aria-valuenow"))
    assert now == pytest.approx(start, abs=0.01)


def test_a_missing_microphone_is_reported(visit):
    deny = """if (navigator.mediaDevices) // not of an empty page
        navigator.mediaDevices.getUserMedia = async () => { throw new Error('denied'); };"""
    page = visit(prepare=lambda page: page.add_init_script(deny))
    page.click("#live-open")
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
    assert page.locator("img").count() == 0
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
    heads = page.locator("#head [role=columnheader]")
    expect(heads).to_have_text(["labelled", "Time (s)", "Recognised", "open", "Your label"])
    boxes = [lane.bounding_box() for lane in lanes(page).all()]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["width"] == boxes[1]["width"]
    assert "; open: " in seek(page, 0.5)
    page.select_option("#compare", "")
    expect(lanes(page)).to_have_count(1)


def test_voices_have_lanes_of_their_own(visit, tmp_path):
    lively, flat = (read(DEMO / f"{name}.flac").wave for name in ("lively", "flat"))
    high = np.interp(np.arange(0, len(flat), 1.5), np.arange(len(flat)), flat).astype(np.float32)
    soundfile.write(tmp_path / "two.flac", np.concatenate([lively, high, lively, high]), 16_000)
    page = visit()
    choose(page, tmp_path / "two.flac")
    page.select_option("#speakers", "auto")
    expect(page.locator("#lanes span").first).to_have_text("default: speaker 1")
    page.locator("#table").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#rows")).to_contain_text("speaker 1")
    page.select_option("#speakers", "1")
    expect(page.locator("#lanes span")).to_have_text(["default"])
    expect(page.locator("#rows")).not_to_contain_text("speaker")


@pytest.fixture(scope="module")
def long_page(browser, server, long_file):
    """The page with the long recording, recognised by two models."""
    page = browser.new_page()
    page.goto(server)
    choose(page, long_file)
    page.select_option("#compare", "open")
    expect(lanes(page)).to_have_count(2, timeout=90_000)
    page.select_option("#compare", "")
    expect(lanes(page)).to_have_count(1)
    return page


def test_long_recording_draws_only_the_rows_and_the_window_in_sight(long_page):
    page = long_page
    page.set_viewport_size({"width": 1280, "height": 700})
    expect(page.locator("#summaries .result")).to_have_text(
        re.compile(r"^\d+ utterances: \w+ \d+\s%(, \w+ \d+\s%)? of the time$")
    )
    expect(page.locator("#zoom-span")).to_have_text("30.0 s")
    count = int(page.locator("#table").get_attribute("aria-rowcount")) - 1
    assert rows(page).count() < count
    page.locator("#table").focus()
    for _ in range(count):
        page.keyboard.press("ArrowDown")
    selected = page.locator("#selected-row")
    expect(selected).to_have_attribute("aria-rowindex", str(count + 1))
    expect(selected).to_be_in_viewport(ratio=0.99)
    window = page.locator("#overview-window").bounding_box()
    strip = page.locator("#overview").bounding_box()
    assert window["x"] + window["width"] == pytest.approx(strip["x"] + strip["width"], abs=3)


def test_wheel_zooms_at_the_pointer_and_the_overview_moves_the_window(long_page):
    page = long_page
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("#axis").focus()
    page.keyboard.press("Home")
    strip = page.locator("#overview").bounding_box()
    page.mouse.click(strip["x"] + 2, strip["y"] + 10)
    box = page.locator("#axis").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 40)
    page.mouse.wheel(0, -400)
    expect(page.locator("#zoom-span")).to_have_text("11.0 s")  # 30 s / e
    window = page.locator("#overview-window").bounding_box()
    duration = float(page.locator("#axis").get_attribute("aria-valuemax"))
    at = (window["x"] - strip["x"] + window["width"] / 3) / strip["width"] * duration
    assert at == pytest.approx(10, abs=0.5)  # a third of 30 s
    page.mouse.click(strip["x"] + strip["width"] / 2, strip["y"] + 10)
    moved = page.locator("#overview-window").bounding_box()
    middle = moved["x"] + moved["width"] / 2
    assert middle == pytest.approx(strip["x"] + strip["width"] / 2, abs=2)


IN_SIGHT = ["#play", "#overview", "#axis", "#classes", "#selected-row", ".limits"]


@pytest.mark.parametrize("compare", ["", "open"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_everything_is_in_sight_without_scrolling(long_page, size, compare):
    page = long_page
    page.set_viewport_size({"width": 1280, "height": 800})
    page.select_option("#compare", compare)
    expect(lanes(page)).to_have_count(2 if compare else 1)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator("#table").focus()
    for key in ["ArrowDown"] * 15 + ["ArrowUp"] * 5:
        page.keyboard.press(key)
    for selector in IN_SIGHT:
        expect(page.locator(selector)).to_be_in_viewport(ratio=0.99)
    overflow = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert page.evaluate(overflow) == list(size)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_times_are_not_cut_off_and_the_transport_is_one_line(long_page, size):
    page = long_page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator("#table").evaluate("(box) => (box.scrollTop = box.scrollHeight)")
    settle(page)
    widths = "(all) => all.map((one) => [one.scrollWidth, one.clientWidth])"
    times = page.locator("#rows .time").evaluate_all(widths)
    assert len(times) > 3
    assert all(needed <= given for needed, given in times)
    tops = page.locator(".transport button:visible").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().top)"
    )
    assert max(tops) - min(tops) < 5


def test_spectrogram_and_pitch_on_demand(visit):
    page = visit()
    choose(page, "mixed.flac")
    expect(page.locator("#spectrum")).to_be_hidden()
    page.click("#spectrogram")
    assert painted(page, "#spectrum") > 20
    page.click("#spectrogram")
    page.keyboard.press("h")
    expect(page.locator("#pitch")).to_have_attribute("aria-pressed", "true")
    assert painted(page, "#spectrum") > 2
    page.keyboard.press("h")
    expect(page.locator("#spectrum")).to_be_hidden()


def test_silence_is_hatched_and_has_no_emotion(visit, tmp_path):
    speech, silence = read(DEMO / "lively.flac").wave, np.zeros(6 * 16_000, np.float32)
    soundfile.write(tmp_path / "pause.flac", np.concatenate([speech, silence]), 16_000)
    page = visit()
    choose(page, tmp_path / "pause.flac")
    assert seek(page, 0.8).endswith("No speech here.")
    expect(page.locator("#now")).to_contain_text("No speech here.")
    colours = lanes(page).evaluate("""(canvas) => {
        const x = Math.round(0.8 * canvas.width);
        const { data } = canvas.getContext("2d").getImageData(x, 0, 30, canvas.height);
        const pixels = [...new Uint32Array(data.buffer)];
        return [new Set(pixels).size, pixels.filter((pixel) => pixel === 0).length / pixels.length];
    }""")
    assert colours[0] > 1  # lines
    assert colours[1] > 0.5  # with nothing between them


def test_loop_and_speed(visit):
    page = visit()
    choose(page, "lively.flac")
    page.select_option("#speed", "2")
    page.keyboard.press("l")
    expect(page.locator("#loop")).to_have_attribute("aria-pressed", "true")
    page.locator("#table").focus()
    page.keyboard.press("r")
    page.wait_for_timeout(3000)  # the 4 s of the part take 2 s
    expect(page.locator("#play")).to_have_text("Pause")
    page.keyboard.press("l")
    expect(page.locator("#play")).to_have_text("Play")


def test_keyboard_alone(visit):
    page = visit()
    choose(page, "flat.flac", "mixed.flac")
    tab_to(page, ".open", "Shift+Tab")  # not through the browser's own buttons
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("mixed.flac")
    expect(page.locator("#time")).to_contain_text("/ 8.06")
    expect(page.locator("#summaries .result")).to_have_text(RESULT)
    tab_to(page, "#axis")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#axis")).to_have_attribute("aria-valuenow", "0.24")
    tab_to(page, "#table")
    page.keyboard.press("ArrowRight")  # unfolds
    page.keyboard.press("ArrowDown")
    expect(page.locator("#selected-row")).to_have_attribute("aria-level", "2")
    page.keyboard.press("3")
    expect(rows(page).nth(1).locator(".own")).to_have_text("fear")
    expect(page.locator("#status")).to_contain_text("fear")
    page.keyboard.press("Escape")
    expect(page.locator("#play")).to_have_text("Play")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("0")
    expect(rows(page).nth(1).locator(".own")).to_be_empty()
    expect(page.locator("#export")).to_be_disabled()
    page.keyboard.press("Tab")
    assert not page.evaluate("() => document.activeElement.matches('#table')")
    tab_to(page, ".open")
    page.keyboard.press("Delete")
    expect(page.locator("#files .name")).to_have_text(["flat.flac"])
    expect(page.locator("#view")).to_be_hidden()


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    for _ in range(40):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"no way to {selector} by Tab")


def test_single_keys_can_be_limited_to_the_table(visit):
    page = visit()
    choose(page, "flat.flac")
    page.keyboard.press("?")
    page.get_by_label("Single keys").uncheck()
    page.keyboard.press("Escape")
    page.locator("#play").focus()
    page.keyboard.press("3")
    expect(page.locator("#progress")).to_have_text("0 of 1")
    page.locator("#table").focus()
    page.keyboard.press("3")
    expect(page.locator("#progress")).to_have_text("1 of 1")


def test_chinese_browser(visit):
    page = visit(locale="zh-CN", refused=True)
    choose(page, "mixed.flac")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("#summaries .result")).to_have_text(
        re.compile(r"^(愤怒|高兴|中性|悲伤) \d+")
    )
    page.keyboard.press("?")
    english = re.compile(r"[A-Za-z]{3,}")
    texts = page.locator("[data-word], #help :is(dd, h2, h3, p, label)").all_inner_texts()
    hints = page.locator("[data-label]").evaluate_all("all => all.map((n) => n.ariaLabel)")
    assert len(texts) > 60
    names = re.compile("espeak-ng|Shift|affekt adapt.*")
    assert [text for text in [*texts, *hints] if english.search(names.sub("", text))] == []
    page.keyboard.press("Escape")
    drop(page, "a.wav", b"no sound at all\n" * 50)
    expect(page.locator("#files .error").last).to_contain_text("不是录音，或录音已损坏（")


def test_both_languages_have_all_texts(visit):
    page = visit()
    english, chinese, used = page.evaluate("""async () => {
        const { EN } = await import("/page/texts.en.js");
        const { ZH } = await import("/page/texts.zh.js");
        const static_ = [...document.querySelectorAll("[data-word], [data-label], [data-hint]")]
            .flatMap((n) => [n.dataset.word, n.dataset.label, n.dataset.hint]).filter(Boolean);
        return [Object.keys(EN), Object.keys(ZH), static_];
    }""")
    assert sorted(chinese) == sorted({*english, *used})


def test_dark_mode(visit):
    ground = "() => getComputedStyle(document.body).backgroundColor"
    pages = [visit(color_scheme=scheme) for scheme in ("light", "dark")]
    if not pages[1].evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches"):
        pytest.skip("this driver sets no dark mode")
    light, dark = (page.evaluate(ground) for page in pages)
    assert sum(map(int, re.findall(r"\d+", light))) > 600
    assert sum(map(int, re.findall(r"\d+", dark))) < 200


def test_phone_has_two_screens_with_previous_and_next(visit):
    page = visit(**PHONE)
    page.set_input_files("#choose", [DEMO / f"{name}.flac" for name in ("flat", "mixed")])
    expect(page.locator("#view")).to_be_visible()
    expect(page.locator("#files")).to_be_hidden()
    page.click("#next")
    expect(page.locator("#name")).to_have_text("mixed.flac")
    expect(page.locator("#next")).to_be_disabled()
    page.click("#back")
    expect(page.locator("#files")).to_be_visible()
    expect(page.locator("#view")).to_be_hidden()
    page.locator("#files .open").first.click()
    expect(page.locator("#name")).to_have_text("flat.flac")


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


def test_a_server_that_adapts_no_models_is_explained(visit):
    page = visit(refused=True)
    page.click("#adapt-open")
    expect(page.locator("#adapt")).to_contain_text("This server does not adapt models.")
    expect(page.locator("#adapt code")).to_have_text("affekt serve --adapt my-models")


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
