"""Text of users and files, made harmless for terminals and spreadsheets."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to a spreadsheet


def printable(text: str, replacement: str | None = None) -> str:
    r"""Replace the characters that are not printable, such as those that control a terminal.

    Args:
        text: Any text.
        replacement: Put in place of each; by default its escape, as in ``\x1b``.
    """
    return "".join(
        c if c.isprintable() else f"\\x{ord(c):02x}" if replacement is None else replacement
        for c in text
    )


def csv_text(text: str) -> str:
    """Prefix text with an apostrophe if a spreadsheet would read it as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
