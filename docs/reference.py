"""The pages of the reference that are written from the code: commands, settings, JSON schema.

``python docs/reference.py`` writes them, and ``make docs`` does so too.
"""

import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import docstring_parser
from cyclopts import App
from cyclopts.argument import Argument
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from affekt.cli import app
from affekt.cli.aliases import COMMANDS, OPTIONS
from affekt.config import Config
from affekt.renamed_settings import RENAMED
from affekt.server.schema import JobState, Prediction, Segment

FOLDER = Path(__file__).parent / "en" / "reference"
COMMANDS_HEAD = """# Commands

`affekt COMMAND --help` prints the same. Commands that train or evaluate also take each key of the
[configuration](configuration.md) as an option, for example `--stage2.epochs 40`.

Exit codes: 0 success, 1 internal error or a serious finding of `audit`, 2 error of the user (one
sentence says what to change), 3 only suspicions of `audit`, 130 interrupted.
`AFFEKT_DEBUG=1` prints the causes of an error.
"""
CONFIGURATION_HEAD = """# Configuration

A run is a recipe (a TOML file) plus options that override it. The key `epochs` of the section
`[stage2]` is the option `--stage2.epochs` on the command line. An unknown key is an error that
names the nearest key.
"""
SCHEMA_HEAD = """# JSON schema

`affekt predict --json`, `predict --out FILE.jsonl` and the server write these objects. The server
publishes the same schema at `/openapi.json`.
"""
TYPES = {str: "text", int: "integer", float: "number", bool: "yes or no", Path: "path"}


def pages() -> dict[str, str]:
    """Every generated page: its file name below ``reference/`` and its Markdown."""
    return {
        "commands.md": commands(),
        "configuration.md": configuration(),
        "schema.md": schema(),
    }


def write() -> None:
    """Write the pages into ``docs/en/reference``."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


def commands() -> str:
    """Each command with its arguments, options, defaults and help."""
    lines = [COMMANDS_HEAD]
    for name, command in _leaves(app, "affekt"):
        text = docstring_parser.parse(command.help)
        lines += [f"## {name}", "", text.short_description or "", ""]
        lines += [*_paragraphs(text.long_description), ""]
        help_of = {part.arg_name: part.description for part in text.params}
        if options := [_option(argument, help_of) for argument in _arguments(command)]:
            lines += _table(("option", "value", "default", "meaning"), options)
    lines += ["## Renamed commands and options", ""]
    rows = [(f"`affekt {old}`", f"`affekt {new}`") for old, new in COMMANDS.items()]
    for name, renamed in OPTIONS.items():
        rows += [(f"`{name} {old}`", f"`{name} {new}`") for old, new in renamed.items()]
    lines += ["The old names work for one release and say what replaces them.", ""]
    lines += _table(("old", "new"), rows)
    return "\n".join(lines)


def configuration() -> str:
    """Each setting with its type, default and help, by section."""
    lines = [CONFIGURATION_HEAD]
    head = ("key", "value", "default", "meaning")
    general = []
    for key, field in Config.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            general.append(_setting(key, field))
            continue
        lines += [f"## {key}", "", *_paragraphs(section.__doc__), ""]
        rows = [_setting(f"{key}.{name}", inner) for name, inner in section.model_fields.items()]
        lines += _table(head, rows)
    lines += ["## General", "", *_table(head, general)]
    lines += ["## Renamed keys", "", "The old keys are read for one release.", ""]
    lines += _table(("old", "new"), [(f"`{old}`", f"`{new}`") for old, new in RENAMED.items()])
    return "\n".join(lines)


def schema() -> str:
    """The JSON objects that ``predict --json`` and the server write, key by key."""
    lines = [SCHEMA_HEAD]
    for model in (Prediction, Segment, JobState):
        lines += [f"## {model.__name__}", "", *_paragraphs(model.__doc__), ""]
        rows = [
            (
                f"`{key}`",
                _type(field.annotation),
                _cell(
                    f"Deprecated: {field.description}" if field.deprecated else field.description
                ),
            )
            for key, field in model.model_fields.items()
        ]
        lines += _table(("key", "value", "meaning"), rows)
    return "\n".join(lines)


def _leaves(command: App, name: str) -> Iterator[tuple[str, App]]:
    """Commands without sub-commands, with their full names."""
    below = [key for key in command if not key.startswith("-")]
    if not below:
        yield name, command
    for key in below:
        yield from _leaves(command[key], f"{name} {key}")


def _arguments(command: App) -> list[Argument]:
    """The arguments of a command, less the settings."""
    sections = tuple(f"--{key.replace('_', '-')}" for key in Config.model_fields)
    found = [a for a in command.assemble_argument_collection() if a.show]
    takes_settings = any(a.name.startswith("--stage2.") for a in found)
    return [a for a in found if not (takes_settings and a.name.startswith(sections))]


def _option(argument: Argument, help_of: dict[str, str | None]) -> tuple[str, str, str, str]:
    field = argument.field_info
    names = [name for name in argument.names if not name.startswith("--empty-")]
    if field.kind is not field.KEYWORD_ONLY:
        names = [field.name.upper()]
    return (
        "<br>".join(f"`{name}`" for name in names),
        _type(argument.hint),
        "required" if argument.required else _default(field.default),
        _cell(argument.parameter.help or help_of.get(field.name)),
    )


def _setting(key: str, field: FieldInfo) -> tuple[str, str, str, str]:
    bounds = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    limits = [
        f"{words} {getattr(rule, name)}"
        for rule in field.metadata
        for name, words in bounds.items()
        if getattr(rule, name, None) is not None
    ]
    value = ", ".join([_type(field.annotation), *limits])
    return f"`{key}`", value, _default(field.get_default()), _cell(field.description)


def _type(hint: Any) -> str:
    """A type in words: ``integer``, or its choices."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _type(get_args(hint)[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in get_args(hint) if part is not type(None))
    if origin in (list, tuple):
        return f"list of {_type(get_args(hint)[0])}"
    if origin is dict:
        return "table"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return TYPES.get(hint, getattr(hint, "__name__", str(hint)))


def _default(value: Any) -> str:
    if isinstance(value, type) or value in (None, "", (), {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{value}`"


def _cell(text: str | None) -> str:
    """One line for a cell of a table."""
    return " ".join((text or "").replace("|", "\\|").split())


def _paragraphs(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").replace("``", "`").splitlines()]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


if __name__ == "__main__":
    write()
