"""WaveGAN's generator (Donahue, McAuley, Puckette 2019) as a composition of streaming blocks.

A dense layer lays one latent vector out over a few positions in time, transposed convolutions with ReLU
between them turn those into samples, then tanh and, where it was trained with one, a filter. A clip is as
many frames as there are positions: frame p holds the latent vector that position p is made of, so one vector
held over all of them gives the published clip, and its first samples are there before its last frames are.

Upsampling by repetition followed by a convolution is one transposed convolution too, with a kernel that sums
neighbouring taps and a quarter of the work: it is stored and computed as such. Batch normalisation is folded.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synthhost.core.options import INT8, precision_option
from synthhost.core.specs import Prior
from synthhost.families.family import Family
from synthhost.families.wavegan_hyper import WaveganHyper
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.pointwise import ReLU, Tanh
from synthhost.streaming.positions import PositionDense
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.transposed import ConvTranspose


def build(hyper: WaveganHyper) -> Sequence:
    """Return the generator with fresh random weights, `[latent, positions]` to `[1, samples]`."""
    dense = PositionDense(hyper.latent, hyper.channels[0], hyper.positions)
    parts: dict[str, AnyBlock] = {"z_project": dense}
    for layer in range(len(hyper.kernels)):
        parts[f"relu_{layer}"] = ReLU()
        parts[f"upconv_{layer}"] = _upsampling(hyper, layer)
    parts["tanh"] = Tanh()
    if hyper.filter_taps:
        before = (hyper.filter_taps - 1) // 2  # an even filter has one tap more behind than before
        edges = before, hyper.filter_taps - 1 - before
        parts["pp_filt"] = Conv(1, 1, hyper.filter_taps, padding=edges, bias=False)
    return Sequence(parts)


def named_layers(generator: AnyBlock) -> dict[str, AnyBlock]:
    """Return the layers that carry weights by their published names, such as `upconv_4`."""
    carriers = (PositionDense, ConvTranspose, Conv)
    return {name: part for name, part in generator.named_children() if isinstance(part, carriers)}


def tensor_names(hyper: WaveganHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its name, with its shape."""
    with torch.device("meta"):
        layers = named_layers(build(hyper))
    return {
        f"{name}.{leaf}": tuple(tensor.shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(generator: AnyBlock, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by name; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(named_layers(generator), tensors)


def _clip_frames(hyper: WaveganHyper) -> int:
    return hyper.positions


def _prior(hyper: WaveganHyper) -> Prior:
    return hyper.prior


def _classes(hyper: WaveganHyper) -> tuple[str, ...]:
    return hyper.classes


def _upsampling(hyper: WaveganHyper, layer: int) -> ConvTranspose:
    kernel, stride, crop = hyper.kernels[layer], hyper.strides[layer], hyper.crops[layer]
    inputs, outputs = hyper.channels[layer], hyper.channels[layer + 1]
    longer = 2 * crop - (kernel - stride)  # what the end is cropped less than the start
    return ConvTranspose(inputs, outputs, kernel, stride, padding=crop, output_padding=longer)


FAMILY = Family(
    name="wavegan",
    title="WaveGAN",
    hyper_from_json=WaveganHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    clip_frames=_clip_frames,
    prior=_prior,
    classes=_classes,
    options=(precision_option(INT8),),
)
