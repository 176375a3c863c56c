"""What the value of an option must be, in words, in place of the messages of cyclopts."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cyclopts import CoercionError

KINDS = {int: "a whole number", float: "a number", bool: "yes or no", Path: "a path"}


def explain_value(error: CoercionError) -> str:
    """Describe a value that has not the type of its option."""
    token = error.token
    if not token or not token.keyword or token.value is None:
        return str(error)
    return f"{token.keyword} {token.value}: give {_expected(error.target_type)}"


def _expected(kind: Any) -> str:
    """The values of a type."""
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_expected(one) for one in get_args(kind) if one is not NoneType)
    return KINDS.get(kind, f"a {getattr(kind, '__name__', kind)}")
