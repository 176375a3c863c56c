"""``python -m affekt``."""

import sys

from .cli import main as run


def main() -> None:
    """Entry point of the ``affekt`` command."""
    sys.exit(run())


if __name__ == "__main__":
    main()
