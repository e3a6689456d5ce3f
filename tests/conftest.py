"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _plain_floating_point() -> Iterator[None]:
    """Rendering flushes denormal numbers on its thread; no test inherits that from another."""
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)
