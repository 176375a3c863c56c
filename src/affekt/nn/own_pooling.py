"""Poolings of the user, checked before they are used in training."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import AffektError
from ..own_parts import import_part

if TYPE_CHECKING:
    from .pooling import Pooling

SEGMENTS = (4, 1)  # of the two clips on which a pooling is tested


def own_pooling(path: str, hidden: int, base: "type[Pooling]") -> "Pooling":
    """Build the pooling that ``stage2.pooling`` names by a dotted path, and test it on two clips.

    Args:
        path: Dotted path of a class that takes ``hidden``.
        hidden: Length of a hidden vector.
        base: `Pooling`, from which the class must be derived.

    Raises:
        AffektError: It cannot be imported or built, or its output is not as `Pooling` describes.
    """
    part = import_part(path, "stage2.pooling")
    if not (isinstance(part, type) and issubclass(part, base)):
        raise AffektError(
            f"stage2.pooling = {path!r}: not a class derived from affekt.Pooling, with dim and "
            "forward(h, mask)"
        )
    try:
        pooling: Pooling = part(hidden)
        with torch.inference_mode():
            _check(pooling, hidden)
    except Exception as error:
        raise AffektError(
            f"stage2.pooling = {path!r}: {part.__name__}({hidden}) failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    return pooling


def _check(pooling: "Pooling", hidden: int) -> None:
    """Pool two clips together and one by one.

    Raises:
        ValueError: A wrong shape, shares that do not sum to 1, or a clip that depends on another.
    """
    h = torch.randn(2, max(SEGMENTS), hidden, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(max(SEGMENTS)) < torch.tensor(SEGMENTS)[:, None]
    h = h * mask[..., None]
    pooled, attention = pooling(h, mask)
    _check_shape("pooled", pooled, (2, pooling.dim))
    _check_shape("attention", attention, (2, max(SEGMENTS)))
    if (attention * ~mask).any() or not torch.allclose(attention.sum(1), torch.ones(2), atol=1e-4):
        raise ValueError("attention must be 0 where mask is false, and sum to 1 over each clip")
    for i, length in enumerate(SEGMENTS):
        alone, _ = pooling(h[i : i + 1, :length], mask[i : i + 1, :length])
        if not torch.allclose(alone[0], pooled[i], atol=1e-4):
            raise ValueError(
                "a clip's vector alone and in a batch differ; ignore the padded segments"
            )


def _check_shape(name: str, tensor: Tensor, expected: tuple[int, int]) -> None:
    if tuple(tensor.shape) != expected:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, it must be {expected}")
