"""The checksum is CRC-32C, however many bytes there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from synthhost.checkpoints.crc32c import crc32c, masked


def test_the_checksum_of_the_nine_digits_is_the_published_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_a_stored_checksum_is_turned_by_fifteen_bits_and_shifted() -> None:
    assert masked(0) == 0xA282EAD8
    assert masked(1 << 15) == 0xA282EAD9


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000, 5 * 1024])
def test_many_bytes_at_a_time_come_to_the_same_as_bit_by_bit(slow_crc32c: Any, count: int) -> None:
    data = np.random.default_rng(count).bytes(count)
    assert crc32c(data) == slow_crc32c(data)
