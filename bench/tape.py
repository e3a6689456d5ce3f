"""The streams inside a network that runs in steps of one length: every stream keeps one history.

Time is the last of four axes, `[batch, channels, 1, samples]`: pictures one pixel high, for which graph
runtimes have their best layouts. A stream that waits for another, and a convolution that looks back, both
read the history of where the samples were made, so nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.streaming.block import AnyBlock


@dataclass(frozen=True, slots=True)
class Piece:
    """What one step brings of one stream.

    Attributes:
        tape: That holds the samples.
        source: Which of the tape's streams it is read from.
        samples: A step.
        seen: How many came before this step, the stream being long under way.
        lag: How far it lies behind what the source brings, in samples.
        activations: Still to be applied, on whatever is read.
    """

    tape: Tape
    source: int
    samples: int
    seen: int
    lag: int = 0
    activations: tuple[AnyBlock, ...] = ()

    def window(self, reach: int = 0) -> Tensor:
        """Return this step's samples and `reach` before them, `[batch, channels, 1, reach + samples]`."""
        x = self.tape.read(self.source, self.samples, self.lag, reach)
        for activation in self.activations:
            x = activation(x)
        return x

    def behind(self, samples: int) -> Piece:
        """Return the same stream so many samples later."""
        return replace(self, lag=self.lag + samples, seen=self.seen - samples) if samples else self

    def through(self, activation: AnyBlock) -> Piece:
        """Return the stream with a cheap function of each value, computed where it is read."""
        return replace(self, activations=(*self.activations, activation))


@dataclass(slots=True)
class Tape:
    """Everything one step computes, in order.

    The first step surveys: nothing is known of the histories, they are zeros as long as is asked for, and
    what was asked for is written down. Steps after that are given the histories of those lengths.

    Attributes:
        lengths: Of the history of every stream, in samples; None while surveying.
        histories: Of the streams that need any, `[batch, channels, 1, length]`, in order.
        noises: Noise for this step, `[batch, samples]`, in order; zeros while surveying.
        kept: The histories of the next step.
        needed: How much history each stream was asked for.
        drawn: Stream, first index and samples of every noise.
        operations: Multiplications and additions of all convolutions.
    """

    lengths: Sequence[int] | None = None
    histories: list[Tensor] = field(default_factory=list)
    noises: list[Tensor] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)
    needed: list[int] = field(default_factory=list)
    drawn: list[tuple[int, int, int]] = field(default_factory=list)
    operations: int = 0
    streams: list[Tensor] = field(default_factory=list)

    @property
    def batch(self) -> int:
        """Return how many voices run in step."""
        return int(self.streams[0].shape[0])

    def source(self, x: Tensor, seen: int) -> Piece:
        """Put the samples of a new stream on the tape."""
        place, samples = len(self.streams), x.shape[-1]
        length = 0 if self.lengths is None else self.lengths[place]
        if length:
            x = torch.cat((self.histories.pop(0), x), -1)
            self.kept.append(x[..., -length:])
        self.streams.append(x)
        self.needed.append(0)
        return Piece(self, place, samples, seen)

    def noise(self, stream: int, beside: Piece) -> Piece:
        """Put the next noise on the tape, as long as the stream it stands beside."""
        self.drawn.append((stream, beside.seen, beside.samples))
        if self.lengths is None:
            return self.source(torch.zeros(self.batch, 1, 1, beside.samples), beside.seen)
        return self.source(self.noises.pop(0)[:, None, None], beside.seen)

    def read(self, place: int, samples: int, lag: int, reach: int) -> Tensor:
        """Return `reach + samples` samples of a stream, the last one `lag` before its newest."""
        whole = self.streams[place]
        self.needed[place] = max(self.needed[place], lag + reach)
        first = whole.shape[-1] - samples - lag - reach
        if first < 0:
            assert self.lengths is None
            whole, first = F.pad(whole, (-first, 0)), 0
        return whole if not first and not lag else whole[..., first : first + reach + samples]

    def count(self, made: Tensor, weight: Tensor) -> None:
        """Count a convolution: `weight` is applied once for every place of `made`'s time and batch."""
        self.operations += 2 * weight.numel() * made.shape[0] * made.shape[-1]


def aligned(pieces: Sequence[Piece]) -> list[Piece]:
    """Return streams of one rate as late as the latest of them."""
    least = min(piece.seen for piece in pieces)
    return [piece.behind(piece.seen - least) for piece in pieces]
