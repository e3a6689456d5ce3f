"""How a valid convolution over time-major pieces is computed: the one place that knows processors.

Time-major memory `[batch, time, channels]` is at once channels-last memory of a picture one pixel high,
which oneDNN convolves without a copy, and the rows of overlapping windows, which one matrix product
convolves. oneDNN's packed kernel has the higher rate (about a quarter faster from a few million
multiplications on), the matrix product the lower cost per call (10 us against 30), so large networks take the
one and small networks the other.

Which of the two computes a layer never depends on how long a piece is, and short pieces are filled up: both
libraries take other paths, with other sums, for a handful of rows. So every sample is the same to the bit
whatever the chunking, as far as the library keeps its order of summation from there on. That was measured for
all layers of the published networks with MKL and oneDNN on x86-64; `synthhost certify` measures it anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

_LARGE_PARAMETERS = 3_000_000  # from here on a network is computed by oneDNN
_TYPICAL_SAMPLES = 64  # the length oneDNN lays the weights out for; others work as well
_ROWS = 8  # a matrix product has a multiple of so many rows
_LEAST_SAMPLES = 16  # oneDNN computes no fewer outputs


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
        self._reach = (self._taps - 1) * dilation

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve one piece. [render thread]"""
        outputs = x.shape[1] - self._reach
        spare = -outputs % _ROWS
        x = F.pad(x, (0, 0, 0, spare)) if spare else x.contiguous()
        batch, time, channels = x.shape
        shape = (batch, outputs + spare, self._taps, channels)
        windows = x.as_strided(shape, (time * channels, channels, self._dilation * channels, 1))
        rows = windows.reshape(batch * (outputs + spare), self._taps * channels)
        y = torch.addmm(self._bias, rows, self._matrix).view(batch, outputs + spare, -1)
        return y[:, :outputs] if spare else y


class OneDnnKernel:
    """oneDNN's convolution on weights packed beforehand; float32 on the CPU only."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        _, in_channels, taps = weight.shape
        picture = weight.detach().unsqueeze(2).contiguous(memory_format=torch.channels_last)
        size = [1, in_channels, 1, _TYPICAL_SAMPLES + (taps - 1) * dilation]
        self._spread = [1, dilation]
        self._reach = (taps - 1) * dilation
        self._packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            picture, [0, 0], [1, 1], self._spread, 1, size
        )
        self._bias = bias.detach().clone()
        self._convolve = torch.ops.mkldnn._convolution_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve one piece. [render thread]"""
        outputs = x.shape[1] - self._reach
        spare = max(_LEAST_SAMPLES - outputs, 0)
        x = F.pad(x, (0, 0, 0, spare)) if spare else x.contiguous()
        batch, time, channels = x.shape
        strides = (time * channels, 1, time * channels, channels)
        picture = x.as_strided((batch, channels, 1, time), strides)
        convolved: Tensor = self._convolve(
            picture, self._packed, self._bias, [0, 0], [1, 1], self._spread, 1, "none", [], ""
        )
        y = convolved.squeeze(2).transpose(1, 2)
        return y[:, :outputs] if spare else y


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
    """Return the kernel for small networks: weights `[out, in, kernel]`, `[out]`, dilation in samples."""
    return MatrixKernel(weight, bias, dilation)


def pack_large(weight: Tensor, bias: Tensor, dilation: int) -> Kernel:
    """Return the kernel for large networks, where this machine has one; arguments as `pack_convolution`."""
    if onednn_usable(weight):
        return OneDnnKernel(weight, bias, dilation)
    return MatrixKernel(weight, bias, dilation)


def pack_for(parameters: int) -> Pack:
    """Return how to pack the layers of a network with so many parameters."""
    return pack_large if parameters >= _LARGE_PARAMETERS else pack_convolution
