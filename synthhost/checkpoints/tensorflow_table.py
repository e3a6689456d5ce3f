"""Sorted tables of byte strings, as TensorFlow writes them (LevelDB's table format, uncompressed).

A file is a run of blocks and a footer. A block holds entries in the order of their keys, each key without
what it shares with the one before, then where keys are written whole, then its checksum. The footer points to
a block whose values say where the other blocks lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from synthhost.checkpoints.crc32c import crc32c, masked
from synthhost.core.errors import CheckpointError

MAX_ENTRIES = 100_000
MAX_KEY_BYTES = 4096

_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # how it is compressed, then the checksum
_MAGIC = bytes.fromhex("57fb808b247547db")
_MAX_VARINT_BYTES = 10


class DamagedError(CheckpointError):
    """Bytes are not what the format says; whoever knows the file's name says it with this reason."""


def read_table(file: bytes) -> dict[bytes, bytes]:
    """Return all entries of a table.

    Raises:
        DamagedError: The bytes are no whole, uncompressed table.
    """
    if len(file) < _FOOTER_BYTES or not file.endswith(_MAGIC):
        damaged("no table ends there")
    footer = file[-_FOOTER_BYTES:]
    _, at = read_handle(footer, 0)
    index, _ = read_handle(footer, at)
    entries: dict[bytes, bytes] = {}
    last = None
    for _, value in _entries(_block(file, index)):
        handle, _ = read_handle(value, 0)
        for key, held in _entries(_block(file, handle)):
            if last is not None and key <= last:
                damaged("its keys are not in order")
            entries[key], last = held, key
            if len(entries) > MAX_ENTRIES:
                damaged(f"it has more than {MAX_ENTRIES} entries")
    return entries


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, lowest first, and where it ends.

    Raises:
        DamagedError: It does not end.
    """
    value = place = 0
    while True:
        if at >= len(data) or place == _MAX_VARINT_BYTES:
            damaged("a number in it does not end")
        byte = data[at]
        value |= (byte & 0x7F) << (7 * place)
        at, place = at + 1, place + 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at


def read_handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return where a block begins and how long it is, and where the handle ends."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def damaged(reason: str) -> NoReturn:
    """Refuse.

    Raises:
        DamagedError: Always.
    """
    raise DamagedError(reason)


def _block(file: bytes, handle: tuple[int, int]) -> bytes:
    """Return the entries of a block, checked, without what stands behind them."""
    offset, size = handle
    end = offset + size
    if size < 4 or end + _TRAILER_BYTES > len(file) - _FOOTER_BYTES:
        damaged("a block lies outside of it")
    if file[end] != 0:
        damaged("it is compressed, which TensorFlow's checkpoints are not")
    if masked(crc32c(file[offset : end + 1])) != int.from_bytes(file[end + 1 : end + 5], "little"):
        damaged("a checksum does not fit")
    restarts = int.from_bytes(file[end - 4 : end], "little")
    if 4 * restarts + 4 > size:
        damaged("a block is shorter than what it points to")
    return file[offset : end - 4 - 4 * restarts]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block."""
    key, at = b"", 0
    while at < len(block):
        shared, at = read_varint(block, at)
        added, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or shared + added > MAX_KEY_BYTES or at + added + length > len(block):
            damaged("an entry does not fit into its block")
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + length]
        at += length
