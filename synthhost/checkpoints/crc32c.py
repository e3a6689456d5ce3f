"""The checksum CRC-32C (Castagnoli, 1993), as TensorFlow's files carry it, many bytes at a time.

A long run of bytes is cut into lanes of equal length that are computed side by side; what the lanes come to
is put together by the rule that a checksum moved on over zeros is a linear function of its bits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_LANE_BYTES = 1024
_ALL_ONES = 0xFFFFFFFF
_MASK = 0xA282EAD8

Words = NDArray[np.uint32]


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of some bytes."""
    table = _table()
    whole = np.frombuffer(data, dtype=np.uint8)
    lanes = whole.shape[0] // _LANE_BYTES
    crc = _ALL_ONES
    if lanes:
        rows = whole[: lanes * _LANE_BYTES].reshape(lanes, _LANE_BYTES)
        for own in _lane_sums(rows, table).tolist():
            crc = _moved_on(crc) ^ own
    steps = table.tolist()
    for byte in whole[lanes * _LANE_BYTES :].tolist():
        crc = steps[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _ALL_ONES


def masked(crc: int) -> int:
    """Return a checksum as it is stored: turned and shifted, so that it can be part of what is checked."""
    turned = ((crc >> 15) | (crc << 17)) & _ALL_ONES
    return (turned + _MASK) & _ALL_ONES


@cache
def _table() -> Words:
    """Return what each value of a byte does to a checksum, `[256]`."""
    words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        words = np.where(words & 1, (words >> 1) ^ np.uint32(_POLYNOMIAL), words >> 1).astype(np.uint32)
    return words


def _lane_sums(rows: NDArray[np.uint8], table: Words) -> Words:
    """Return the checksum of each row from a start of zero, `[rows]`."""
    sums = np.zeros(rows.shape[0], dtype=np.uint32)
    for column in np.ascontiguousarray(rows.T):
        sums = table[(sums ^ column) & np.uint32(0xFF)] ^ (sums >> np.uint32(8))
    return sums


@cache
def _zeros() -> tuple[list[int], ...]:
    """Return what a lane of zeros does to each byte of a checksum, four lists of 256, lowest byte first."""
    table = _table()
    words = np.concatenate([np.arange(256, dtype=np.uint32) << np.uint32(8 * place) for place in range(4)])
    for _ in range(_LANE_BYTES):
        words = table[words & np.uint32(0xFF)] ^ (words >> np.uint32(8))
    return tuple(words[256 * place : 256 * place + 256].tolist() for place in range(4))


def _moved_on(crc: int) -> int:
    """Return a checksum after a lane of zeros."""
    first, second, third, fourth = _zeros()
    return first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24]
