"""How a valid convolution over time-major pieces is computed: the one place that knows processors.

Time-major memory `[batch, time, channels]` is at once channels-last memory of a picture one pixel high,
which oneDNN convolves without a copy, and the rows of overlapping windows, which one matrix product
convolves. oneDNN's packed kernel has the higher rate, the matrix product the lower cost per call; they
break even at a few million multiplications.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

_ONEDNN_PAYS_FROM = (
    4_000_000  # multiplications in a call; below, its fixed 30 us cost more than its rate gains
)
_TYPICAL_SAMPLES = 64  # the length oneDNN lays the weights out for; others work as well


class Kernel(Protocol):
    """A valid convolution with its weights laid out."""

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve `[batch, time, in]` to `[batch, time - reach, out]`, reach (taps - 1) * dilation.

        [render thread]
        """


Pack: TypeAlias = Callable[[Tensor, Tensor, int], Kernel]
"""Makes a kernel from weight `[out, in, kernel]`, bias `[out]` and dilation."""


class MatrixKernel:
    """Windows gathered into rows, then one matrix product; works on any device."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        out_channels, in_channels, self._taps = weight.shape
        rows = weight.detach().permute(2, 1, 0)
        self._matrix = rows.reshape(self._taps * in_channels, out_channels).contiguous()
        self._bias = bias.detach().clone()
        self._dilation = dilation

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve one piece. [render thread]"""
        batch, time, channels = x.shape
        count = time - (self._taps - 1) * self._dilation
        shape = (batch, count, self._taps, channels)
        strides = (time * channels, channels, self._dilation * channels, 1)
        windows = x.contiguous().as_strided(shape, strides)
        rows = windows.reshape(batch * count, self._taps * channels)
        return torch.addmm(self._bias, rows, self._matrix).view(batch, count, -1)


class OneDnnKernel:
    """oneDNN's convolution on weights packed beforehand; float32 on the CPU only."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        _, in_channels, taps = weight.shape
        picture = weight.detach().unsqueeze(2).contiguous(memory_format=torch.channels_last)
        size = [1, in_channels, 1, _TYPICAL_SAMPLES + (taps - 1) * dilation]
        self._spread = [1, dilation]
        self._packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            picture, [0, 0], [1, 1], self._spread, 1, size
        )
        self._bias = bias.detach().clone()
        self._convolve = torch.ops.mkldnn._convolution_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve one piece. [render thread]"""
        batch, time, channels = x.shape
        strides = (time * channels, 1, time * channels, channels)
        picture = x.contiguous().as_strided((batch, channels, 1, time), strides)
        y: Tensor = self._convolve(
            picture, self._packed, self._bias, [0, 0], [1, 1], self._spread, 1, "none", [], ""
        )
        return y.squeeze(2).transpose(1, 2)


class FasterKernel:
    """The matrix product for small calls, oneDNN for large ones; the choice rests on shapes alone."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        self._small = MatrixKernel(weight, bias, dilation)
        self._large = OneDnnKernel(weight, bias, dilation)
        self._reach = (weight.shape[2] - 1) * dilation
        self._large_from = -(-_ONEDNN_PAYS_FROM // weight.numel())  # output samples

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve one piece. [render thread]"""
        outputs = x.shape[0] * (x.shape[1] - self._reach)
        return self._large(x) if outputs >= self._large_from else self._small(x)


def onednn_usable(weight: Tensor) -> bool:
    """Tell whether oneDNN's packed convolution exists here and can take these weights."""
    return (
        bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
    )


def pack_convolution(weight: Tensor, bias: Tensor, dilation: int) -> Kernel:
    """Return the fastest kernel for these weights: `[out, in, kernel]`, `[out]`, dilation in samples."""
    if onednn_usable(weight):
        return FasterKernel(weight, bias, dilation)
    return MatrixKernel(weight, bias, dilation)
