"""The documentation site builds without warnings, and its reference names all there is."""

import build_site
import pytest
import reference

from affekt.cli import app
from affekt.config import all_keys
from affekt.types import Prediction


@pytest.fixture
def page(tmp_path):
    def write(text):
        path = tmp_path / "page.html"
        path.write_text(text, "utf-8")
        return path

    return write


def test_site_builds_in_both_languages_without_broken_links(capfd):
    build_site.main()
    assert "Warning" not in capfd.readouterr().err
    method = (build_site.SITE / "en/concepts/method.html").read_text("utf-8")
    assert "<math" in method and 'arithmatex">$' not in method
    assert 'href="../../zh/concepts/method.html" hreflang="zh"' in method


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('<a href="missing.html">x</a>', ["missing.html"]),
        ('<a href="#there">x</a><p id="here">', ["#there"]),
        ('<a href="#here">x</a><p id="here">', []),
        ('<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ('<a href="https://example.org">x</a>', []),
    ],
)
def test_broken_links_are_found(page, text, broken):
    assert build_site.broken_links(page(text)) == broken


@pytest.mark.parametrize("page", reference.pages())
def test_the_generated_pages_are_current(page):
    committed = (reference.FOLDER / page).read_text("utf-8")
    assert committed == reference.pages()[page], "run: python docs/reference.py"


def test_configuration_lists_every_key():
    text = reference.configuration()
    for key in all_keys():
        assert f"| `{key}` |" in text


def test_commands_lists_every_command_with_its_help():
    text = reference.commands()
    for name in app:
        if not name.startswith("-"):
            assert f"## affekt {name}" in text
    empty = [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not empty
    assert "| `--checkpoint-every` | integer | `500` |" in text


def test_schema_lists_every_key_of_a_prediction():
    prediction = Prediction("a.wav", 1.0, "anger", 1.0, {"anger": 1.0}, [])
    for key in prediction.to_dict():
        assert f"| `{key}` |" in reference.schema()
