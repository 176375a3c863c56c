"""Values that have not the type of their option."""

import pytest

from affekt.__main__ import run


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("predict a.wav --speakers many", "--speakers many: give auto or a whole number"),
        ("predict a.wav --hop many", "--hop many: give a number"),
        ("predict a.wav --track two", "--track two: give a whole number"),
        ("predict a.wav --channels left", "--channels left: give mean or split"),
        ("batch a --out b --speakers many", "give column or auto or a whole number"),
    ],
)
def test_what_a_value_must_be_is_said(capsys, command, message):
    assert run(command.split()) == 2
    assert message in capsys.readouterr().err
