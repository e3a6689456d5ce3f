"""A step graph, which other runtimes are given, streams exactly what the blocks stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from synthhost.core.errors import ConfigError
from synthhost.library.model import model_from
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Affine, Channels, Offset, Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.edges import Lead, Tail
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, GraphBuilder
from synthhost.streaming.interpolation import Decimate, Interpolate
from synthhost.streaming.joins import Beside, Modulate
from synthhost.streaming.noise import Noise
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU, Tanh
from synthhost.streaming.positions import PositionDense
from synthhost.streaming.repeat import Clock, Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands, SmoothStretch
from synthhost.streaming.transposed import ConvTranspose

CHUNK = 6
SETTLED, COMPARED = 40, 12
BANDS = 4


def _conv(inputs: int = BANDS, outputs: int = BANDS, dilation: int = 1) -> Conv:
    return Conv(inputs, outputs, 3, dilation=dilation, padding=(dilation, dilation))


def _diffusion() -> AnyBlock:
    """Lay noise beside frames, thin it, modulate it by what became of the frames, and hold those back."""
    graph = GraphBuilder(BANDS)
    clock = graph.add("clock", Clock(4), graph.input)
    noise = graph.add("noise", Noise(0), clock)
    looked = graph.add("looked", Conv(1, BANDS, 9, padding=(4, 4)), noise)
    thinned = graph.add("thinned", Decimate(4, "linear"), looked)
    frames = graph.join("beside", Beside(), graph.input, thinned)
    film = graph.add("film", _conv(BANDS, 2 * BANDS), frames)
    modulated = graph.join("modulated", Modulate(), thinned, film)
    raised = graph.add("raised", Interpolate(4), modulated)
    return graph.build(graph.join("sum", Add(0.5), raised, looked))


NETWORKS: dict[str, Callable[[], AnyBlock]] = {
    "convolution": lambda: _conv(dilation=5),
    "mirrored edges": lambda: Conv(BANDS, 2, 7, padding=(3, 3), edge="reflect"),
    "transposed": lambda: ConvTranspose(BANDS, 3, 16, 8, padding=4),
    "transposed, uneven": lambda: ConvTranspose(BANDS, 3, 7, 3, padding=2, output_padding=1),
    "transposed, cropped at the end": lambda: ConvTranspose(BANDS, 3, 8, 4, output_padding=-4),
    "residual": lambda: Residual(Sequence({"a": LeakyReLU(0.1), "b": _conv(dilation=3), "c": _conv()})),
    "branches": lambda: Branches([_conv(dilation=2), Sequence({"a": Tanh(), "b": _conv()})], "mean"),
    "shifted": lambda: Tail(Sequence({"lead": Lead(2), "conv": _conv()}), 3, 0.0),
    "channelwise": lambda: Sequence(
        {"a": Affine(BANDS), "b": Offset(torch.arange(4.0)), "c": Standardise(BANDS), "d": Gate(2, "tanh")}
    ),
    "slice": lambda: Channels(1, 3, of=BANDS),
    "repeated": lambda: Sequence({"repeat": Repeat(3), "conv": _conv()}),
    "thinned": lambda: Sequence({"conv": _conv(), "thin": Decimate(3)}),
    "interpolated": lambda: Interpolate(5),
    "over bands": lambda: OverBands(BANDS, ConvTranspose(3, 1, 8, 4, padding=2)),
    "smoothed": lambda: OverBands(BANDS, SmoothStretch(4)),
    "diffusion": _diffusion,
}


def streamed(block: AnyBlock, frames: Tensor) -> Tensor:
    """Return what the blocks make of the last steps, `[batch, channels * samples]` a step."""
    state = block.new_state(frames.shape[0])
    with torch.inference_mode():
        made = [block.step(piece.transpose(1, 2), state).transpose(1, 2) for piece in frames.split(CHUNK, 2)]
    return torch.stack([piece.flatten(1) for piece in made[SETTLED:]])


def graphed(bench: Any, block: AnyBlock, frames: Tensor) -> Tensor:
    """Return what the step graph makes of the last steps, its state zeros at first."""
    batch = frames.shape[0]
    graph = bench("exported").StepGraph(block, batch, BANDS, CHUNK)
    draws = bench("case").SeededDraws.of(0, batch)
    state, made = [torch.zeros(shape) for shape in graph.state_shapes], []
    for step, piece in enumerate(frames.split(CHUNK, 2)):
        noises = []
        for (stream, first), samples in zip(graph.noises, graph.noise_samples, strict=True):
            noises.append(torch.from_numpy(draws.normals(stream, max(first + step * samples, 0), samples)))
        with torch.inference_mode():
            sound, *state = graph(piece, *noises, *state)
        made.append(sound)
    return torch.stack(made[SETTLED:])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_graph_streams_what_the_blocks_stream(bench: Any, network: str, batch: int) -> None:
    torch.manual_seed(0)
    block = NETWORKS[network]().eval()
    frames = torch.randn(batch, BANDS, CHUNK * (SETTLED + COMPARED))
    torch.testing.assert_close(graphed(bench, block, frames), streamed(block, frames), atol=2e-6, rtol=1e-5)


def test_history_that_several_layers_look_back_on_is_kept_once(bench: Any) -> None:
    branches = Branches([_conv(dilation=dilation) for dilation in (1, 3, 5)], "sum")
    graph = bench("exported").StepGraph(branches, 1, BANDS, CHUNK)
    assert [shape[-1] for shape in graph.state_shapes] == [10, 4, 2]  # the input's; two branches that wait


@pytest.mark.parametrize(("size", "gflop_per_s"), [("v2", 3.317), ("v3", 3.873)])
def test_work_is_counted_as_published_networks_have_it(bench: Any, size: str, gflop_per_s: float) -> None:
    model = model_from(bench("sizes").package_of(size))
    case = bench("case").Case(size, model.spec, model.playable, 1, 1)
    assert 1000.0 * case.gflop / case.sound_ms == pytest.approx(gflop_per_s, abs=1e-3)


def test_what_has_no_constant_lengths_is_refused(bench: Any) -> None:
    with pytest.raises(ConfigError, match="PositionDense has no form with steps of one length"):
        bench("exported").StepGraph(PositionDense(BANDS, 2, 8), 1, BANDS, CHUNK)
    with pytest.raises(ConfigError, match="give steps of more frames"):
        bench("exported").StepGraph(Decimate(4), 1, BANDS, CHUNK)
