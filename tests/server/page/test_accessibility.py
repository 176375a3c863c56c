"""Accessibility: axe-core without findings, colours for colour-blind users, forced colours."""

from itertools import combinations

import numpy as np
import pytest
from page_steps import choose

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
expect = pytest.importorskip("playwright.sync_api").expect
# Machado, Oliveira and Fernandes 2009, severity 1, of linear sRGB.
DICHROMACY = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """A colour such as #b43c00 as linear sRGB."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB, for the white of D65."""
    ratio = np.clip(rgb, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """Colour difference (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = 0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = h1 + h2 if c1 * c2 == 0 else (h1 + dh / 2) % 360
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.2 * np.cos(np.radians(4 * hue - 63))
    )  # fmt: skip
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    lightness = (l2 - l1) / s_l
    chroma = (c2 - c1) / (1 + 0.045 * c_mean)
    hues = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2)) / (1 + 0.015 * c_mean * t)
    rotation = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    r = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)) * np.sin(np.radians(rotation))
    return float(np.sqrt(lightness**2 + chroma**2 + hues**2 + r * chroma * hues))


def test_ciede2000_has_published_values():
    """Pairs 1, 10 and 25 of Sharma, Wu and Dalal's table."""
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, other, expected in pairs:
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def palette(browser, server):
    """The colours of the named classes, and those that other classes get."""
    page = browser.new_page()
    page.goto(server)
    return page.evaluate("""async () => {
        const { COLOURS, SPARE } = await import("/page/colours.js");
        return [Object.values(COLOURS), SPARE];
    }""")


@pytest.mark.parametrize("sight", DICHROMACY)
def test_any_two_classes_differ(palette, sight):
    named, spare = palette
    matrix = np.array(DICHROMACY[sight])
    seen = {colour: lab(matrix @ linear(colour)) for colour in (*named, *spare)}
    for one, other in combinations(named, 2):
        assert ciede2000(seen[one], seen[other]) >= 15, (one, other)
    for one, other in combinations(seen, 2):
        if {one, other} <= {*named}:
            continue
        assert np.linalg.norm(seen[one] - seen[other]) >= 15, (one, other)  # CIE 1976


def test_classes_have_contrast_to_both_grounds(palette):
    def luminance(colour: str) -> float:
        return float(TO_XYZ[1] @ linear(colour))

    for ground in ("#fdfdfc", "#171715"):
        for colour in (*palette[0], *palette[1]):
            low, high = sorted((luminance(ground), luminance(colour)))
            assert (high + 0.05) / (low + 0.05) >= 3, (ground, colour)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_axe_finds_nothing(visit, scheme, size):
    page = visit(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, refused=True)
    check(page, "empty")
    choose(page, "mixed.flac", "flat.flac")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    page.keyboard.press("Escape")
    check(page, "recording")
    page.keyboard.press("?")
    check(page, "help")
    page.keyboard.press("Escape")
    page.click("#adapt-open")
    page.locator("#adapt code").wait_for()
    check(page, "adapt")
    page.keyboard.press("Escape")
    page.click("#live-open")
    check(page, "live")


def check(page, view: str) -> None:
    found = axe.Axe().run(page)
    assert found.violations_count == 0, f"{view}: {found.generate_report()}"


def test_forced_colours_show_the_selection(visit):
    page = visit(forced_colors="active")
    if not page.evaluate("() => matchMedia('(forced-colors: active)').matches"):
        pytest.skip("this driver forces no colours")
    choose(page, "mixed.flac")
    page.keyboard.press("3")
    page.locator("#rows .row").first.click()
    colours = """(node) => {
        const { backgroundColor, color } = getComputedStyle(node);
        return [backgroundColor, color];
    }"""
    ground, text = page.locator("body").evaluate(colours)
    for selector in ("#selected-row", ".open[aria-current=true]", "#classes [aria-pressed=true]"):
        selected = page.locator(selector)
        assert ground not in selected.evaluate(colours)[:1]
        for part in selected.locator("span").all():
            assert part.evaluate(colours)[1] != text
