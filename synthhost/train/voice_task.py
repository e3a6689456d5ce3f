"""A WaveNet that plays notes: it goes on as a note's own sound does, beside an excitation at its pitch.

Every sample is predicted from those of the recording before it, with noise on what is heard: else the network
trusts itself more than the excitation, and what it makes by itself strays. The excitation stands where the
recording's own fundamental stands, so what is learned is what an instrument makes of a cycle, and the pitch
is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.families import wavenet
from synthhost.families.quantisation import amplitude_ids
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.draws import rng_of
from synthhost.train.note_crops import Crop
from synthhost.train.note_sounds import NoteSounds, note_input, timbre_points
from synthhost.train.note_task import NoteTask
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.rounding import Rounding
from synthhost.train.sample_learners import temperature_of
from synthhost.train.straying import Straying
from synthhost.train.task import Batch
from synthhost.train.texture_task import pairs_bits
from synthhost.train.wavenet_rows import WavenetRows

_EVALUATED = 24  # crops of notes held out
_MU, _LEVELS = 255.0, 256.0


class NoteNetwork(nn.Module):
    """The network and where its instruments lie."""

    def __init__(self, hyper: WavenetHyper, timbres: int) -> None:
        super().__init__()
        assert hyper.conditioning.notes is not None
        self.wavenet = wavenet.build(hyper)
        self.timbres = timbre_points(timbres, hyper.conditioning.notes.dimensions)
        self._rows = [WavenetRows(self.wavenet)]  # in a list: its weights are the network's own

    def forward(self, frames: Tensor, timbre: Tensor, noise: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, `[batch, samples, ids]`, and the timbres' points, `[batch, dimensions]`.

        Args:
            frames: Without a timbre, `[batch, channels, frames]`.
            timbre: Which instruments, `[batch]`.
            noise: Added to their points, `[batch, dimensions]`.
            heard: Ids, `[batch, samples]`.
        """
        points = self.timbres(timbre)
        placed = (points + noise)[:, :, None].expand(-1, -1, frames.shape[2])
        conditions = self.wavenet.conditioner(torch.cat((frames, placed), 1))
        logits: Tensor = self._rows[0](heard, conditions)
        return logits, points


