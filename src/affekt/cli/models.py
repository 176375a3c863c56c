"""``affekt models``."""

from .app import app, console


@app.command
def models() -> None:
    """List the models inside the package: classes, what each is good for, and its terms."""
    from rich.text import Text

    from ..bundled import bundled_models
    from ..checkpoint import load_checkpoint

    for name, folder in bundled_models().items():
        model = load_checkpoint(folder)
        console().print(Text(name, "bold"))
        for line in (", ".join(model.labels), model.note, f"Terms: {model.terms}"):
            console().print(Text(f"    {line}"))
