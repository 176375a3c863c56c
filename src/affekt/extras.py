"""Optional dependencies: which extra of the package installs which module."""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtraError

MODULES = {
    "baselines": ("audformat", "opensmile"),
    "cluster": ("fsspec", "ray"),
    "media": ("av",),
    "mic": ("sounddevice",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "serve": (
        "fastapi",
        "httpx",
        "multipart",
        "prometheus_client",
        "starlette",
        "uvicorn",
        "websockets",
    ),
    "ssl": ("transformers",),
    "telemetry": ("grpc", "opentelemetry"),
    "tracking": ("mlflow", "tensorboard"),
    "train": (
        "accelerate",
        "jinja2",
        "matplotlib",
        "openpyxl",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
    ),
    "tune": ("optuna", "tomli_w"),
}
EXTRA_OF = {module: extra for extra, modules in MODULES.items() for module in modules}


@contextmanager
def optional_import(feature: str) -> Iterator[None]:
    """Turn a failed import of an optional dependency into an error that names the extra.

    Args:
        feature: What needs the dependency, as the subject of a sentence.

    Raises:
        MissingExtraError: A module of `MODULES` is not installed.
        ModuleNotFoundError: Another module is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise MissingExtraError(
            f"{feature} needs the extra {extra!r}: pip install 'affekt[{extra}]'"
        ) from error