class VoiceTask(NoteTask):
    """Learns a WaveNet that plays notes.

    Attributes:
        temperature: At which it is shown and measured.
    """

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.hyper = voice_hyper(recipe)
        assert self.hyper.conditioning.notes is not None
        self.input = self.hyper.conditioning.notes
        try:
            self._pull = float(recipe.settings.get("timbre_pull", 1e-3))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        self.temperature = temperature_of(recipe.settings)
        output = self.hyper.output
        ids, levels, companding = self.hyper.out_channels, output.levels, output.companding
        self._straying = Straying.from_json(recipe.settings, ids, levels, companding)
        self._rounding = Rounding.from_json(recipe.settings)
        self.sounds = NoteSounds(recipe, self.input, self.hyper.receptive_samples, cache, say)
        self._ids = self._quantised()
        torch.manual_seed(recipe.seed)
        network = NoteNetwork(self.hyper, len(self.sounds.material.timbres)).to(device)
        self.network = network
        self._forward = spread.shared(network, device)
        self.networks: Mapping[str, nn.Module] = {"network": network}
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        }

    def draw(self, step: int) -> Batch:
        """Return crops of all instruments alike, a part of them from a note's very begin."""
        crops, told = self.sounds.drawn(step)
        batch = {**told, **self._heard(crops)}
        rng, part = rng_of(self._recipe.seed, step, 1), step / self._recipe.steps
        return {**batch, "heard": self._straying.of(batch["heard"], rng, part)}

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Predict every sample of the crops from those before it."""
        optimiser = self.optimisers["network"]
        with self._rounding.at(step, self._device):
            logits, points = self._forward(batch["frames"], batch["timbre"], batch["noise"], batch["heard"])
        nats = self._nats(logits.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        (nats + self._pull * points.square().mean()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.most_gradient)
        optimiser.step()
        return {"bits": float(nats.detach()) / math.log(2.0)}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return bits a sample on notes held out, and what a table of pairs needs for them."""
        total, ids = 0.0, []
        for crop in self.sounds.unseen(_EVALUATED):
            batch = {
                name: torch.as_tensor(one).to(self._device)
                for name, one in {**self.sounds.told([crop]), **self._heard([crop])}.items()
            }
            none = torch.zeros(1, self.input.dimensions, device=self._device)
            logits, _ = self.network(batch["frames"], batch["timbre"], none, batch["heard"])
            total += float(self._nats(logits, batch)) / math.log(2.0)
            ids.append(batch["ids"][0].cpu().numpy())
        learned = np.concatenate([self._of(self._ids, int(note)) for note in self.sounds.learned[::7]])
        pairs = float(np.mean([pairs_bits(learned, one, self.hyper.out_channels) for one in ids]))
        return {"held_out_bits": total / _EVALUATED, "pairs_bits": pairs}

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights, and with instruments near the middle of its timbre space."""
        wavenet.load_weights(self.network.wavenet, tensors)
        self._begin_in_the_middle()

    def model(self) -> ReadModel:
        """Return the network."""
        tensors = {
            name: tensor.detach().clone().to(torch.float32)
            for name, tensor in self.network.wavenet.named_tensors().items()
        }
        rate = self.input.sample_rate
        return ReadModel("synthhost", "wavenet", self.hyper.as_json(), None, tensors, rate)

    def _quantised(self) -> NDArray[np.int64]:
        output, sound = self.hyper.output, self.sounds.notes.sound
        parts = [
            amplitude_ids(
                self._of(sound, note),
                self.hyper.out_channels,
                output.levels,
                output.companding,
                output.de_emphasis,
            )
            for note in range(self.sounds.notes.timbre.shape[0])
        ]
        return np.concatenate(parts)

    def _of(self, samples: NDArray[Any], note: int) -> NDArray[Any]:
        begin, end = self.sounds.notes.frames_of(note)
        hop = self.input.hop_samples
        return samples[begin * hop : end * hop]

    def _heard(self, crops: list[Crop]) -> Batch:
        size, start = self.sounds.crop_samples, int(self.hyper.output.start)
        ids = np.stack([self._ids[crop.first_sample :][:size] for crop in crops])
        first = [start if crop.at_start else self._ids[crop.first_sample - 1] for crop in crops]
        return {"ids": ids, "heard": np.concatenate((np.array(first)[:, None], ids[:, :-1]), 1)}

    @staticmethod
    def _nats(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        each = F.cross_entropy(logits.flatten(0, 1), batch["ids"].flatten(), reduction="none")
        counts = batch["counts"].flatten()
        return (each * counts).sum() / counts.sum()

    @torch.no_grad()
    def played(self, frames: Features, seed: int) -> Audio:
        """Return what the network makes of frames, `[bands, frames]`, by some chance, `[samples]`."""
        network = self.network.wavenet
        conditions = network.conditioner(torch.from_numpy(frames)[None].to(self._device))[0].T.cpu().numpy()
        loop, samples = wavenet.WavenetVoice(network).loop(), conditions.shape[0]
        chance = np.random.default_rng(seed).random((samples, loop.uniforms))
        out, none = np.empty(samples, np.float32), np.empty((samples, loop.normals), np.float32)
        loop.run(np.ascontiguousarray(conditions), chance, none, self.temperature, loop.new_state(), out)
        return out


def voice_hyper(recipe: Recipe) -> WavenetHyper:
    """Return the shape of a recipe's network.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    plain = dict(recipe.hyper)
    notes = note_input(plain, NoteMaterial.from_json(recipe.material))
    conditioning = {
        "kind": "notes",
        "channels": notes.notes.bands,
        "scales": [notes.hop_samples],
        "notes": notes.as_json(),
    }
    output = {
        "distribution": "softmax",
        "levels": _LEVELS,
        "companding": _MU,
        "de_emphasis": plain.get("de_emphasis", 0.0),
        "gain": 1.0,
        "start": _LEVELS / 2.0,
        "dc_pole": plain.get("dc_pole", 0.0),
    }
    shape = {
        "kernel_size": 2,
        "residual_scale": 0.5**0.5,
        "skip": "root",
        "out_channels": int(_LEVELS),
        **plain,
        "conditioning": conditioning,
        "output": output,
    }
    return WavenetHyper.from_json(shape)
