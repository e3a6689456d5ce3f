"""What holds for every test, and what tests of several rooms use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from synthhost.streaming.block import AnyBlock

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


@pytest.fixture(autouse=True)
def _plain_floating_point() -> Iterator[None]:
    """Rendering flushes denormal numbers on its thread; no test inherits that from another."""
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)


def _in_pieces(block: AnyBlock, x: Tensor, cuts: list[int]) -> Tensor:
    """Stream `x` `[batch, channels, time]` in pieces of the given lengths, then the rest, then flush."""
    state = block.new_state(x.shape[0])
    lengths = [*cuts, x.shape[2]]
    sent, outputs = 0, []
    with torch.inference_mode():
        for length in lengths:
            piece = x[:, :, sent : sent + length].transpose(1, 2)
            sent += piece.shape[1]
            outputs.append(block.step(piece, state))
            assert sum(y.shape[1] for y in outputs) == block.ready(sent)
        outputs.append(block.flush(state))
    assert sum(y.shape[1] for y in outputs) == block.total(sent)
    return torch.cat([y for y in outputs if y.shape[1]], 1).transpose(1, 2)


@pytest.fixture(scope="session")
def in_pieces() -> InPieces:
    """Stream `[batch, channels, time]` in pieces and return all of it, same layout."""
    return _in_pieces
