"""A diffusion that plays notes: it learns to find noise in a note's sound, beside an excitation at its pitch.

What is predicted is noise, so a step needs no game and no long crop; few steps make a sound already, since
the excitation stands where the sound's own fundamental stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError
from synthhost.core.options import settled
from synthhost.families import diffwave, wavegrad
from synthhost.families.diffwave_hyper import DiffwaveHyper
from synthhost.families.wavegrad_hyper import WavegradHyper
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.diffwave_rows import DiffwaveRows
from synthhost.train.draws import rng_of
from synthhost.train.noise_finder import NoiseFinder
from synthhost.train.note_crops import Crop
from synthhost.train.note_sounds import NoteSounds, note_input, timbre_points
from synthhost.train.note_task import NoteTask
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.rounding import Rounding
from synthhost.train.stft_losses import multi_resolution_loss, octave_loss
from synthhost.train.task import Batch
from synthhost.train.wavegrad_rows import WavegradRows, begin_orthogonal

_EVALUATED = 24  # crops of notes held out
_LEVELS = 8  # of noise, at which they are judged
_ROWS = 3  # dimensions of rows of noise
FFT_SIZES, _OCTAVE_SIZES, _QUIETEST = (128, 256, 512, 1024), (512, 1024), 2e-3


def _diffwave(plain: Mapping[str, Any]) -> NoiseFinder:
    return DiffwaveRows(diffwave.build(DiffwaveHyper.from_json(plain)))


def _wavegrad(plain: Mapping[str, Any]) -> NoiseFinder:
    network = wavegrad.build(WavegradHyper.from_json(plain))
    begin_orthogonal(network)
    return WavegradRows(network)


FINDERS: Mapping[str, Callable[[Mapping[str, Any]], NoiseFinder]] = MappingProxyType(
    {"diffwave": _diffwave, "wavegrad": _wavegrad}
)
"""What can find noise, by family."""


class DiffusionNetwork(nn.Module):
    """The network and where its instruments lie."""

    def __init__(self, finder: NoiseFinder, timbres: int) -> None:
        super().__init__()
        self.finder = finder
        self.timbres = timbre_points(timbres, finder.notes.dimensions)

    def forward(
        self, frames: Tensor, timbre: Tensor, moved: Tensor, noisy: Tensor, level: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the noise that is found, `[batch, samples]`, and the timbres' points.

        Args:
            frames: Without a timbre, `[batch, channels, frames]`.
            timbre: Which instruments, `[batch]`.
            moved: Added to their points, `[batch, dimensions]`.
            noisy: `[batch, samples]`; or rows of noise, `[batch, steps, samples]`: then the sound is returned
                that a sampler of as many steps makes of them.
            level: As the network is told it, `[batch]`.
        """
        points = self.timbres(timbre)
        placed = (points + moved)[:, :, None].expand(-1, -1, frames.shape[2])
        whole = torch.cat((frames, placed), 1)
        if noisy.ndim == _ROWS:
            return self.finder.sampled(whole, noisy), points
        found: Tensor = self.finder(noisy, level, whole)
        return found, points


