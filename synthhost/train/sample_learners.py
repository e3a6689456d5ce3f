"""What learning by teacher forcing asks of networks that draw one sample after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.core.arrays import Audio
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError
from synthhost.core.seams import Runner
from synthhost.families import samplernn, wavenet
from synthhost.families.family import TEMPERATURE
from synthhost.families.quantisation import amplitude_ids
from synthhost.families.samplernn_hyper import SampleRnnHyper
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.train.wavenet_rows import WavenetRows

Update = Callable[[Tensor], None]
"""Takes the loss of one window, and takes a step down."""


class SampleLearner(Protocol):
    """A network and what it is asked.

    Attributes:
        family: Its name.
        network: It.
        trained: It, or the same weights laid out as they learn fastest.
        ids: How many there are.
        before: Ids that stand before the first one that is predicted.
        levels: Ids 0 to so many stand for -1 to 1.
        companding: mu of the mu-law that they follow; 0: none.
    """

    family: str
    network: Any
    trained: nn.Module
    ids: int
    before: int
    levels: float
    companding: float

    def ids_of(self, sound: Audio) -> NDArray[np.int64]:
        """Return the ids of a sound, `[samples]`."""

    def windows(self, forward: nn.Module, ids: Tensor, heard: Tensor, update: Update) -> float:
        """Predict ids, `[batch, before + samples]`, in windows; return the mean loss in nats.

        Args:
            forward: What is trained, or what averages its gradients with those of other processes.
            ids: `[batch, before + samples]`.
            heard: The same as they are heard by what predicts: with noise on them, or not.
            update: Is given the loss of every window, so that long crops need no more memory.
        """

    def made(self, samples: int, seed: int, temperature: float = 1.0) -> Audio:
        """Return what the network makes by itself, `[samples]`."""

    def hyper_json(self) -> dict[str, Any]:
        """Return its shape as manifests keep it."""

    def tensors(self) -> dict[str, Tensor]:
        """Return its weights by published name."""


class SampleRnnLearner:
    """SampleRNN, in windows of truncated backpropagation through time."""

    family = "samplernn"

    def __init__(self, hyper: dict[str, Any], window: int) -> None:
        self._hyper = SampleRnnHyper.from_json(hyper)
        self.network = samplernn.build(self._hyper)
        self.trained: nn.Module = self.network
        self.ids = self._hyper.q_levels
        self.before = self._hyper.look_back_samples
        self.levels, self.companding = float(self.ids), self._hyper.companding
        if window % self.before:
            raise ConfigError(f"settings: window: must be a multiple of {self.before}.")
        self._window = window

    def ids_of(self, sound: Audio) -> NDArray[np.int64]:
        """Return the ids of a sound, `[samples]`."""
        return amplitude_ids(sound, self.ids, self.ids, self._hyper.companding)

    def windows(self, forward: nn.Module, ids: Tensor, heard: Tensor, update: Update) -> float:
        """Predict ids window by window, the recurrent state going on from one to the next."""
        hidden: list[Tensor] | None = None
        total, count = 0.0, 0
        for first in range(0, ids.shape[1] - self.before, self._window):
            before = heard[:, first : first + self.before + self._window - 1]
            wanted = ids[:, first + self.before : first + self.before + self._window]
            found, hidden = forward(before, hidden)
            loss = F.nll_loss(found.flatten(0, 1).float(), wanted.flatten())
            update(loss)
            hidden = [one.detach() for one in hidden]
            total, count = total + float(loss.detach()), count + 1
        return total / count

    def made(self, samples: int, seed: int, temperature: float = 1.0) -> Audio:
        """Return what the network makes by itself, `[samples]`."""
        return _made(self.network.loop(), samples, seed, temperature)

    def hyper_json(self) -> dict[str, Any]:
        """Return its shape as manifests keep it."""
        return self._hyper.as_json()

    def tensors(self) -> dict[str, Tensor]:
        """Return its weights by published name."""
        return _kept(dict(self.network.named_parameters()))


class WavenetLearner:
    """WaveNet without conditions: one window is the whole crop."""

    family = "wavenet"

    def __init__(self, hyper: dict[str, Any], window: int) -> None:
        self._hyper = WavenetHyper.from_json(hyper)
        if self._hyper.bands or self._hyper.scalar_input:
            raise ConfigError("hyper: textures are learned without conditions, from ids.")
        if (self._hyper.gate, self._hyper.n_speakers) != ("tanh-sigmoid", 0) or self._hyper.skip == "halving":
            raise ConfigError("hyper: a texture has one speaker, gate tanh-sigmoid, skip sum or root.")
        self.network = wavenet.build(self._hyper)
        self.trained: nn.Module = WavenetRows(self.network)
        self.ids = self._hyper.out_channels
        self.before = min(self._hyper.receptive_samples, window)
        self.levels, self.companding = self._hyper.output.levels, self._hyper.output.companding

    def ids_of(self, sound: Audio) -> NDArray[np.int64]:
        """Return the ids of a sound, `[samples]`."""
        output = self._hyper.output
        return amplitude_ids(sound, self.ids, output.levels, output.companding, output.de_emphasis)

    def windows(self, forward: nn.Module, ids: Tensor, heard: Tensor, update: Update) -> float:
        """Predict the ids behind the first ones."""
        logits = forward(heard[:, :-1])[:, self.before - 1 :]
        loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, self.before :].flatten())
        update(loss)
        return float(loss.detach())

    def made(self, samples: int, seed: int, temperature: float = 1.0) -> Audio:
        """Return what the network makes by itself, `[samples]`."""
        return _made(wavenet.WavenetVoice(self.network).loop(), samples, seed, temperature)

    def hyper_json(self) -> dict[str, Any]:
        """Return its shape as manifests keep it."""
        return self._hyper.as_json()

    def tensors(self) -> dict[str, Tensor]:
        """Return its weights by published name."""
        return _kept(self.network.named_tensors())


def temperature_of(settings: Mapping[str, Any]) -> float:
    """Return at which temperature a recipe's network is shown and measured: `temperature`, or 1.

    Raises:
        ConfigError: It is no number, or out of range.
    """
    try:
        temperature = float(settings.get("temperature", 1.0))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"settings: temperature: {type(error).__name__}: {error}.") from error
    if not 0.0 <= temperature <= TEMPERATURE.maximum:
        raise ConfigError(f"settings: temperature: must lie between 0 and {TEMPERATURE.maximum:g}.")
    return temperature


def begun(runner: Runner, seeds: Sequence[int], temperature: float = 1.0) -> Any:
    """Return the state of voices, one of every seed, at a temperature."""
    state = runner.new_state(len(seeds), SeededDraws(tuple(seeds)))
    if temperature != 1.0:
        runner.set_control(state, TEMPERATURE.name, temperature)
    return state


def _kept(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone().to(torch.float32) for name, tensor in tensors.items()}


def _made(loop: Any, samples: int, seed: int, temperature: float) -> Audio:
    rng = np.random.default_rng(seed)
    out = np.zeros((1, samples), np.float32)
    chance = rng.random((1, samples, loop.uniforms)), rng.standard_normal((1, samples, loop.normals))
    none = np.zeros((1, samples, 0), np.float32)
    loop.run_together(none, chance[0], chance[1].astype(np.float32), temperature, [loop.new_state()], out)
    sound: Audio = out[0]
    return sound
