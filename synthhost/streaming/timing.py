"""What follows from a tree of blocks: hop, look-ahead and receptive field, derived and never typed in."""

from __future__ import annotations

from synthhost.streaming.block import AnyBlock

_FAR = 1 << 20  # inputs: far beyond every edge of every network
_START = 1 << 10  # inputs over which a start is followed at most


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

    A start that mirrors what comes later decides several hops at once. Followed from the first output on
    until the stream lies behind its input as it always will.
    """
    hop, behind_always = hop_samples(block), look_ahead_samples(block)
    first = _first_deciding_input(block)
    lag, most = (first - 1) * hop, 0  # how far the stream lies behind at most, and what it can catch up
    for inputs in range(first, first + _START):
        behind = inputs * hop - block.ready(inputs)
        most = max(most, lag - behind)
        if behind == behind_always:
            break
        lag = max(lag, behind)
    return most


def _first_deciding_input(block: AnyBlock) -> int:
    """Return the least number of inputs after which a running stream has given something."""
    hop = hop_samples(block)
    low, high = 0, _FAR  # nothing after low, something after high
    usual = look_ahead_samples(block) // hop + 1  # of a stream that begins as it goes on
    if usual < high and block.ready(usual) and not block.ready(usual - 1):
        return usual
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if block.ready(middle) else (middle, high)
    return high
