"""``affekt`` and ``python -m affekt``: run a command; print an error as one sentence."""

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper

from cyclopts import CoercionError, CycloptsError
from pydantic import ValidationError

from .cli import app, complain
from .cli.aliases import replace_old_names
from .cli.files import name_standard_input
from .cli.values import explain_value
from .config import explain
from .errors import AffektError, DamagedFileWarning, RenamedWarning
from .extras import optional_import


def main() -> None:
    """Entry point of the ``affekt`` command."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command.

    With ``AFFEKT_DEBUG`` set, every error is printed with its traceback and its causes.

    Args:
        arguments: In place of ``sys.argv[1:]``.

    Returns:
        The exit code: 0 for success, 1 for an internal error or a negative result, 2 for a
        mistake of the user, 130 for Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        try:
            return _command(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            complain("interrupted")
            return 130
        except BrokenPipeError:  # the reader of our output has closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception as error:
            if os.environ.get("AFFEKT_DEBUG"):
                traceback.print_exception(error)
            return _failed(error)


def _command(arguments: list[str]) -> int:
    arguments, messages = replace_old_names(name_standard_input(arguments))
    for message in messages:
        complain(message)
    with optional_import("this command"):
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """Print an error as one sentence, and choose the exit code."""
    if isinstance(error, CycloptsError) and isinstance(error.__cause__, ValidationError):
        error = error.__cause__
    if isinstance(error, ValidationError):
        complain(explain(error))
    elif isinstance(error, CoercionError):
        complain(explain_value(error))
    elif isinstance(error, AffektError | CycloptsError):
        complain(error)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        complain(f"{error.filename or 'standard output'}: {error.strerror}")
    else:
        complain(f"internal error, please report it ({type(error).__name__}: {error})")
        return 1
    return 2


def _show_warning(
    show: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *where: object,
) -> None:
    """Print a warning of affekt as one line; others as Python does."""
    if issubclass(category, RenamedWarning | DamagedFileWarning):
        complain(message)
    else:
        show(message, category, *where)


if __name__ == "__main__":
    main()
