"""What follows from a tree of blocks: hop, look-ahead and receptive field, derived and never typed in."""

from __future__ import annotations

from synthhost.streaming.block import AnyBlock

_FAR = 1 << 20  # inputs: far beyond every edge of every network
_START = 1 << 10  # inputs over which a start is looked at


def hop_samples(block: AnyBlock) -> int:
    """Return how many outputs each further input brings."""
    return block.total(_FAR + 1) - block.total(_FAR)


def look_ahead_samples(block: AnyBlock) -> int:
    """Return how many output samples a running stream lies behind its input, at the output's rate."""
    return _FAR * hop_samples(block) - block.ready(_FAR)


def receptive_frames(block: AnyBlock) -> int:
    """Return how many inputs the outputs of one hop depend on together; no single output on more."""
    hop = hop_samples(block)
    first, last = block.support(_FAR * hop, (_FAR + 1) * hop - 1)
    return last - first + 1


def burst_samples(block: AnyBlock) -> int:
    """Return how many outputs beyond its inputs' hops any step can give while a stream starts.

    A start that mirrors what comes later decides several hops at once.
    """
    hop = hop_samples(block)
    lag, most = 0, 0  # how far the stream lies behind at best, and what it can catch up at once
    for inputs in range(_START):
        behind = inputs * hop - block.ready(inputs)
        lag = max(lag, behind)
        most = max(most, lag - behind)
    return most
