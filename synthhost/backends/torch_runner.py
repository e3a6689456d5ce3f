"""The torch runner: a tree of streaming blocks behind the Runner seam, numpy arrays in and out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.streaming.block import AnyBlock, State
from synthhost.streaming.kernels import pack_for
from synthhost.streaming.noise import Noise
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples


@dataclass(slots=True)
class TorchState:
    """One running stream on the torch runner; owned by the caller."""

    network: State
    ended: bool = False

    def copy(self) -> TorchState:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self, network=self.network.copy())


class TorchRunner:
    """One model computed by torch, on whatever device its weights are.

    Raises:
        ConfigError: `spec` says something else than the network does.
    """

    def __init__(self, spec: ModelSpec, block: AnyBlock, controls: tuple[ParamSpec, ...] = ()) -> None:
        self.spec = spec
        self.controls = controls
        self._block = block.eval()
        check_spec(spec, block)
        check_start(spec, block)
        streams = [part.stream for part in block.modules() if isinstance(part, Noise)]
        self.noise_streams, self.uniform_streams = max(streams, default=-1) + 1, 0
        self._device = block.no_input(1).device
        with torch.inference_mode():
            block.prepare(pack_for(sum(tensor.numel() for tensor in block.parameters())))

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> TorchState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        with torch.inference_mode():
            return TorchState(self._block.new_state(batch, draws))

    def set_control(self, state: TorchState, name: str, value: float) -> None:
        """Take over a control from the next sample on. [render thread]"""
        state.network.set_control(name, value)

    def step(self, frames: Features, state: TorchState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Frames are trusted: they are checked where they enter.

        Raises:
            FeatureError: The stream has ended, or `out` holds fewer samples than a step may give.

        [render thread]
        """
        samples = frames.shape[2] * self.spec.hop_samples + self.spec.burst_samples
        self._check_out(samples, frames.shape[0], state, out)
        with torch.inference_mode():
            x = torch.from_numpy(frames.transpose(0, 2, 1).copy()).to(self._device)
            return _write(self._block.step(x, state.network), out)

    def flush(self, state: TorchState, out: Audio) -> int:
        """End the stream: write what was still held back (at most `look_ahead_samples + burst_samples`).

        Raises:
            FeatureError: The stream has ended before, is too short for the network, or `out` is too small.

        [render thread]
        """
        batch = state.network.batch
        self._check_out(self.spec.look_ahead_samples + self.spec.burst_samples, batch, state, out)
        state.ended = True
        with torch.inference_mode():
            return _write(self._block.flush(state.network), out)

    def _check_out(self, needed: int, batch: int, state: TorchState, out: Audio) -> None:
        """Refuse an ended stream, another number of voices, or too little room. [render thread]"""
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        if batch != state.network.batch or out.shape[0] != batch or out.shape[1] < needed:
            raise FeatureError(
                f"Frames of {batch} voices into a stream of {state.network.batch} with room for "
                f"{list(out.shape)}; give the stream's voices and room for [{batch}, {needed}] samples."
            )


def check_spec(spec: ModelSpec, block: AnyBlock) -> None:
    """Refuse a description that is not the network's.

    Raises:
        ConfigError: With the number at fault.
    """
    facts = {
        "bands": (spec.bands, spec.bands if block.in_channels is None else block.in_channels),
        "hop_samples": (spec.hop_samples, hop_samples(block)),
        "look_ahead_samples": (spec.look_ahead_samples, look_ahead_samples(block)),
    }
    for name, (said, derived) in facts.items():
        if said != derived:
            raise ConfigError(
                f"{spec.name}: {name} is {said} in the manifest but {derived} in the network; "
                "the manifest belongs to another model."
            )


def check_start(spec: ModelSpec, block: AnyBlock) -> None:
    """Refuse a network that gives more at its start than a step has room for.

    Raises:
        ConfigError: With the number of samples.
    """
    burst = burst_samples(block)
    if burst > spec.burst_samples:
        raise ConfigError(
            f"{spec.name}: at its start the network gives {burst} samples more than its hop of "
            f"{spec.hop_samples} for one frame; its description allows {spec.burst_samples}."
        )


def _write(y: Tensor, out: Audio) -> int:
    """Copy `[batch, samples, 1]` into `out` and return the samples. [render thread]"""
    samples = y.shape[1]
    out[:, :samples] = y[:, :, 0].cpu().numpy()
    return samples
