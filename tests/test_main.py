"""What ``affekt`` prints and returns when something goes wrong."""

import errno

import pytest

import affekt.__main__ as entry
from affekt.errors import AffektError, RenamedWarning


def failing(monkeypatch, error):
    def raises(*_, **__):
        raise error

    monkeypatch.setattr(entry, "app", raises)
    return entry.run([])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (AffektError("x.wav: is\nempty"), 2, "affekt: x.wav: is empty"),
        (OSError(errno.ENOSPC, "No space left", "f"), 2, "affekt: f: No space left"),
        (
            ModuleNotFoundError("no pandas", name="pandas.core"),
            2,
            "affekt: this command needs the extra 'train': pip install 'affekt[train]'",
        ),
        (
            RuntimeError("odd"),
            1,
            "affekt: internal error, please report it (RuntimeError: odd)",
        ),
        (KeyboardInterrupt(), 130, "affekt: interrupted"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(monkeypatch, capsys, error, code, line):
    assert failing(monkeypatch, error) == code
    assert capsys.readouterr().err.splitlines() == [line]


def test_debug_shows_the_cause(monkeypatch, capsys):
    monkeypatch.setenv("AFFEKT_DEBUG", "1")
    error = AffektError("what the user sees")
    error.__cause__ = KeyError("what went wrong below")
    assert failing(monkeypatch, error) == 2
    shown = capsys.readouterr().err
    assert "KeyError: 'what went wrong below'" in shown
    assert shown.splitlines()[-1] == "affekt: what the user sees"


def test_a_renamed_setting_is_one_line(monkeypatch, capsys):
    import warnings

    def warns(*_, **__):
        warnings.warn("recipe r: a is now b", RenamedWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(entry, "app", warns)
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert entry.run([]) == 0
    assert capsys.readouterr().err == "affekt: recipe r: a is now b\n"
    assert warnings.showwarning is before
