"""Read Google's ``vggish_model.ckpt`` without TensorFlow.

The file is a TensorFlow V1 checkpoint: an uncompressed LevelDB table that maps keys to
``SavedTensorSlices`` messages (tensorflow/core/util/saved_tensor_slice.proto). Only complete
float32 tensors are supported; anything else raises a `ValueError`.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOOTER = 48
MAGIC = 0xDB4775248B80FB57
TRAILER = 5  # compression type and checksum behind each block


def read_tf_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the float32 tensors of a V1 checkpoint, by name.

    Raises:
        ValueError: The file is not a V1 checkpoint, or is truncated.
    """
    data = memoryview(path.read_bytes())
    if len(data) < FOOTER or struct.unpack_from("<Q", data, len(data) - 8)[0] != MAGIC:
        raise ValueError("no TensorFlow V1 checkpoint, or truncated")
    try:
        return _tensors(data)
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"TensorFlow V1 checkpoint with a broken table ({error!r})") from error


def _tensors(data: memoryview) -> dict[str, Tensor]:
    footer = data[-FOOTER:]
    _, at = _varint(footer, 0)  # offset and size of the block of filters, unused
    _, at = _varint(footer, at)
    shapes: dict[str, list[int]] = {}
    tensors = {}
    for _, handle in _entries(_block(data, footer[at:])):
        for key, message in _entries(_block(data, handle)):
            if not key:  # the first entry is the table of contents
                shapes = dict(_shapes(_only(message, 1)))
                continue
            saved = _only(message, 2)
            name = bytes(_only(saved, 1)).decode()
            floats = b"".join(
                bytes(value) for number, value in _fields(_only(saved, 3)) if number == 5
            )
            values = np.frombuffer(floats, "<f4")
            if values.size != math.prod(shapes[name]):
                raise ValueError(f"{name}: {values.size} values for shape {shapes[name]}")
            tensors[name] = torch.from_numpy(values.copy()).reshape(shapes[name])
    return tensors


def _shapes(meta: memoryview) -> Iterator[tuple[str, list[int]]]:
    """Names and shapes from ``SavedTensorSliceMeta``."""
    for number, tensor in _fields(meta):
        if number == 1:
            dims = [value for number, value in _fields(_only(tensor, 2)) if number == 2]
            yield bytes(_only(tensor, 1)).decode(), [_only(dim, 1) for dim in dims]


def _block(data: memoryview, handle: memoryview) -> memoryview:
    offset, at = _varint(handle, 0)
    size, _ = _varint(handle, at)
    if offset + size + TRAILER > len(data):
        raise ValueError("truncated")
    if data[offset + size] != 0:
        raise ValueError("compressed block")
    return data[offset : offset + size]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a block; a key repeats the start of the one before it."""
    restarts = struct.unpack_from("<I", block, len(block) - 4)[0]
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + bytes(block[at : at + fresh])
        at += fresh
        yield key, block[at : at + size]
        at += size


def _only(message: memoryview, number: int) -> Any:
    """The field with a number, of which there is one."""
    return dict(_fields(message))[number]


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a protocol buffer: integers and byte strings."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError(f"unexpected wire type {tag & 7}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
