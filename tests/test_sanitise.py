"""Text of others cannot steer a terminal or start a formula in a spreadsheet."""

import pytest

from affekt.sanitise import csv_text, printable


def test_control_characters_are_shown_or_replaced():
    assert printable("a\x1b[31m\n愤怒") == "a\\x1b[31m\\x0a愤怒"
    assert printable("a\x1b[31m\n愤怒", "?") == "a?[31m?愤怒"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_becomes_text(start):
    assert csv_text(f"{start}cmd()") == f"'{start}cmd()"


def test_other_text_stays():
    assert [csv_text(text) for text in ("a=b", "", "1-2", "愤怒")] == ["a=b", "", "1-2", "愤怒"]
