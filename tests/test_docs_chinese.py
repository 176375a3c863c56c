"""The Chinese pages of the site have the structure, commands and examples of the English ones."""

import re

import pytest
from helpers import ROOT

EN, ZH = ROOT / "docs/en", ROOT / "docs/zh"
TRANSLATED = ("index.md", "get-started/*.md", "how-to/*.md", "concepts/*.md")
GLOSSARY = "concepts/glossary.md"  # the English one is a page of the reference
PAGES = sorted(str(page.relative_to(EN)) for glob in TRANSLATED for page in EN.glob(glob))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


def structure(text):
    """What a page and its translation share: code, equations, headings, rows of each table."""
    prose = FENCED.sub("", text)
    return {
        "code": [block for block in FENCED.findall(text) if block[0] != "text"],
        "equations": re.findall(r"^\$\$\n(.*?)^\$\$$", prose, re.S | re.M),
        "headings": re.findall(r"^#+(?= )", prose, re.M),
        "tables": [rows.count("\n") for rows in re.findall(r"(?:^\|.*\n)+", prose, re.M)],
        "images": re.findall(r"!\[.*?\]\((.*?)\)", prose),
    }


def nav(language):
    return re.findall(r"[\w/-]+\.md", (ROOT / f"mkdocs.{language}.yml").read_text("utf-8"))


def test_every_guide_is_translated():
    chinese = {str(page.relative_to(ZH)) for page in ZH.rglob("*.md")}
    assert chinese - {GLOSSARY} == set(PAGES)


def test_both_navigations_have_the_same_order():
    assert [page for page in nav("zh") if page != GLOSSARY] == [p for p in nav("en") if p in PAGES]


@pytest.mark.parametrize("page", PAGES)
def test_translation_has_the_structure_of_the_original(page):
    english, chinese = ((folder / page).read_text("utf-8") for folder in (EN, ZH))
    assert structure(chinese) == structure(english)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("affekt predict call.wav --model models/mine", "affekt predict call.wav"),
        ("print(a)", "print(b)"),
        ("x = 1", "x = 2"),
        ("## Second\n", ""),
        ("| b | c |\n", ""),
        ("one.png", "two.png"),
    ],
)
def test_difference_is_found(old, new):
    text = (
        "# First\n\n```sh\naffekt predict call.wav --model models/mine\n```\n\n## Second\n\n"
        "```python\nprint(a)\n```\n\n$$\nx = 1\n$$\n\n| a |\n|---|\n| b | c |\n\n![d](one.png)\n"
    )
    assert old in text
    assert structure(text) != structure(text.replace(old, new))
