"""Folders of models: bundled ones by name, others by path."""

from importlib import resources
from pathlib import Path

from ..errors import CheckpointError


def model_folder(model: str | Path) -> Path:
    """Folder of a model.

    Args:
        model: Name of a bundled model, or a model folder.

    Raises:
        CheckpointError: No such model.
    """
    bundled = bundled_models()
    folder = bundled.get(str(model), Path(model))
    if not folder.is_dir():
        names = ", ".join(bundled)
        raise CheckpointError(f"{model}: no such model; give a model folder or one of {names}")
    return folder


def bundled_models() -> dict[str, Path]:
    """Folders of the bundled models, by name."""
    models = Path(str(resources.files("affekt") / "models"))
    return {path.name: path for path in sorted(models.iterdir()) if path.is_dir()}
