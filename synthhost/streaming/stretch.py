"""Upsampling that all bands share: a block run over every band, and the smoothed nearest stretch.

Vocoders treat conditioning frames as a picture of one channel and raise their rate by two-dimensional
layers that know time and a few neighbouring bands. Here each band becomes a voice of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.core.draws import Draws
from synthhost.streaming.block import AnyBlock, Block
from synthhost.streaming.sequence import CompositeState
from synthhost.streaming.transposed import ConvTranspose


class OverBands(Block[CompositeState]):
    """One block for every band: its input channels are a band and its neighbours, its output the band's.

    With a convolution of F channels this is a two-dimensional one `[1, 1, F, kernel]`, zero edges over the
    bands. A two-dimensional *transposed* convolution meets the neighbours in reverse: flip its F axis.

    Args:
        bands: Of the stream.
        inner: From an odd number F of channels to 1, or from any number.
    """

    def __init__(self, bands: int, inner: AnyBlock) -> None:
        super().__init__()
        self.in_channels = self.out_channels = bands
        self.inner = inner
        self.parts = (inner,)
        self._neighbours = inner.in_channels or 1
        assert self._neighbours % 2 == 1, self._neighbours
        assert (inner.out_channels or 1) == 1, inner.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Run over a whole stream, `[batch, bands, time]`."""
        seen = self._with_neighbours(x, 1).transpose(2, 3)
        y: Tensor = self.inner(seen.reshape(-1, self._neighbours, x.shape[2]))
        return y.reshape(x.shape[0], x.shape[1], y.shape[2])

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> CompositeState:
        """Return the state of a stream that has not begun."""
        assert self.in_channels is not None
        return CompositeState(batch, [self.inner.new_state(batch * self.in_channels)])

    def step(self, x: Tensor, state: CompositeState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        return self._together(self.inner.step(self._apart(x), state.parts[0]), state.batch)

    def finish(self, x: Tensor, state: CompositeState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        return self._together(self.inner.finish(self._apart(x), state.parts[0]), state.batch)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return self.inner.ready(n_inputs)

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self.inner.total(n_inputs)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return self.inner.support(first, last)

    def _with_neighbours(self, x: Tensor, band_axis: int) -> Tensor:
        """Return a stream with each band's neighbours on a last axis, lowest first. [render thread]"""
        reach = self._neighbours // 2
        if not reach:
            return x.unsqueeze(3)
        edges = (0, 0, reach, reach) if band_axis == 1 else (reach, reach)
        return F.pad(x, edges).unfold(band_axis, self._neighbours, 1)

    def _apart(self, x: Tensor) -> Tensor:
        """Return `[batch, time, bands]` as `[batch * bands, time, neighbours]`. [render thread]"""
        seen = self._with_neighbours(x, 2).transpose(1, 2)
        return seen.reshape(x.shape[0] * x.shape[2], x.shape[1], self._neighbours)

    def _together(self, y: Tensor, batch: int) -> Tensor:
        """Return `[batch * bands, time, 1]` as `[batch, time, bands]`. [render thread]"""
        return y.reshape(batch, y.shape[0] // batch, y.shape[1]).transpose(1, 2)


class SmoothStretch(ConvTranspose):
    """Each sample `scale` times, then smoothed by an FIR of `2 * scale + 1` taps, in one step.

    Computed as the transposed convolution it amounts to, `3 * scale` taps wide. The edges are zeros:
    `scale` samples on either side, or, where it is causal, twice as many before the first alone.

    Attributes:
        weight: `[1, neighbours, 2 * scale + 1]`, as published for the convolution after the stretch (which
            has one more axis of 1); oldest first.
    """

    def __init__(self, scale: int, *, neighbours: int = 1, causal: bool = False) -> None:
        crop = {"output_padding": -2 * scale} if causal else {"padding": scale}
        super().__init__(neighbours, 1, 3 * scale, scale, bias=False, **crop)
        taps = 2 * scale + 1
        self.weight = nn.Parameter(torch.full((1, neighbours, taps), 1.0 / (neighbours * taps)))

    def raw_weight(self) -> Tensor:
        """Return the FIR backwards, summed over the `stride` places a sample stands at, `[in, 1, kernel]`."""
        backwards = F.pad(self.weight.flip(2), (self.stride - 1, self.stride - 1))
        return backwards.unfold(2, self.stride, 1).sum(3).transpose(0, 1)