class DiffusionTask(NoteTask):
    """Learns a diffusion that plays notes."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        torch.manual_seed(recipe.seed)
        self._finder = finder_of(recipe)
        self.input = self._finder.notes
        try:
            self._pull = float(recipe.settings.get("timbre_pull", 1e-3))
            self._few = [int(one) for one in recipe.settings.get("few_steps", [])]
            self._few_from = int(recipe.settings.get("few_steps_from", 0))
            self._rounding = Rounding.from_json(recipe.settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        self.sounds = NoteSounds(recipe, self.input, self._finder.receptive_samples, cache, say)
        self._check_few()
        torch.manual_seed(recipe.seed + 1)
        self.network = DiffusionNetwork(self._finder, len(self.sounds.material.timbres)).to(device)
        self._forward = spread.shared(self.network, device)
        self.networks: Mapping[str, nn.Module] = {"network": self.network}
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(self.network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        }

    def _check_few(self) -> None:
        """Refuse few steps that cannot be taken, or that a crop is too short for.

        Raises:
            ConfigError: They are such.
        """
        if not self._few:
            return
        if min(self._few) < 1:
            raise ConfigError(f"settings: few_steps: {self._few}: give numbers of steps, 1 or more.")
        for steps in self._few:
            self._finder.steps(steps)
        if self._few_from >= self._recipe.steps:
            raise ConfigError(
                f"settings: few_steps_from: {self._few_from} of {self._recipe.steps} steps: they never begin."
            )
        least = max(self._few) * self.sounds.before_samples // self.input.hop_samples
        if self.sounds.crop_frames <= least:
            raise ConfigError(
                f"settings: crop_frames: must be more than {least}, which {max(self._few)} steps look back."
            )

    def draw(self, step: int) -> Batch:
        """Return crops of all instruments alike, how noisy each is, and the noise.

        From some step on: the noise of a sampler of a few steps instead.
        """
        crops, told = self.sounds.drawn(step)
        rng = rng_of(self._recipe.seed, step, 1)
        if self._few and step >= self._few_from:
            steps = int(rng.choice(self._few))
            sound = self.sounds.sound(crops)
            noise = rng.standard_normal((len(crops), steps, sound.shape[1])).astype(np.float32)
            return {**told, "sound": sound, "rows": noise, "level": np.zeros(len(crops), np.float32)}
        sound = self._lifted(crops)
        return {
            **told,
            "sound": sound,
            "level": self._finder.drawn(rng, len(crops)),
            "found": rng.standard_normal(sound.shape).astype(np.float32),
        }

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Find the noise in the crops; or come nearer to their sound in a few steps."""
        if "rows" in batch:
            return self._learn_to_sound(batch, step)
        optimiser = self.optimisers["network"]
        noisy = self._finder.noised(batch["sound"], batch["level"], batch["found"])
        told = (batch["frames"], batch["timbre"], batch["noise"])
        with self._rounding.at(step, self._device):
            found, points = self._forward(*told, noisy, batch["level"])
        loss = self._missed(found.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        (loss + self._pull * points.square().mean()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.most_gradient)
        optimiser.step()
        return {"missed": float(loss.detach())}

    def _learn_to_sound(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Let the sampler itself sound like the crops, as WaveFit does (Koizumi and others 2022)."""
        optimiser, rows = self.optimisers["network"], batch["rows"]
        told = (batch["frames"], batch["timbre"], batch["noise"])
        with self._rounding.at(step, self._device):
            made, points = self._forward(*told, rows, batch["level"])
        counts = self._counted(batch["counts"], rows.shape[1])
        judged = torch.where(counts > 0.0, made.float(), batch["sound"])
        spectrum = multi_resolution_loss(judged, batch["sound"], FFT_SIZES, _QUIETEST)
        octaves = octave_loss(judged, batch["sound"], _OCTAVE_SIZES)
        optimiser.zero_grad(set_to_none=True)
        (spectrum + octaves + self._pull * points.square().mean()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.most_gradient)
        optimiser.step()
        return {"missed": float((spectrum + octaves).detach())}

    def _counted(self, counts: Tensor, steps: int) -> Tensor:
        """Return which samples count where each step looks back as far as one."""
        rows = counts.clone()
        rows[counts[:, 0] == 0.0, : steps * self.sounds.before_samples] = 0.0
        return rows

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return how much of the noise is missed on notes held out, at levels over all of the schedule.

        Where the sampler itself learns: how far it is from their sound, in the fewest steps.
        """
        found = {"held_out_missed": self._noise_missed()}
        return {**found, "held_out_spectrum": self._sound_missed()} if self._few else found

    def _sound_missed(self) -> float:
        total, steps = 0.0, min(self._few)
        none = torch.zeros(1, self.input.dimensions, device=self._device)
        for number, crop in enumerate(self.sounds.unseen(_EVALUATED)):
            rng = np.random.default_rng([self._recipe.seed, number, 3])
            sound = self.sounds.sound([crop])
            noise = rng.standard_normal((1, steps, sound.shape[1])).astype(np.float32)
            plain: dict[str, Any] = {**self.sounds.told([crop]), "sound": sound, "rows": noise}
            batch = {name: torch.as_tensor(one).to(self._device) for name, one in plain.items()}
            made, _ = self.network(batch["frames"], batch["timbre"], none, batch["rows"], none[:, 0])
            judged = torch.where(self._counted(batch["counts"], steps) > 0.0, made, batch["sound"])
            total += float(multi_resolution_loss(judged, batch["sound"], FFT_SIZES, _QUIETEST))
        return total / _EVALUATED

    def _noise_missed(self) -> float:
        total, levels = 0.0, self._finder.spread(_LEVELS)
        for number, crop in enumerate(self.sounds.unseen(_EVALUATED)):
            rng = np.random.default_rng([self._recipe.seed, number, 2])
            sound = self._lifted([crop])
            plain: dict[str, Any] = {
                **self.sounds.told([crop]),
                "sound": sound,
                "level": levels[number % _LEVELS : number % _LEVELS + 1],
                "found": rng.standard_normal(sound.shape).astype(np.float32),
            }
            batch = {name: torch.as_tensor(one).to(self._device) for name, one in plain.items()}
            noisy = self._finder.noised(batch["sound"], batch["level"], batch["found"])
            none = torch.zeros(1, self.input.dimensions, device=self._device)
            found, _ = self.network(batch["frames"], batch["timbre"], none, noisy, batch["level"])
            total += float(self._missed(found, batch))
        return total / _EVALUATED

    def _missed(self, found: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean size of what was not found, over the samples that count."""
        counts, wanted = batch["counts"], batch["sound" if self._finder.finds_sound else "found"]
        return ((found - wanted).abs() * counts).sum() / counts.sum()

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights, and with instruments near the middle of its timbre space."""
        self._finder.family.load_weights(self._finder.network, tensors)
        self._begin_in_the_middle()

    def model(self) -> ReadModel:
        """Return the network."""
        finder = self._finder
        hyper = finder.network.hyper.as_json()
        tensors = dict(finder.tensors())
        return ReadModel("synthhost", finder.family.name, hyper, None, tensors, self.input.sample_rate)

    def _lifted(self, crops: list[Crop]) -> NDArray[np.float32]:
        """Return what crops sound like as the network hears them, `[crops, samples]`."""
        sound, emphasis = self.sounds.sound(crops), self._finder.network.hyper.emphasis
        lifted: NDArray[np.float32] = sound if emphasis is None else emphasis.lifted(sound)
        return lifted

    @torch.no_grad()
    def played(self, frames: Features, seed: int) -> Audio:
        """Return what the network makes of frames, `[bands, frames]`, by some chance, `[samples]`."""
        family = self._finder.family
        sampler: Any = family.play(self._finder.network, settled(family.options, {}, self._recipe.name))
        state = sampler.new_state(1, SeededDraws.of(seed))
        rows = torch.from_numpy(np.ascontiguousarray(frames.T))[None].to(self._device)
        sound: Audio = sampler.step(rows, state)[0, :, 0].cpu().numpy()
        return sound


def finder_of(recipe: Recipe) -> NoiseFinder:
    """Return a recipe's network as it learns, with fresh weights.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    plain = dict(recipe.hyper)
    family = plain.pop("family", None)
    if family not in FINDERS:
        raise ConfigError(f"hyper: family: {family!r} finds no noise; one of {', '.join(FINDERS)} does.")
    notes = note_input(plain, NoteMaterial.from_json(recipe.material))
    return FINDERS[family]({"variant": "lmnt", **plain, "bands": notes.notes.bands, "notes": notes.as_json()})
