"""What writes TensorFlow checkpoints for tests, byte by byte, by the format's own description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.generic]
DTYPES = MappingProxyType({"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19})


def plain_crc32c(data: bytes) -> int:
    """Return the checksum bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = plain_crc32c(data)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def varint(value: int) -> bytes:
    head = b""
    while value >= 0x80:
        head += bytes([value & 0x7F | 0x80])
        value >>= 7
    return head + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return a block with its trailer, every second key written without what it shares."""
    body, last = b"", b""
    for place, (key, value) in enumerate(entries):
        shared = 0
        while place % 2 and shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    body += bytes(4) + (1).to_bytes(4, "little")
    return body + b"\0" + masked(body + b"\0")


def table(entries: list[tuple[bytes, bytes]], a_block: int = 3) -> bytes:
    """Return a table of several blocks."""
    file, index = b"", []
    for first in range(0, len(entries), a_block):
        part = entries[first : first + a_block]
        whole = block(part)
        index.append((part[-1][0] + b"\xff", varint(len(file)) + varint(len(whole) - 5)))
        file += whole
    handles = b""
    for one in (block([]), block(index)):
        handles += varint(len(file)) + varint(len(one) - 5)
        file += one
    return file + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def entry(array: Array, offset: int) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    raw = array.tobytes()
    message = field(1, DTYPES[str(array.dtype)]) + field(2, shape) + field(4, offset) + field(5, len(raw))
    return message + varint(6 << 3 | 5) + masked(raw)


def write(prefix: Path, variables: Mapping[str, Array]) -> Path:
    """Write a checkpoint and return the path of its index."""
    header = field(1, 1) + field(3, field(1, 1))
    entries, held = [(b"", header)], b""
    for name in sorted(variables):
        entries.append((name.encode(), entry(variables[name], len(held))))
        held += variables[name].tobytes()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(held)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table(entries))
    return index


@pytest.fixture(scope="session")
def write_bundle() -> Callable[[Path, Mapping[str, Array]], Path]:
    """Give what writes variables as a TensorFlow checkpoint of a prefix and returns its index."""
    return write


@pytest.fixture(scope="session")
def write_table() -> Callable[[list[tuple[bytes, bytes]]], bytes]:
    """Give what makes a sorted table of entries."""
    return table


@pytest.fixture(scope="session")
def slow_crc32c() -> Callable[[bytes], int]:
    """Give the checksum computed bit by bit."""
    return plain_crc32c
