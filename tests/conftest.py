"""What holds for every test, and what tests of several rooms use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from torch import Tensor

from synthhost.streaming.block import AnyBlock

EXTENSIONS = os.environ.get("SYNTHHOST_EXTENSIONS")
"""A folder with extension modules that take the place of the installed ones; `make sanitize` builds such."""


def _take_extensions(folder: Path) -> None:
    for short in ("_loops", "_plan"):
        name, path = f"synthhost.native.{short}", str(folder / f"{short}{EXTENSION_SUFFIXES[0]}")
        spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


if EXTENSIONS:
    _take_extensions(Path(EXTENSIONS))

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
