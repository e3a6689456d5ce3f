"""TensorFlow's checkpoints, read without TensorFlow: `PREFIX.index` beside `PREFIX.data-00000-of-00001`.

The index is a sorted table of protocol-buffer messages, one a variable, that say type, shape, place and
checksum (tensorflow/core/protobuf/tensor_bundle.proto). Nothing in the files is run, every number is held
against the files' sizes, and only the tensors that are asked for are read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from synthhost.checkpoints.bundle_index import INDEX_SUFFIX, read_bounded
from synthhost.checkpoints.crc32c import crc32c, masked
from synthhost.checkpoints.tensorflow_table import DamagedError, damaged, read_table, read_varint
from synthhost.core.errors import CheckpointError

MAX_INDEX_BYTES = 16 * 1024**2
MAX_TENSOR_BYTES = 2 * 1024**3
MAX_SHARDS = 1000
MAX_DIMENSIONS = 16

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TYPES = MappingProxyType({1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"})  # of DataType, those read


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one variable lies, and as what."""

    dtype: int  # of TensorFlow's DataType
    shape: tuple[int, ...]
    shard: int
    offset: int
    size_bytes: int
    checksum: int | None
    sliced: bool


class TensorBundle(Mapping[str, Tensor]):
    """The variables of a checkpoint by name; each is read when it is asked for.

    Raises:
        CheckpointError: The index cannot be read, or is not that of a whole checkpoint.
    """

    def __init__(self, index: Path) -> None:
        self.path = index
        raw = read_bounded(index, MAX_INDEX_BYTES)
        try:
            table = read_table(raw)
            self._shards = _shards(table.pop(b"", b""))
            self._entries = {key.decode(): _entry(value) for key, value in table.items()}
        except UnicodeDecodeError as error:
            raise _broken(index, "a name in it is no text") from error
        except DamagedError as error:
            raise _broken(index, str(error)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Tensor:
        """Return a variable, its checksum checked.

        Raises:
            KeyError: There is none so named.
            CheckpointError: It cannot be read, is damaged or of a type that is no number.
        """
        entry = self._entries[name]
        kind = _TYPES.get(entry.dtype)
        path = self._shard_path(entry.shard)
        if kind is None or entry.sliced:
            raise CheckpointError(
                f"{self.path}: {name} is in pieces or no tensor of numbers; it is not read."
            )
        if entry.size_bytes != math.prod(entry.shape) * np.dtype(kind).itemsize:
            raise _broken(self.path, f"{name} has another size than its shape {list(entry.shape)}")
        held = _read_part(path, entry.offset, entry.size_bytes, name)
        if entry.checksum is not None and masked(crc32c(held)) != entry.checksum:
            raise _broken(path, f"the checksum of {name} does not fit")
        values = np.frombuffer(held, dtype=kind).reshape(entry.shape)
        return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), copy=True))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a variable without reading it."""
        return self._entries[name].shape

    def _shard_path(self, shard: int) -> Path:
        stem = self.path.name.removesuffix(INDEX_SUFFIX)
        return self.path.with_name(f"{stem}.data-{shard:05d}-of-{self._shards:05d}")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protocol-buffer message: number, and a whole number or bytes."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            whole, at = read_varint(message, at)
            yield number, whole
            continue
        length = 4 if wire == _FIXED32 else 8
        if wire == _BYTES:
            length, at = read_varint(message, at)
        elif wire not in (_FIXED32, _FIXED64):
            damaged("a message in it cannot be read")
        if at + length > len(message):
            damaged("a message in it is cut short")
        held, at = message[at : at + length], at + length
        yield number, held if wire == _BYTES else int.from_bytes(held, "little")


def _whole(value: int | bytes) -> int:
    if isinstance(value, bytes) or value >= 1 << 62:
        damaged("a number in it is out of range")
    return value


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        damaged("a message in it is none")
    return value


def _shards(header: bytes) -> int:
    """Return how many data files there are."""
    found = dict(_fields(header))
    shards = _whole(found.get(1, 0))
    if not 1 <= shards <= MAX_SHARDS:
        damaged(f"it speaks of {shards} data files")
    if found.get(2, 0) != 0:
        damaged("its numbers are big-endian, which is not read")
    return shards


def _entry(message: bytes) -> Entry:
    found: dict[int, int | bytes] = {}
    sliced = False
    for number, value in _fields(message):
        sliced |= number == 7
        found[number] = value
    checksum = _whole(found[6]) if 6 in found else None
    dtype, shard, offset, size = (_whole(found.get(number, 0)) for number in (1, 3, 4, 5))
    if size > MAX_TENSOR_BYTES:
        damaged(f"it speaks of a tensor of {size} bytes")
    return Entry(dtype, _shape(_message(found.get(2, b""))), shard, offset, size, checksum, sliced)


def _shape(message: bytes) -> tuple[int, ...]:
    sizes = []
    for number, value in _fields(message):
        if number == 2:
            size = _whole(dict(_fields(_message(value))).get(1, 0))
            if size > MAX_TENSOR_BYTES:
                damaged(f"it speaks of {size} rows")
            sizes.append(size)
    if len(sizes) > MAX_DIMENSIONS:
        damaged(f"it speaks of a tensor of {len(sizes)} dimensions")
    return tuple(sizes)


def _read_part(path: Path, offset: int, size: int, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            if offset + size > os.fstat(file.fileno()).st_size:
                raise _broken(path, f"it ends before {name}")
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}). The data file belongs beside its index."
        ) from error


def _broken(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path}: not a whole TensorFlow checkpoint: {why}. Fetch it again.")
