"""The pages of the reference that are written from the code: settings, commands, JSON schema."""


def pages() -> dict[str, str]:
    """Every generated page: its file name below ``reference/`` and its Markdown."""
    return {
        "commands.md": "# Commands\n",
        "configuration.md": "# Configuration\n",
        "schema.md": "# JSON schema\n",
    }
