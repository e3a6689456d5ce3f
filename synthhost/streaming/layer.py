"""What a convolution and a transposed convolution share: parameters and their packed form."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from synthhost.streaming.block import Block, S
from synthhost.streaming.kernels import Kernel, Pack, pack_convolution


class WeightedBlock(Block[S]):
    """A block with one weight tensor and perhaps a bias, computed by one packed kernel."""

    in_channels: int
    out_channels: int

    def __init__(self, weight_shape: tuple[int, int, int], out_channels: int, bias: bool) -> None:
        super().__init__()
        assert min(weight_shape) >= 1, weight_shape
        reach = 1.0 / math.sqrt(weight_shape[1] * weight_shape[2])  # torch's own start for convolutions
        self.weight = nn.Parameter(torch.empty(weight_shape).uniform_(-reach, reach))
        self.bias: Tensor | None
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-reach, reach))
        else:
            self.register_parameter("bias", None)
        self._kernel: Kernel | None = None
        self._packed_by: Pack | None = None

    @abstractmethod
    def packed(self, pack: Pack) -> Kernel:
        """Return the kernel that computes this block's pieces."""

    def prepare(self, pack: Pack = pack_convolution) -> None:
        """Lay the weights out for `step`; where they lie like that, another stream may be playing on them."""
        if self._kernel is None or self._packed_by is not pack:
            self._kernel, self._packed_by = self.packed(pack), pack

    def forget_packing(self) -> None:
        """Drop the packed weights; the next step packs anew."""
        self._kernel = None

    def train(self, mode: bool = True) -> Self:
        """Switch training on or off; weights may have changed since they were packed."""
        if mode or self.training:  # else a stream may be playing on them
            self.forget_packing()
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.forget_packing()  # moved to another device or type
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.forget_packing()
        super()._load_from_state_dict(*args, **kwargs)

    def _convolve(self, window: Tensor) -> Tensor:
        """Run the packed kernel over `[batch, time, in]`. [render thread]"""
        if self._kernel is None:
            self.prepare()
        assert self._kernel is not None
        return self._kernel(window)

    def _nothing(self, batch: int) -> Tensor:
        """Return an output of no samples, `[batch, 0, out]`. [render thread]"""
        return self.weight.new_empty(batch, 0, self.out_channels)

    def _bias_values(self) -> Tensor:
        return self.weight.new_zeros(self.out_channels) if self.bias is None else self.bias.detach()


AnyLayer: TypeAlias = WeightedBlock[Any]
