"""Old names on the command line: replaced, announced, and present in the current parser."""

import pytest
from helpers import affekt

from affekt.cli import app
from affekt.cli.aliases import COMMANDS, OPTIONS, SHORT, WITH_SETTINGS, _settings, replace_old_names


def names_of(command):
    return {name for a in app[command].assemble_argument_collection() for name in a.names}


@pytest.mark.parametrize("command", [c for c in WITH_SETTINGS if c != "adapt"])
def test_settings_have_their_new_names_and_not_the_old(command):
    names = names_of(command)
    new = {*_settings().values(), *SHORT.values(), "--protocol.test-normalisation"}
    assert new <= names
    assert not {*_settings(), *SHORT} & names


@pytest.mark.parametrize("command", OPTIONS)
def test_options_have_their_new_names_and_not_the_old(command):
    assert set(OPTIONS[command].values()) <= names_of(command)
    assert not set(OPTIONS[command]) & names_of(command)


def test_commands_have_their_new_names_and_not_the_old():
    listed = set(app)
    assert set(COMMANDS.values()) <= listed
    assert not set(COMMANDS) & listed


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("train c --stage1.rate 1", "train c --stage1.learning-rate 1", 1),
        ("train c --stage1.head_rate=1", "train c --stage1.head-learning-rate=1", 1),
        ("train c --stage2.clip 2 --terms x", "train c --stage2.max-grad-norm 2 --license x", 2),
        ("train c --note --out x", "train c --intended-use --out x", 1),
        ("study c --seeds 1 --weights=w", "study c --protocol.seeds 1 --encoder.weights=w", 0),
        (
            "evaluate c --protocol.source_statistics --out x",
            "evaluate c --out x --protocol.test-normalisation fold",
            1,
        ),
        (
            "evaluate c --protocol.source speaker --protocol.source-statistics",
            "evaluate c --protocol.test-normalisation speaker",
            1,
        ),
        (
            "evaluate c --protocol.no-source-statistics",
            "evaluate c --protocol.test-normalisation none",
            1,
        ),
        ("predict a.wav --stage1.rate 1", "predict a.wav --stage1.rate 1", 0),
        ("train -- --note", "train -- --note", 0),
        ("--help", "--help", 0),
        ("", "", 0),
    ],
)
def test_old_names_are_replaced(old, new, messages):
    arguments, announced = replace_old_names(old.split())
    assert arguments == new.split()
    assert len(announced) == messages


def test_the_command_names_the_replacement_of_an_old_name(manifest):
    done = affekt("balance", manifest, "--audio.level", "none", "--stage1.rate=1e-4")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("affekt:")]
    assert lines == [
        "affekt: --audio.level is now --audio.normalisation; the old name works until version 0.3",
        "affekt: --stage1.rate is now --stage1.learning-rate; the old name works until version 0.3",
    ]
