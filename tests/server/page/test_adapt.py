"""Adaptation on the page: what is missing, the scores, the new model in the list."""

import re

import pytest
import soundfile
from helpers import RATE, serving, voice
from page_steps import lanes

playwright = pytest.importorskip("playwright.sync_api", reason="the page needs playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
expect = playwright.expect
KEYS = {"anger": "1", "sadness": "6"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    state, models = (tmp_path_factory.mktemp(name) for name in ("state", "models"))
    with serving(state, adapt=models) as address:
        yield address + "/"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips of two classes, of two speakers each."""
    folder = tmp_path_factory.mktemp("clips")
    return [
        clip(folder, label, speaker, take)
        for label in KEYS for speaker in ("s1", "s2") for take in (0, 1)
    ]  # fmt: skip


def clip(folder, label, speaker, take):
    path = folder / f"{label}-{speaker}-{take}.wav"
    soundfile.write(path, voice(label, speaker, take, 1.2), RATE)
    return path


def label(page, clips):
    """Add clips and label each with one key."""
    page.set_input_files("#choose", clips)
    expect(page.locator("#files .name")).to_have_count(len(clips))
    for number, path in enumerate(clips):
        page.locator("#files .open").nth(number).click()
        expect(page.locator("#name")).to_have_text(path.name)
        expect(lanes(page)).to_have_count(1)
        page.locator("#speaker").fill(path.stem.split("-")[1])
        page.locator("#table").focus()
        page.keyboard.press(KEYS[path.name.split("-")[0]])
        page.keyboard.press("Escape")
    expect(page.locator("#progress")).to_have_text(f"{len(clips)} of {len(clips)}")


def test_too_few_labels_are_counted(visit, clips):
    page = visit()
    label(page, [clips[0], clips[1], clips[4]])
    page.click("#adapt-open")
    expect(page.locator("#adapt")).to_contain_text("at least two labels with two parts each")
    expect(page.locator("#adapt")).to_contain_text("Labelled parts: anger 2, sadness 1")
    expect(page.locator("#adapt form")).to_have_count(0)


@pytest.mark.slow
def test_the_adapted_model_is_in_the_list_with_its_scores(visit, clips):
    page = visit(refused=True)  # a state may be asked for while it is cancelled
    label(page, clips)
    page.click("#adapt-open")
    dialog = page.locator("#adapt")
    expect(dialog).to_contain_text("Labelled parts: anger 4, sadness 4")
    expect(dialog).to_contain_text("Speakers: 2.")
    expect(dialog.get_by_label("Name of the new model")).to_have_value("default-adapted")
    assert axe.Axe().run(page).violations_count == 0
    dialog.get_by_role("button", name="Adapt", exact=True).click()
    dialog.get_by_role("button", name="Cancel adapting").click()
    expect(page.locator("#status")).to_have_text("Adapting was cancelled.")
    dialog.get_by_role("button", name="Adapt", exact=True).click()  # the name is free
    expect(dialog).to_contain_text("The server is adapting the model.")
    page.reload()  # it goes on
    expect(page.locator("#status")).to_contain_text("default-adapted is ready", timeout=90_000)
    expect(page.locator("#model option")).to_have_text(["default", "default-adapted"])
    page.click("#adapt-open")
    expect(dialog.locator("caption")).to_contain_text("on speakers that were held out")
    expect(dialog.locator("tr")).to_have_text(
        [re.compile(r"^before: default\d+\s%$"), re.compile(r"^after: default-adapted\d+\s%$")]
    )
    expect(dialog).to_contain_text(re.compile(r"Difference: [+−]\d+ to [+−]\d+ percentage points"))
    assert axe.Axe().run(page).violations_count == 0
    dialog.get_by_role("button", name="Recognise with default-adapted").click()
    expect(page.locator("#model")).to_have_value("default-adapted")
    expect(page.locator("#summaries .result")).to_have_text(re.compile("^(anger|sadness|uncert)"))
    page.click("#adapt-open")
    dialog.get_by_role("button", name="Adapt again").click()
    expect(dialog.get_by_label("Name of the new model")).to_have_value("default-adapted-2")
