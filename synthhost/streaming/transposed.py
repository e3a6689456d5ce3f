"""The transposed convolution that streams exactly, as one convolution that gives `stride` outputs a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.draws import Draws
from synthhost.core.errors import FeatureError
from synthhost.streaming.block import State
from synthhost.streaming.kernels import Kernel, Pack
from synthhost.streaming.layer import WeightedBlock


@dataclass(slots=True)
class TransposeState(State):
    """Last inputs, outputs the end may crop (both `[batch, time, channels]`), what the start still crops."""

    held: Tensor
    surplus: Tensor
    to_crop: int
    seen: int = 0


class ConvTranspose(WeightedBlock[TransposeState]):
    """A one-dimensional transposed convolution; `kernel >= stride`, not necessarily a multiple of it.

    Input i reaches the raw outputs `i * stride ... i * stride + kernel - 1`, so raw output j is decided once
    input `j // stride` is there. `padding` raw outputs are cropped at the start of the stream, and
    `padding - output_padding` at its end; a negative `output_padding` crops more there, as causal layers do.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        *,
        padding: int = 0,
        output_padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__((in_channels, out_channels, kernel), out_channels, bias)
        assert kernel >= stride >= 1, (kernel, stride)
        assert padding >= 0, padding
        assert output_padding < max(stride, 1), output_padding
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel, self.stride = kernel, stride
        self.padding, self.output_padding = padding, output_padding
        self._overlap = -(-kernel // stride) - 1  # earlier inputs that reach a group of `stride` outputs
        self.longer = kernel - stride - padding + output_padding  # total = n * stride - padding + longer
        self._hold = max(0, -self.longer)  # decided outputs that the right crop would still take

    def forward(self, x: Tensor) -> Tensor:
        """Transposed-convolve a whole stream, `[batch, in, time]` to `[batch, out, time']`."""
        if not self.total(x.shape[2]):
            return x.new_empty(x.shape[0], self.out_channels, 0)
        longer = max(self.output_padding, 0)
        y = F.conv_transpose1d(x, self.raw_weight(), self.bias, self.stride, self.padding, longer)
        return y if self.output_padding >= 0 else y[:, :, : self.output_padding]

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> TransposeState:
        """Return the state of a stream that has not begun."""
        held = self.weight.new_zeros(batch, self._overlap, self.in_channels)
        return TransposeState(batch, held, self._nothing(batch), self.padding)

    def step(self, x: Tensor, state: TransposeState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        if not x.shape[1]:
            return self._nothing(state.batch)
        state.seen += x.shape[1]
        raw = self._advance(x, state)
        if not self._hold:
            return raw
        decided = max(0, raw.shape[1] - self._hold)
        state.surplus = raw[:, decided:]
        return raw[:, :decided]

    def finish(self, x: Tensor, state: TransposeState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        decided = self.step(x, state)
        rest = self.total(state.seen) - self.ready(state.seen)
        if not rest:
            return decided
        missing = rest - state.surplus.shape[1] + state.to_crop
        silence = decided.new_zeros(state.batch, max(0, -(-missing // self.stride)), self.in_channels)
        raw = self._advance(silence, state) if missing > 0 else state.surplus
        return torch.cat((decided, raw[:, :rest]), 1)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return max(0, n_inputs * self.stride - self.padding - self._hold)

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        outputs = n_inputs * self.stride - self.padding + self.longer
        if n_inputs and outputs < 1:
            raise FeatureError(
                f"A stream of {n_inputs} samples is too short for a transposed convolution of kernel "
                f"{self.kernel}, stride {self.stride} and padding {self.padding}; give it more."
            )
        return outputs if n_inputs else 0

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return -((self.kernel - 1 - first - self.padding) // self.stride), (
            last + self.padding
        ) // self.stride

    def raw_weight(self) -> Tensor:
        """Return the kernel that is applied, `[in, out, kernel]`, where a subclass keeps another."""
        return self.weight

    def packed(self, pack: Pack) -> Kernel:
        """Return a convolution with `stride * out` channels: channel `r * out + c` is output r of a group."""
        inputs, outputs, taps = self._overlap + 1, self.out_channels, self.kernel
        whole = F.pad(self.raw_weight().detach(), (0, inputs * self.stride - taps))
        grouped = whole.reshape(self.in_channels, outputs, inputs, self.stride)
        weight = grouped.flip(2).permute(3, 1, 0, 2)  # [stride, out, in, inputs], oldest input first
        weight = weight.reshape(self.stride * outputs, self.in_channels, inputs)
        return pack(weight, self._bias_values().repeat(self.stride), 1)

    def _advance(self, x: Tensor, state: TransposeState) -> Tensor:
        """Return surplus and new raw outputs, the left crop taken off. [render thread]"""
        window = torch.cat((state.held, x), 1) if self._overlap else x
        state.held = window[:, x.shape[1] :]
        raw = self._convolve(window).reshape(state.batch, x.shape[1] * self.stride, self.out_channels)
        if state.to_crop:
            cropped = min(state.to_crop, raw.shape[1])
            state.to_crop -= cropped
            raw = raw[:, cropped:]
        return torch.cat((state.surplus, raw), 1) if self._hold else raw
