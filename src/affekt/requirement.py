"""What a value must be, in words, in place of the messages of pydantic."""

from collections.abc import Mapping, Sequence
from typing import Any

MESSAGES = {  # by the type of pydantic's error; filled in with its context
    "literal_error": "{expected}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "multiple_of": "a multiple of {multiple_of:g}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text of {min_length} or more characters",
    "string_too_long": "text of up to {max_length} characters",
    "url_parsing": "a URL",
    "url_scheme": "a URL with {expected_schemes}",
}


def requirement(errors: Sequence[Mapping[str, Any]]) -> str:
    """Say what one value must be, as the rest of a sentence that begins with its name.

    Args:
        errors: Errors of pydantic about the value, one for each alternative that it may be.
    """
    kinds = [error.get("type") for error in errors]
    if kinds == ["missing"]:
        return " is missing"
    if not all(kind in MESSAGES for kind in kinds):
        return ": " + str(errors[-1]["msg"]).removeprefix("Value error, ")
    each = (MESSAGES[str(error["type"])].format(**error.get("ctx", {})) for error in errors)
    return " must be " + " or ".join(dict.fromkeys(each))
