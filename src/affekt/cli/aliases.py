"""Old and short names on the command line, replaced before the arguments are parsed.

Names of version 0.1 work for one release; each use gives one message that says what replaces it.
"""

from collections.abc import Sequence

from ..renamed_settings import RENAMED

UNTIL = "0.3"  # first version without the names of version 0.1
SHORT = {"--seeds": "--protocol.seeds", "--weights": "--encoder.weights"}
WITH_SETTINGS = ("adapt", "balance", "evaluate", "reproduce", "study", "train", "tune")
COMMANDS = {"score": "batch"}
OPTIONS: dict[str, dict[str, str]] = {  # by current name of the command
    "evaluate": {"--others": "--leave-out", "--also": "--train-only"},
    "listen": {"--source-stats": "--normalisation"},
    "predict": {"--source-stats": "--normalisation"},
    "train": {
        "--others": "--pool",
        "--unheard": "--calibrate-on",
        "--save-every": "--checkpoint-every",
        "--accumulate": "--gradient-accumulation-steps",
    },
}
SOURCE_STATISTICS = "--protocol.source-statistics"
SOURCE = "--protocol.source"
TEST_NORMALISATION = "--protocol.test-normalisation"


def replace_old_names(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Rewrite a command line with the current names.

    Args:
        arguments: The arguments after ``affekt``.

    Returns:
        The arguments to parse, and a message for each old name that was replaced.
    """
    result, messages = list(arguments), []
    at = next((i for i, word in enumerate(result) if not word.startswith("-")), len(result))
    if at == len(result):
        return result, []
    if new := COMMANDS.get(result[at]):
        messages.append(_message(result[at], new))
        result[at] = new
    command = result[at]
    end = result.index("--") if "--" in result else len(result)
    words, rest = result[:end], result[end:]
    if command in WITH_SETTINGS:
        words = [_renamed(word, SHORT) for word in words]
        words, replaced = _test_normalisation(words)
        messages += replaced
    old_names = OPTIONS.get(command, {}) | (_settings() if command in WITH_SETTINGS else {})
    for i, word in enumerate(words):
        words[i] = _renamed(word, old_names)
        if words[i] != word:
            messages.append(_message(word.partition("=")[0], words[i].partition("=")[0]))
    return words + rest, messages


def _message(old: str, new: str) -> str:
    return f"{old} is now {new}; the old name works until version {UNTIL}"


def _renamed(word: str, names: dict[str, str]) -> str:
    """The word with its option replaced, written as ``--option`` or ``--option=value``."""
    option, equals, value = word.partition("=")
    return names.get(_dashed(option), option) + equals + value


def _dashed(option: str) -> str:
    """``--stage1.head-rate`` for ``--stage1.head_rate``."""
    return option.replace("_", "-") if option.startswith("--") else option


def _option(key: str) -> str:
    return _dashed(f"--{key}")


def _settings() -> dict[str, str]:
    """Options of the settings that were renamed."""
    return {_option(old): _option(new) for old, new in RENAMED.items()}


def _test_normalisation(words: list[str]) -> tuple[list[str], list[str]]:
    """Replace the two old options of source statistics by the current one."""
    others: list[str] = []
    old_names: list[str] = []
    use, source = False, "fold"
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        option = _dashed(option)
        if option == SOURCE:
            source = value if equals else next(rest, "")
        elif option == SOURCE_STATISTICS:
            use = value.lower() not in ("false", "no", "0")
        elif option == SOURCE_STATISTICS.replace(".", ".no-"):
            use = False
        else:
            others.append(word)
            continue
        old_names.append(option)
    if not old_names:
        return words, []
    new = [TEST_NORMALISATION, source if use else "none"]
    return others + new, [_message(" ".join(old_names), " ".join(new))]
