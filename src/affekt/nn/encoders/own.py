"""Segment encoders of the user, checked before they are used in training."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...audio.segmentation import SAMPLE_RATE, uniform
from ...config import Encoder as EncoderConfig
from ...errors import AffektError
from ...own_parts import import_part
from ...plural import counted
from ..devices import device_of
from .protocol import SegmentEncoder

PROBE = (1.5, 0.5)  # s; the second clip is shorter than a segment
TOLERANCE = 1e-3  # between a clip's embeddings alone and in a batch, relative to the largest


def own_encoder(config: EncoderConfig) -> SegmentEncoder:
    """Build the encoder that ``encoder.name`` names by a dotted path, without ``encoder.weights``.

    The class is called with ``encoder.options`` as keyword arguments, and the encoder is tried on
    two short clips of noise.

    Raises:
        AffektError: It cannot be imported or built, or its output is not as `SegmentEncoder`
            describes.
    """
    part = import_part(config.name, "encoder.name")
    if not (isinstance(part, type) and issubclass(part, SegmentEncoder)):
        raise AffektError(
            f"encoder.name = {config.name!r}: not a class derived from affekt.SegmentEncoder, "
            "with dim and forward(waves, spans)"
        )
    try:
        encoder = part(**config.options)
    except Exception as error:
        arguments = ", ".join(f"{key}={value!r}" for key, value in config.options.items())
        raise AffektError(
            f"encoder.name = {config.name!r}: {part.__name__}({arguments}) failed: "
            f"{type(error).__name__}: {error}; encoder.options are its arguments"
        ) from error
    encoder.eval()
    _check(encoder, config.name)
    if encoder.origin == SegmentEncoder.origin:
        encoder.origin = f"random start of {config.name}" if encoder.state_dict() else config.name
    return encoder


def is_own(encoder: SegmentEncoder) -> bool:
    """Whether an encoder is of the user: its code is not part of the package."""
    return type(encoder).__module__.partition(".")[0] != __name__.partition(".")[0]


@torch.inference_mode()
def probe_output(encoder: SegmentEncoder) -> bytes:
    """Embeddings of the two clips of noise: they change with the encoder's code and weights."""
    waves, spans = probe()
    device = device_of(encoder)
    return encoder([wave.to(device) for wave in waves], spans).cpu().numpy().tobytes()


def probe() -> tuple[list[Tensor], list[Tensor]]:
    """Waves and spans of two clips of noise, the same at each call."""
    noise = torch.Generator().manual_seed(0)
    sizes = [round(seconds * SAMPLE_RATE) for seconds in PROBE]
    waves = [0.1 * torch.randn(size, generator=noise) for size in sizes]
    return waves, [torch.from_numpy(uniform(seconds, 0.48)) for seconds in PROBE]


def _check(encoder: SegmentEncoder, name: str) -> None:
    """Check that the output of an encoder is as `SegmentEncoder` describes.

    Raises:
        AffektError: It is not.
    """
    dim = getattr(encoder, "dim", None)
    if not isinstance(dim, int) or dim < 1:
        raise AffektError(f"{name}: dim = {dim!r}; set it to the length of a segment's embedding")
    waves, spans = probe()
    together = _encode(encoder, waves, spans, name)
    alone = [_encode(encoder, [w], [s], name) for w, s in zip(waves, spans, strict=True)]
    if not torch.isfinite(together).all():
        raise AffektError(f"{name}: forward returns values that are not finite for noise")
    difference = (together - torch.cat(alone)).abs().max()
    if difference > TOLERANCE * together.abs().max():
        raise AffektError(
            f"{name}: a clip's embeddings alone and in a batch differ by {difference:.2g}; mask "
            "the padding, and do not normalise over the batch"
        )


@torch.inference_mode()
def _encode(
    encoder: SegmentEncoder, waves: Sequence[Tensor], spans: Sequence[Tensor], name: str
) -> Tensor:
    """Encode clips and check the shape and the type of the embeddings.

    Args:
        encoder: In evaluation mode.
        waves: ``(samples,)`` of each clip.
        spans: ``(segments, 2)`` of each clip.
        name: Dotted path of the encoder, for errors.

    Raises:
        AffektError: The encoder fails, or returns another shape or type.
    """
    wanted = (sum(map(len, spans)), encoder.dim)
    shapes = ", ".join(str(tuple(s.shape)) for s in spans)
    try:
        embeddings = encoder(waves, spans)
    except Exception as error:
        seconds = " and ".join(f"{len(w) / SAMPLE_RATE} s" for w in waves)
        raise AffektError(
            f"{name}: forward failed on {counted(len(waves), 'clip')} of {seconds} with spans "
            f"{shapes}: "
            f"{type(error).__name__}: {error}; a clip may be shorter than a segment"
        ) from error
    got = tuple(embeddings.shape) if isinstance(embeddings, Tensor) else type(embeddings).__name__
    if got != wanted or embeddings.dtype != torch.float32:
        kind = f" {embeddings.dtype}" if isinstance(embeddings, Tensor) else ""
        raise AffektError(
            f"{name}: forward returns {got}{kind} for spans {shapes}; it must return "
            f"{wanted} torch.float32: (segments of all clips, dim)"
        )
    return embeddings
