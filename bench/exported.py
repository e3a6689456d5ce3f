"""A network as a graph for other runtimes: a step with its state going in and out, or a whole pass."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bench.lowering import lowered
from bench.tape import Tape
from bench.whole import Pass, whole
from synthhost.core.errors import ModelError
from synthhost.streaming.block import AnyBlock

FRAMES, SOUND = "frames", "sound"
_FAR = 1 << 16  # steps, beyond every start
_OPSET = 17


class StepGraph(nn.Module):
    """`forward(frames, *noises, *state) -> (sound, *state)` of a stream long under way.

    Attributes:
        state_shapes: Of the histories, each `[batch, channels, 1, samples]`.
        noises: Stream of each noise, and the index of its first sample in the first step of all; below zero
            where the stream begins late.
        noise_samples: Of each noise in one step.
        operations: Multiplications and additions of the convolutions of one step.
    """

    def __init__(self, block: AnyBlock, batch: int, bands: int, chunk_frames: int) -> None:
        super().__init__()
        self.block = block
        self._seen = _FAR * chunk_frames
        self._lengths: tuple[int, ...] | None = None
        tape = Tape()
        with torch.no_grad():
            self._run(tape, torch.zeros(batch, bands, chunk_frames))
        self._lengths = tuple(tape.needed)
        shapes = zip(tape.streams, tape.needed, strict=True)
        self.state_shapes = [(*x.shape[:-1], length) for x, length in shapes if length]
        self.operations = tape.operations
        self.noise_samples = [samples for _, _, samples in tape.drawn]
        self.noises = [(stream, seen - _FAR * samples) for stream, seen, samples in tape.drawn]

    def forward(self, frames: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Compute one step.

        Args:
            frames: `[batch, bands, frames]`.
            *given: The noises, each `[batch, samples]`, then the state.

        Returns:
            The sound, `[batch, samples]`, and the next state.
        """
        count = len(self.noises)
        tape = Tape(self._lengths, list(given[count:]), list(given[:count]))
        sound = self._run(tape, frames)
        return (sound, *tape.kept)

    def _run(self, tape: Tape, frames: Tensor) -> Tensor:
        made = lowered(self.block, tape.source(frames.unsqueeze(2), self._seen)).window()
        return made.flatten(1)


class WholeGraph(nn.Module):
    """`forward(frames, *noises) -> (sound,)` of a whole utterance; attributes as `StepGraph` has them."""

    def __init__(self, block: AnyBlock, batch: int, bands: int, frames: int) -> None:
        super().__init__()
        self.block = block
        self.state_shapes: list[tuple[int, ...]] = []
        run = Pass()
        with torch.no_grad():
            whole(block, torch.zeros(batch, bands, 1, frames), run)
        self.operations = run.operations
        self.noise_samples = [samples for _, samples in run.drawn]
        self.noises = [(stream, 0) for stream, _ in run.drawn]

    def forward(self, frames: Tensor, *noises: Tensor) -> tuple[Tensor, ...]:
        """Compute the pass: `[batch, bands, frames]` and noises `[batch, samples]` to `[batch, samples]`."""
        return (whole(self.block, frames.unsqueeze(2), Pass(list(noises))).flatten(1),)


@dataclass(frozen=True, slots=True)
class Exported:
    """A step or a whole pass in the ONNX format, with what its player must know; see `StepGraph`."""

    model: bytes
    state_shapes: Sequence[tuple[int, ...]]
    noises: Sequence[tuple[int, int]]
    noise_samples: Sequence[int]
    frames_shape: tuple[int, int, int]
    sound_shape: tuple[int, int]
    whole: bool  # every run is a stream of its own

    @property
    def state_names(self) -> list[tuple[str, str]]:
        """Return the names of each state's input and output."""
        return [(f"state_{place}", f"next_{place}") for place in range(len(self.state_shapes))]

    @property
    def noise_names(self) -> list[str]:
        """Return the names of the noises."""
        return [f"noise_{place}" for place in range(len(self.noises))]


def export(graph: StepGraph | WholeGraph, batch: int, bands: int, chunk_frames: int) -> Exported:
    """Write a step or a whole pass as ONNX.

    All lengths are constant, and torch's tracing exporter, which needs nothing but `onnx`, folds what depends
    on weights alone.

    Raises:
        ModelError: ONNX has no word for something in it.
    """
    frames = torch.zeros(batch, bands, chunk_frames)
    noises = [torch.zeros(batch, samples) for samples in graph.noise_samples]
    state = [torch.zeros(shape) for shape in graph.state_shapes]
    with torch.no_grad():
        sound = graph(frames, *noises, *state)[0]
    made = Exported(
        b"",
        graph.state_shapes,
        graph.noises,
        graph.noise_samples,
        (batch, bands, chunk_frames),
        (batch, sound.shape[1]),
        isinstance(graph, WholeGraph),
    )
    names = [FRAMES, *made.noise_names, *(name for name, _ in made.state_names)]
    results = [SOUND, *(name for _, name in made.state_names)]
    return replace(made, model=_written(graph, (frames, *noises, *state), names, results))


def _written(
    graph: nn.Module, given: tuple[Tensor, ...], names: Sequence[str], results: Sequence[str]
) -> bytes:
    written = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # on the exporter's age, and that lengths are constant
        try:
            torch.onnx.export(
                graph.eval(),
                given,
                written,
                dynamo=False,
                opset_version=_OPSET,
                input_names=list(names),
                output_names=list(results),
            )
        except Exception as error:  # whatever the exporter cannot say in ONNX
            raise ModelError(f"torch cannot write it as ONNX ({type(error).__name__})") from error
    return written.getvalue()
