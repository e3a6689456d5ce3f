"""The blocks in which a WaveNet's frames become one row of conditions a sample, by their published names."""

from __future__ import annotations

from collections.abc import Iterator

from synthhost.families.note_input import build_note_input
from synthhost.families.wavenet_parts import Conditioning
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels, Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.repeat import Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands, SmoothStretch
from synthhost.streaming.transposed import ConvTranspose


def build_conditioner(shape: Conditioning) -> tuple[AnyBlock, dict[str, AnyBlock]]:
    """Return the blocks and those of them that have weights, by published name.

    The names are r9y9/wavenet_vocoder's, of its two generations, or NVIDIA/nv-wavenet's (`upsample`).
    Weights over time and bands are kept as the blocks take them: `upsample_conv.N.weight`, a transposed
    convolution, is `[neighbours, 1, scale]`, the neighbours backwards.
    """
    if shape.kind == "none":
        return Repeat(shape.hop_samples), {}
    if shape.notes is not None:
        return build_note_input(shape.notes)
    weighted: dict[str, AnyBlock] = {}
    parts: dict[str, AnyBlock] = {}
    if shape.statistics:
        parts["scaler"] = weighted["scaler"] = Standardise(shape.channels)
    if shape.kernel_in:
        edge = shape.kernel_in // 2
        inner = Conv(
            shape.channels,
            shape.channels,
            shape.kernel_in,
            padding=(edge, edge),
            edge="replicate",
            bias=False,
        )
        parts["conv_in"] = weighted["upsample_net.conv_in"] = inner
    for index, (name, block) in enumerate(_stages(shape)):
        if name:
            weighted[name] = block
        parts[f"stage_{index}"] = _over_bands(shape, block)
        if shape.slope != 1.0:
            parts[f"bend_{index}"] = LeakyReLU(shape.slope)
    return Sequence({"frames": Channels(0, shape.channels, of=shape.channels), **parts}), weighted


def _stages(shape: Conditioning) -> Iterator[tuple[str, AnyBlock]]:
    """Walk the stages that raise the rate, each with its published name; one without weights has none."""
    bands, hop = shape.channels, shape.hop_samples
    if shape.kind == "repeat":
        yield "", Repeat(hop)
    elif shape.kind == "window":
        yield "upsample", ConvTranspose(bands, bands, shape.window, hop, output_padding=hop - shape.window)
    elif shape.kind == "stretch":
        for index, scale in enumerate(shape.scales):
            name = f"upsample_net.upsample.up_layers.{2 * index + 1}"
            yield name, SmoothStretch(scale, neighbours=shape.neighbours)
    else:
        for index, scale in enumerate(shape.scales):
            yield f"upsample_conv.{2 * index}", ConvTranspose(shape.neighbours, 1, scale, scale)


def _over_bands(shape: Conditioning, block: AnyBlock) -> AnyBlock:
    return OverBands(shape.channels, block) if shape.kind in ("stretch", "transposed") else block
