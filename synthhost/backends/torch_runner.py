"""The torch runner: a tree of streaming blocks behind the Runner seam, numpy arrays in and out."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.specs import ModelSpec
from synthhost.streaming.block import AnyBlock, State
from synthhost.streaming.kernels import pack_for
from synthhost.streaming.timing import hop_samples, look_ahead_samples

_START_FRAMES = 256  # over which the start is checked for bursts


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

    def __init__(self, spec: ModelSpec, block: AnyBlock) -> None:
        self.spec = spec
        self._block = block.eval()
        self._check_spec()
        self._check_start()
        self._device = block.no_input(1).device
        with torch.inference_mode():
            block.prepare(pack_for(sum(tensor.numel() for tensor in block.parameters())))

    def new_state(self, batch: int = 1) -> TorchState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        with torch.inference_mode():
            return TorchState(self._block.new_state(batch))

    def step(self, frames: Features, state: TorchState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Frames are trusted: they are checked where they enter.

        Raises:
            FeatureError: The stream has ended, or `out` holds fewer than `frames * hop_samples` samples.

        [render thread]
        """
        self._check_out(frames.shape[2] * self.spec.hop_samples, frames.shape[0], state, out)
        with torch.inference_mode():
            x = torch.from_numpy(frames.transpose(0, 2, 1).copy()).to(self._device)
            return _write(self._block.step(x, state.network), out)

    def flush(self, state: TorchState, out: Audio) -> int:
        """End the stream: write what look-ahead still held back (at most `look_ahead_samples`).

        Raises:
            FeatureError: The stream has ended before, is too short for the network, or `out` is too small.

        [render thread]
        """
        batch = state.network.batch
        self._check_out(self.spec.look_ahead_samples, batch, state, out)
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

    def _check_spec(self) -> None:
        facts = {
            "bands": (self.spec.bands, self._block.in_channels),
            "hop_samples": (self.spec.hop_samples, hop_samples(self._block)),
            "look_ahead_samples": (self.spec.look_ahead_samples, look_ahead_samples(self._block)),
        }
        for name, (said, derived) in facts.items():
            if said != derived:
                raise ConfigError(
                    f"{self.spec.name}: {name} is {said} in the manifest but {derived} in the network; "
                    "the manifest belongs to another model."
                )

    def _check_start(self) -> None:
        """Refuse a network that gives more than a hop for one frame, which `out` could not hold."""
        decided = [self._block.ready(frames) for frames in range(_START_FRAMES)]
        most = max(after - before for before, after in itertools.pairwise(decided))
        if most > self.spec.hop_samples:
            raise ConfigError(
                f"{self.spec.name}: the network gives {most} samples for one frame at its start, more than "
                f"its hop of {self.spec.hop_samples}; such an edge cannot be played live."
            )


def _write(y: Tensor, out: Audio) -> int:
    """Copy `[batch, samples, 1]` into `out` and return the samples. [render thread]"""
    samples = y.shape[1]
    out[:, :samples] = y[:, :, 0].cpu().numpy()
    return samples
