"""Read Google's ``vggish_model.ckpt`` without TensorFlow.

The file is a TensorFlow V1 checkpoint: an uncompressed LevelDB table that maps keys to
``SavedTensorSlices`` messages (tensorflow/core/util/saved_tensor_slice.proto). Only complete
float32 tensors are supported. Variables that are not asked for, such as the slots of an optimizer,
are not decoded.
"""

import math
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOOTER = 48
MAGIC = 0xDB4775248B80FB57
TRAILER = 5  # compression type and checksum behind each block
FIXED = {1: 8, 5: 4}  # bytes of the wire types of a fixed size


def read_tf_checkpoint(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    """Read float32 tensors of a V1 checkpoint by name; those that it lacks are absent.

    Raises:
        ValueError: The file is not a V1 checkpoint, or is truncated; or one of the tensors is not
            float32 or is stored in slices.
    """
    data = memoryview(path.read_bytes())
    if len(data) < FOOTER or struct.unpack_from("<Q", data, len(data) - 8)[0] != MAGIC:
        raise ValueError("no TensorFlow V1 checkpoint, or truncated")
    try:
        return _tensors(data, names)
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"TensorFlow V1 checkpoint with a broken table ({error!r})") from error


def _tensors(data: memoryview, names: Collection[str]) -> dict[str, Tensor]:
    footer = data[-FOOTER:]
    _, at = _varint(footer, 0)  # offset and size of the block of filters, unused
    _, at = _varint(footer, at)
    shapes: dict[str, list[int]] = {}
    tensors = {}
    for _, handle in _entries(_block(data, footer[at:])):
        for key, message in _entries(_block(data, handle)):
            if not key:  # the first entry is the table of contents
                shapes = dict(_shapes(_only(message, 1), names))
                continue
            saved = _only(message, 2)
            name = bytes(_only(saved, 1)).decode()
            if name not in names:
                continue
            floats = b"".join(
                bytes(value) for number, value in _fields(_only(saved, 3)) if number == 5
            )
            values = np.frombuffer(floats, "<f4")
            if values.size != math.prod(shapes[name]):
                raise ValueError(f"{name}: {values.size} values for shape {shapes[name]}")
            tensors[name] = torch.from_numpy(values.copy()).reshape(shapes[name])
    return tensors


def _shapes(meta: memoryview, names: Collection[str]) -> Iterator[tuple[str, list[int]]]:
    """Shapes of the variables of these names from ``SavedTensorSliceMeta``."""
    for number, tensor in _fields(meta):
        if number == 1 and (name := bytes(_only(tensor, 1)).decode()) in names:
            dims = [value for number, value in _fields(_only(tensor, 2)) if number == 2]
            yield name, [_only(dim, 1) for dim in dims]


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
    """Numbers and values of a protocol buffer: integers, and byte strings of any size."""
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
        elif size := FIXED.get(tag & 7, 0):
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
