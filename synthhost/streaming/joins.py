"""Joins of several streams: what samplers and conditioned networks add, weigh, modulate and hold back."""

from __future__ import annotations

from torch import Tensor

from synthhost.streaming.graph import Join


class Weigh(Join):
    """The sum of streams, each times its weight."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        assert weights
        self.weights = weights

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the weighted sum. [render thread]"""
        total = streams[0] * self.weights[0]
        for stream, weight in zip(streams[1:], self.weights[1:], strict=True):
            total = total + stream * weight
        return total

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return the first known number."""
        return next((count for count in inputs if count is not None), None)


class Modulate(Join):
    """The first stream times a scale, plus a shift: the second stream holds all shifts, then all scales.

    Feature-wise linear modulation (Perez and others 2018) in the order of lmnt-com/wavegrad.
    """

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the modulated stream. [render thread]"""
        x, film = streams
        shift, scale = film.chunk(2, channel_axis)
        return shift + scale * x

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return those of the first."""
        return inputs[0]


class AddChannels(Join):
    """The first stream plus channels `first` to `last - 1` of the second, times `scale`."""

    def __init__(self, first: int, last: int, scale: float = 1.0) -> None:
        super().__init__()
        assert 0 <= first < last, (first, last)
        self.first, self.last, self.scale = first, last, scale

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the scaled sum. [render thread]"""
        total = streams[0] + streams[1].narrow(channel_axis, self.first, self.last - self.first)
        return total if self.scale == 1.0 else total * self.scale

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return those taken of the second."""
        return self.last - self.first


class Beside(Join):
    """The first stream, no further than the others have come.

    A stream that is wanted late at many places, such as what conditions the steps of a diffusion, waits once
    on its way from place to place and not whole at every one.
    """

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the first stream. [render thread]"""
        return streams[0]

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return those of the first."""
        return inputs[0]
