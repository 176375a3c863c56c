"""``affekt models``."""

from .app import app, console


@app.command
def models() -> None:
    """List the bundled models with their classes, intended use and license."""
    from rich.text import Text

    from ..nn.bundled import bundled_models
    from ..nn.model_config import read_model_config

    for name, folder in bundled_models().items():
        model = read_model_config(folder)
        console().print(Text(name, "bold"))
        for line in (", ".join(model.labels), model.intended_use, f"License: {model.license}"):
            console().print(Text(f"    {line}"))
