"""``affekt`` and ``python -m affekt``: what goes wrong becomes one sentence and an exit code."""

import errno
import os
import sys
from io import TextIOWrapper

from cyclopts import CycloptsError
from pydantic import ValidationError

from .cli import app, complain
from .config import explain
from .errors import AffektError

EXTRAS = dict.fromkeys(("sklearn", "scipy", "pandas", "pyarrow", "matplotlib"), "train")
EXTRAS |= dict.fromkeys(("onnx", "onnxscript", "onnxruntime"), "onnx")
EXTRAS |= dict.fromkeys(("fastapi", "uvicorn", "starlette", "prometheus_client"), "serve")
EXTRAS |= {"audformat": "baselines", "sounddevice": "mic", "ray": "cluster", "fsspec": "cluster"}


def main() -> None:
    """Entry point of the ``affekt`` command."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command; 0 done, 1 our fault, 2 the user's mistake, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _command(arguments)
    except AffektError as error:
        complain(error)
    except CycloptsError as error:
        invalid = error.__cause__
        complain(explain(invalid) if isinstance(invalid, ValidationError) else error)
    except ValidationError as error:
        complain(explain(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        complain(f"this needs {error.name}: pip install 'affekt[{extra}]'")
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            complain(f"{error.filename or 'standard output'}: {error.strerror}")
            return 2
        if os.environ.get("AFFEKT_DEBUG"):
            raise
        complain(f"internal error, please report it ({type(error).__name__}: {error})")
        return 1
    return 2


def _command(arguments: list[str] | None) -> int:
    code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
