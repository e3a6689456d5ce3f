"""A WaveNet's weights laid out for its compiled loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.native.compiled import compiled

if TYPE_CHECKING:  # it may not have been compiled
    from synthhost.native._loops import WavenetLoop


def wavenet_loop(
    hyper: WavenetHyper,
    tensors: Mapping[str, Tensor],
    speaker: Tensor | None,
    *,
    precision: str = "float32",
    level: str = "",
) -> WavenetLoop:
    """Return the recurrence of one network.

    What does not change from sample to sample is folded: the scales of skips and residuals into the layers'
    outputs, a speaker and the conditions' biases into the convolutions' biases.

    Args:
        hyper: Its shape.
        tensors: Its weights by published name, as `tensor_names` of the family tells.
        speaker: The speaker's vector, `[channels]`, if there is one.
        precision: How weights are stored, "float32" or "float16"; sums are of float32 in any.
        level: Which of the processor's instructions it uses; empty: the best, or as the environment says.
    """
    with torch.no_grad():
        layers = [_Layer(hyper, tensors, index, speaker) for index in range(len(hyper.dilations))]
        heads = [f"last_conv_layers.{place}" for place in ((1, 3) if hyper.head_channels else (1,))]
        first = tensors["first_conv.weight"][:, :, 0]
        loop: WavenetLoop = compiled().WavenetLoop(
            first=_array(first.T),
            first_bias=_array(tensors["first_conv.bias"]),
            dilations=hyper.dilations,
            kernel=hyper.kernel_size,
            gate=hyper.gate,
            convs=_stack([layer.conv for layer in layers]),
            conv_biases=_stack([layer.bias for layer in layers]),
            conditions=_stack([layer.condition for layer in layers]),
            mixes=_stack([layer.mix for layer in layers]),
            mix_biases=_stack([layer.mix_bias for layer in layers]),
            residual_scale=hyper.residual_scale,
            heads=[_array(tensors[f"{name}.weight"][:, :, 0]) for name in heads],
            head_biases=[_array(tensors[f"{name}.bias"]) for name in heads],
            distribution=hyper.output.distribution,
            levels=hyper.output.levels,
            companding=hyper.output.companding,
            de_emphasis=hyper.output.de_emphasis,
            gain=hyper.output.gain,
            start=hyper.output.start,
            dc_pole=hyper.output.dc_pole,
            precision=precision,
            level=level,
        )
        return loop


class _Layer:
    """One layer's matrices: `[gates, taps * residual]`, `[gates, conditions]`, `[residual + skip, gated]`."""

    def __init__(
        self, hyper: WavenetHyper, tensors: Mapping[str, Tensor], index: int, speaker: Tensor | None
    ) -> None:
        name = f"conv_layers.{index}"
        weight = tensors[f"{name}.conv.weight"]
        self.conv = weight.permute(0, 2, 1).reshape(weight.shape[0], -1)
        self.bias = tensors[f"{name}.conv.bias"].clone()
        self.condition = weight.new_zeros(weight.shape[0], 0)
        if hyper.bands:
            self.condition = tensors[f"{name}.conv1x1c.weight"][:, :, 0]
        if speaker is not None:
            self.bias += tensors[f"{name}.conv1x1g.weight"][:, :, 0] @ speaker
        if hyper.condition_bias:
            for part in ("conv1x1c", "conv1x1g"):
                self.bias += tensors.get(f"{name}.{part}.bias", torch.zeros(()))
        parts = (
            (f"{name}.conv1x1_out", hyper.residual_scale),
            (f"{name}.conv1x1_skip", hyper.skip_scale(index)),
        )
        self.mix = torch.cat([scale * tensors[f"{part}.weight"][:, :, 0] for part, scale in parts])
        self.mix_bias = torch.cat([scale * tensors[f"{part}.bias"] for part, scale in parts])


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)


def _stack(tensors: list[Tensor]) -> NDArray[np.float32]:
    return _array(torch.stack(tensors))
