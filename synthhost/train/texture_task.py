"""Textures: SampleRNN or WaveNet learn to go on as recordings do, one sample after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.families.registry import family
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.draws import rng_of
from synthhost.train.pictures import spectrogram
from synthhost.train.recordings import RecordedMaterial, Recordings, recordings
from synthhost.train.rounding import Rounded, Rounding
from synthhost.train.sample_learners import SampleLearner, SampleRnnLearner, WavenetLearner, temperature_of
from synthhost.train.straying import Straying
from synthhost.train.task import Batch

LEARNERS: Mapping[str, Callable[[dict[str, Any], int], SampleLearner]] = MappingProxyType(
    {"samplernn": SampleRnnLearner, "wavenet": WavenetLearner}
)
"""What can learn a texture, by family."""

_SHOWN_S = 12.0
_EVALUATED = 16  # crops of what is held out


class TextureTask:
    """Learns a texture."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.material = RecordedMaterial.from_json(recipe.material)
        self.sample_rate, self._crop, self.learner = texture_parts(recipe)
        ids, levels, companding = self.learner.ids, self.learner.levels, self.learner.companding
        self._straying = Straying.from_json(recipe.settings, ids, levels, companding)
        self._temperature = temperature_of(recipe.settings)
        self._rounding = Rounding.from_json(recipe.settings)
        self.recordings: Recordings = recordings(self.material, self.sample_rate, cache, say)
        self._learned = self.learner.ids_of(self.recordings.learned)
        self._held_out = self.learner.ids_of(self.recordings.held_out)
        shortest = min(self._learned.shape[0], self._held_out.shape[0])
        if shortest <= self._crop + self.learner.before:
            raise TrainingError(
                f"material: too little of it ({shortest / self.sample_rate:.1f} s learned from or held out); "
                f"a crop takes {(self._crop + self.learner.before) / self.sample_rate:.1f} s."
            )
        network = self.learner.network.to(device)
        self.networks: Mapping[str, nn.Module] = {"network": network}
        self._forward = spread.shared(self.learner.trained, device)
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        }

    def draw(self, step: int) -> Batch:
        """Return crops of what is learned from."""
        rng = rng_of(self._recipe.seed, step)
        size = self._crop + self.learner.before
        begins = rng.integers(0, self._learned.shape[0] - size, self._recipe.batch)
        ids = np.stack([self._learned[begin : begin + size] for begin in begins])
        return {"ids": ids, "heard": self._straying.of(ids, rng, step / self._recipe.steps)}

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Predict every sample from those before it."""
        optimiser = self.optimisers["network"]

        def update(loss: Tensor) -> None:
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.learner.network.parameters(), self._recipe.most_gradient)
            optimiser.step()

        self.learner.network.train()
        rounded = Rounded(self._forward, lambda: self._rounding.at(step, self._device))
        nats = self.learner.windows(rounded, batch["ids"], batch["heard"], update)
        return {"bits": nats / math.log(2.0)}

    def evaluate(self) -> dict[str, float]:
        """Return bits a sample on recordings held out, and what a table of pairs needs for them."""
        return {
            "held_out_bits": bits(self.learner, self._held_out, self._crop, self._device),
            "pairs_bits": pairs_bits(self._learned, self._held_out, self.learner.ids),
        }

    def show(self, folder: Path) -> None:
        """Write what the network makes by itself, with a picture."""
        with torch.no_grad():
            samples, seed = int(_SHOWN_S * self.sample_rate), self._recipe.seed + 1
            sound = self.learner.made(samples, seed, self._temperature)
        soundfile.write(folder / "texture.wav", sound, self.sample_rate, subtype="PCM_16")
        spectrogram(sound, self.sample_rate, folder / "texture.png")

    def finish(self, folder: Path) -> None:
        """Nothing lies beside the model."""

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights."""
        family(self.learner.family).load_weights(self.learner.network, tensors)

    def model(self) -> ReadModel:
        """Return the network."""
        learner = self.learner
        return ReadModel(
            "synthhost", learner.family, learner.hyper_json(), None, learner.tensors(), self.sample_rate
        )


def texture_parts(recipe: Recipe) -> tuple[int, int, SampleLearner]:
    """Return a recipe's sample rate in Hz, the samples of a crop, and what learns, with fresh weights.

    Raises:
        ConfigError: The recipe says something else than a texture needs.
    """
    hyper, settings = dict(recipe.hyper), recipe.settings
    try:
        family, rate = str(hyper.pop("family")), int(hyper.pop("sample_rate"))
        window, windows = int(settings["window"]), int(settings.get("windows", 1))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"hyper, settings: {type(error).__name__}: {error}.") from error
    if family not in LEARNERS:
        raise ConfigError(f"hyper: family: {family!r} learns no texture; one of {', '.join(LEARNERS)} does.")
    if window < 64 or windows < 1:
        raise ConfigError("settings: window must be at least 64, windows at least 1.")
    torch.manual_seed(recipe.seed)
    return rate, window * windows, LEARNERS[family](hyper, window)


@torch.no_grad()
def bits(learner: SampleLearner, ids: NDArray[np.int64], crop: int, device: str = "cpu") -> float:
    """Return how many bits a sample a network needs for ids, `[samples]`, on crops spread over them."""
    size = crop + learner.before
    begins = np.linspace(0, ids.shape[0] - size, _EVALUATED).astype(np.int64)
    crops = torch.from_numpy(np.stack([ids[begin : begin + size] for begin in begins])).to(device)
    learner.network.eval()
    return learner.windows(learner.trained, crops, crops, lambda _: None) / math.log(2.0)


def pairs_bits(learned: NDArray[np.int64], ids: NDArray[np.int64], count: int) -> float:
    """Return how many bits a sample a table needs that knows only which id follows which."""
    table = np.full((count, count), 0.05)
    np.add.at(table, (learned[:-1], learned[1:]), 1.0)
    table /= table.sum(1, keepdims=True)
    return float(-np.log2(table[ids[:-1], ids[1:]]).mean())
