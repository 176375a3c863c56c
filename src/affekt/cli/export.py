"""``affekt export``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .app import app, say


@app.command
def export(
    model: str = "default",
    *,
    out: Path,
    format: Annotated[Literal["onnx"], Parameter(show=False)] = "onnx",  # until 0.3
    int8: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Export a model to one ONNX file: waves in, probabilities and attention out.

    Parameters
    ----------
    model:
        Name of a bundled model, or a model folder.
    out:
        New file.
    int8:
        Quantise the encoder's matrices to 8 bits: a third of the size, faster on processors without
        bfloat16 arithmetic, less exact.
    """
    from ..export.onnx_file import export_onnx
    from ..nn.bundled import model_folder
    from ..nn.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(model_folder(model))
    difference = export_onnx(checkpoint, out, int8=int8)
    size = out.stat().st_size / 1e6
    say(f"{out}: {size:.0f} MB; probabilities differ from the model's by at most {difference:.4f}")
    say(f"license: {checkpoint.license}")
