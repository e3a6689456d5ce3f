"""A diffusion that plays notes: it learns to find noise in a note's sound, beside an excitation at its pitch.

What is predicted is noise, so a step needs no game and no long crop; few steps make a sound already, since
the excitation stands where the sound's own fundamental stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError
from synthhost.core.options import settled
from synthhost.families import diffwave
from synthhost.families.diffwave_hyper import DiffwaveHyper
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.diffwave_rows import DiffwaveRows
from synthhost.train.note_sounds import NoteSounds, note_input, timbre_points
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.pictures import spectrogram
from synthhost.train.task import Batch

_EVALUATED = 24  # crops of notes held out
_LEVELS = 8  # of noise, at which they are judged
_NEAR = 0.1  # of a normal distribution's spread


class DiffusionNetwork(nn.Module):
    """The network and where its instruments lie."""

    def __init__(self, hyper: DiffwaveHyper, timbres: int) -> None:
        super().__init__()
        assert hyper.notes is not None
        self.diffwave = diffwave.build(hyper)
        self.timbres = timbre_points(timbres, hyper.notes.dimensions)
        self._rows = [DiffwaveRows(self.diffwave)]  # in a list: its weights are the network's own

    @property
    def rows(self) -> DiffwaveRows:
        """Return the network as it learns."""
        return self._rows[0]

    def forward(
        self, frames: Tensor, timbre: Tensor, moved: Tensor, noisy: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the noise that is found, `[batch, samples]`, and the timbres' points.

        Args:
            frames: Without a timbre, `[batch, channels, frames]`.
            timbre: Which instruments, `[batch]`.
            moved: Added to their points, `[batch, dimensions]`.
            noisy: `[batch, samples]`.
            step: Of the training schedule, `[batch]`.
        """
        points = self.timbres(timbre)
        placed = (points + moved)[:, :, None].expand(-1, -1, frames.shape[2])
        conditions = self.rows.conditions(torch.cat((frames, placed), 1))
        found: Tensor = self.rows(noisy, step, conditions)
        return found, points


class DiffusionTask:
    """Learns a diffusion that plays notes."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.hyper = diffusion_hyper(recipe)
        assert self.hyper.notes is not None
        self.input = self.hyper.notes
        try:
            self._gain = float(recipe.settings.get("gain", 1.0))
            self._pull = float(recipe.settings.get("timbre_pull", 1e-3))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        self.sounds = NoteSounds(recipe, self.input, self.hyper.receptive_samples, cache, say)
        torch.manual_seed(recipe.seed)
        self.network = DiffusionNetwork(self.hyper, len(self.sounds.material.timbres)).to(device)
        self.network.rows.to(device)
        self._forward = spread.shared(self.network, device)
        self.networks: Mapping[str, nn.Module] = {"network": self.network}
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(self.network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        }

    def draw(self, step: int) -> Batch:
        """Return crops of all instruments alike, how noisy each is, and the noise."""
        crops, told = self.sounds.drawn(step)
        rng = np.random.default_rng([self._recipe.seed, step, spread.rank(), 1])
        sound = self.sounds.sound(crops) * np.float32(self._gain)
        return {
            **told,
            "sound": sound,
            "step": rng.integers(0, len(self.hyper.training_betas), len(crops)),
            "found": rng.standard_normal(sound.shape).astype(np.float32),
        }

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Find the noise in the crops."""
        optimiser = self.optimisers["network"]
        noisy = self.network.rows.noised(batch["sound"], batch["step"], batch["found"])
        found, points = self._forward(batch["frames"], batch["timbre"], batch["noise"], noisy, batch["step"])
        loss = _missed(found, batch)
        optimiser.zero_grad(set_to_none=True)
        (loss + self._pull * points.square().mean()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.most_gradient)
        optimiser.step()
        return {"missed": float(loss.detach())}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return how much of the noise is missed on notes held out, at levels over all of the schedule."""
        total = 0.0
        steps = np.linspace(0, len(self.hyper.training_betas) - 1, _LEVELS).astype(np.int64)
        for number, crop in enumerate(self.sounds.unseen(_EVALUATED)):
            rng = np.random.default_rng([self._recipe.seed, number, 2])
            sound = self.sounds.sound([crop]) * np.float32(self._gain)
            plain: dict[str, Any] = {
                **self.sounds.told([crop]),
                "sound": sound,
                "step": steps[number % _LEVELS : number % _LEVELS + 1],
                "found": rng.standard_normal(sound.shape).astype(np.float32),
            }
            batch = {name: torch.as_tensor(one).to(self._device) for name, one in plain.items()}
            noisy = self.network.rows.noised(batch["sound"], batch["step"], batch["found"])
            none = torch.zeros(1, self.input.dimensions, device=self._device)
            found, _ = self.network(batch["frames"], batch["timbre"], none, noisy, batch["step"])
            total += float(_missed(found, batch))
        return {"held_out_missed": total / _EVALUATED}

    @torch.no_grad()
    def show(self, folder: Path) -> None:
        """Write a few notes of every instrument, a picture of them, and the instruments' points."""
        sound = np.concatenate([self._played(frames) for frames in self.sounds.shown(self.points())])
        rate, names = self.input.sample_rate, [one.name for one in self.sounds.material.timbres]
        soundfile.write(folder / "notes.wav", sound, rate, subtype="PCM_16")
        spectrogram(sound, rate, folder / "notes.png", ", ".join(names))
        self.finish(folder)

    def finish(self, folder: Path) -> None:
        """Write where the instruments lie in the timbre space."""
        self.sounds.write_points(self.points(), folder)

    def points(self) -> Features:
        """Return where the instruments lie, `[timbres, dimensions]`."""
        points: Features = self.network.timbres.weight.detach().cpu().numpy().astype(np.float32)
        return points

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights, and with instruments near the middle of its timbre space."""
        diffwave.load_weights(self.network.diffwave, tensors)
        with torch.no_grad():
            self.network.timbres.weight.mul_(_NEAR)

    def model(self) -> ReadModel:
        """Return the network."""
        tensors = diffwave.named_tensors(self.network.diffwave)
        return ReadModel("synthhost", "diffwave", self.hyper.as_json(), None, tensors, self.input.sample_rate)

    def _played(self, frames: Features) -> Audio:
        options = settled(diffwave.FAMILY.options, {}, self._recipe.name)
        sampler = diffwave.play(self.network.diffwave, options)
        state = sampler.new_state(1, SeededDraws.of(self._recipe.seed))
        rows = torch.from_numpy(np.ascontiguousarray(frames.T))[None].to(self._device)
        sound: Audio = sampler.step(rows, state)[0, :, 0].cpu().numpy()
        return sound


def diffusion_hyper(recipe: Recipe) -> DiffwaveHyper:
    """Return the shape of a recipe's network.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    plain = dict(recipe.hyper)
    notes = note_input(plain, NoteMaterial.from_json(recipe.material))
    shape = {"variant": "lmnt", **plain, "bands": notes.notes.bands, "notes": notes.as_json()}
    return DiffwaveHyper.from_json(shape)


def _missed(found: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the mean size of what was not found, over the samples that count."""
    counts = batch["counts"]
    return ((found - batch["found"]).abs() * counts).sum() / counts.sum()
