"""``affekt models``."""

from .app import app, console


@app.command
def models() -> None:
    """List the models inside the package: classes, what each is good for, and its terms."""
    from rich.text import Text

    from ..nn.bundled import bundled_models
    from ..nn.checkpoint import load_checkpoint

    for name, folder in bundled_models().items():
        model = load_checkpoint(folder)
        console().print(Text(name, "bold"))
        for line in (", ".join(model.labels), model.intended_use, f"Terms: {model.license}"):
            console().print(Text(f"    {line}"))
