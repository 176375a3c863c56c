"""Hashes of encoders and of weights files."""

import hashlib
import json
from pathlib import Path

from torch import nn

from ...errors import CheckpointError
from ...own_parts import dotted_path, hash_sources
from .own import is_own, probe_output
from .protocol import SegmentEncoder

BLOCK = 1 << 20  # bytes read at a time
# Attributes and settings that do not change the embeddings.
UNRELATED = ("training", "origin", "_name_or_path", "transformers_version")


def embedding_key(encoder: SegmentEncoder) -> bytes:
    """Hash everything that determines the embeddings: class, version, settings and weights.

    The code of an encoder of the user is represented by its source files and by its embeddings of
    two clips of noise.
    """
    parts = [_settings(m) for m in encoder.modules() if isinstance(m, SegmentEncoder)]
    digest = hashlib.sha256("\n".join(parts).encode())
    _add_weights(digest, encoder)
    if encoder.architecture:
        layers = {k: v for k, v in encoder.architecture.items() if k not in UNRELATED}
        digest.update(json.dumps(layers, sort_keys=True, default=str).encode())
    if is_own(encoder):
        digest.update(hash_sources(dotted_path(type(encoder)), "encoder.name").encode())
        digest.update(probe_output(encoder))
    return digest.digest()


def _settings(encoder: SegmentEncoder) -> str:
    """Class, version and settings of an encoder, without those of encoders in it."""
    settings = {k: v for k, v in vars(encoder).items() if isinstance(v, str | int | float)}
    settings = {k: v for k, v in settings.items() if k not in UNRELATED}
    return f"{type(encoder).__name__} {encoder.version} {sorted(settings.items())}"


def encoder_id(encoder: SegmentEncoder) -> str:
    """Hash an encoder's weights, to check that statistics were computed with the same encoder.

    Returns:
        16 hexadecimal digits, as files of normalisation statistics store them.
    """
    digest = hashlib.sha256(dotted_path(type(encoder)).encode() if is_own(encoder) else b"")
    _add_weights(digest, encoder)
    return digest.hexdigest()[:16]


def file_hash(*paths: Path) -> str:
    """SHA-256 of the contents of files, one after another, in hexadecimal.

    Raises:
        CheckpointError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be opened: {error.strerror}") from error
    return digest.hexdigest()


def _add_weights(digest: "hashlib._Hash", module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
