"""A generator that plays notes in one pass: it learns what an instrument makes of an excitation.

The excitation stands where the recording's own fundamental stands, so pitch is given. What is learned is
heard as magnitudes over several windows (Yamamoto, Song, Kim 2020), and as levels in thirds of octaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.families import hifigan, melgan
from synthhost.families.excited import Excited
from synthhost.families.family import Family
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.families.melgan_hyper import MelganHyper
from synthhost.families.note_input import NoteInput
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.excited_layers import begin_smoothly, even_out, receptive_samples
from synthhost.train.note_crops import Crop
from synthhost.train.note_sounds import NoteSounds, note_input, timbre_points
from synthhost.train.note_task import NoteTask
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.stft_losses import multi_resolution_loss, octave_loss
from synthhost.train.task import Batch

FFT_SIZES = (128, 256, 512, 1024, 2048)
_OCTAVE_SIZES = (1024, 2048)
_QUIETEST = 2e-3  # mean magnitude: that of a note let go
_EVALUATED = 24  # crops of notes held out

GeneratorHyper: TypeAlias = MelganHyper | HifiganHyper
GENERATORS: Mapping[str, Family] = MappingProxyType({"hifigan": hifigan.FAMILY, "melgan": melgan.FAMILY})
"""What makes sound in one pass and can be excited, by family."""

_ALWAYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"hifigan": {"causal": True}, "melgan": {"causal": True, "edge": "zeros"}}
)


class GeneratorNetwork(nn.Module):
    """The network and where its instruments lie."""

    def __init__(self, excited: Excited, notes: NoteInput, timbres: int) -> None:
        super().__init__()
        self.excited = excited
        self.timbres = timbre_points(timbres, notes.dimensions)

    def forward(self, frames: Tensor, timbre: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
        """Return sounds, `[batch, samples]`, and the timbres' points, `[batch, dimensions]`.

        Args:
            frames: Without a timbre, `[batch, channels, frames]`.
            timbre: Which instruments, `[batch]`.
            moved: Added to their points, `[batch, dimensions]`.
        """
        points = self.timbres(timbre)
        placed = (points + moved)[:, :, None].expand(-1, -1, frames.shape[2])
        made: Tensor = self.excited.graph(torch.cat((frames, placed), 1))
        return made[:, 0], points


class GeneratorTask(NoteTask):
    """Learns a generator that plays notes."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self._family, self._hyper = generator_of(recipe)
        assert self._hyper.notes is not None
        self.input = self._hyper.notes
        try:
            self._pull = float(recipe.settings.get("timbre_pull", 1e-3))
            self._octaves = float(recipe.settings.get("octaves", 1.0))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        torch.manual_seed(recipe.seed)
        excited = self._family.build(self._hyper)
        begin_smoothly(excited)
        self.sounds = NoteSounds(recipe, self.input, receptive_samples(excited), cache, say)
        self.network = GeneratorNetwork(excited, self.input, len(self.sounds.material.timbres)).to(device)
        self._forward = spread.shared(self.network, device)
        self.networks: Mapping[str, nn.Module] = {"network": self.network}
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(self.network.parameters(), lr=recipe.learning_rate, betas=(0.8, 0.99))
        }

    def draw(self, step: int) -> Batch:
        """Return crops of all instruments alike, and what they sound like."""
        crops, told = self.sounds.drawn(step)
        return {**told, "sound": self.sounds.sound(crops)}

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Come nearer to the sound of the crops."""
        optimiser = self.optimisers["network"]
        made, points = self._forward(batch["frames"], batch["timbre"], batch["noise"])
        spectrum, octaves = self._missed(made, batch)
        optimiser.zero_grad(set_to_none=True)
        (spectrum + self._octaves * octaves + self._pull * points.square().mean()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.most_gradient)
        optimiser.step()
        even_out(self.network.excited)
        return {"spectrum": float(spectrum.detach()), "octaves": float(octaves.detach())}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return how far notes held out are missed."""
        found = []
        for crop in self.sounds.unseen(_EVALUATED):
            batch = self._told(crop)
            none = torch.zeros(1, self.input.dimensions, device=self._device)
            made, _ = self.network(batch["frames"], batch["timbre"], none)
            found.append([float(one) for one in self._missed(made, batch)])
        spectrum, octaves = np.mean(found, 0)
        return {"held_out_spectrum": float(spectrum), "held_out_octaves": float(octaves)}

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights, and with instruments near the middle of its timbre space."""
        self._family.load_weights(self.network.excited, tensors)
        self._begin_in_the_middle()

    def model(self) -> ReadModel:
        """Return the network."""
        tensors = self.network.excited.named_tensors()
        rate = self.input.sample_rate
        return ReadModel("synthhost", self._family.name, self._hyper.as_json(), None, tensors, rate)

    @torch.no_grad()
    def played(self, frames: Features, seed: int) -> Audio:
        """Return what the network makes of frames, `[bands, frames]`, `[samples]`; none of it by chance."""
        told = torch.from_numpy(np.ascontiguousarray(frames))[None].to(self._device)
        sound: Audio = self.network.excited.graph(told)[0, 0].cpu().numpy()
        return sound

    def _told(self, crop: Crop) -> dict[str, Tensor]:
        plain: dict[str, Any] = {**self.sounds.told([crop]), "sound": self.sounds.sound([crop])}
        return {name: torch.as_tensor(one).to(self._device) for name, one in plain.items()}

    @staticmethod
    def _missed(made: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return what is missed of spectra and of octaves' levels; what does not count is as it should be."""
        wanted = batch["sound"]
        judged = torch.where(batch["counts"] > 0.0, made, wanted)
        spectrum = multi_resolution_loss(judged, wanted, FFT_SIZES, _QUIETEST)
        return spectrum, octave_loss(judged, wanted, _OCTAVE_SIZES)


def generator_of(recipe: Recipe) -> tuple[Family, GeneratorHyper]:
    """Return the family and the shape of a recipe's network.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    plain = dict(recipe.hyper)
    family = plain.pop("family", None)
    if family not in GENERATORS:
        raise ConfigError(
            f"hyper: family: {family!r} makes no sound in one pass; one of {', '.join(GENERATORS)} does."
        )
    notes = note_input(plain, NoteMaterial.from_json(recipe.material))
    shape = {**_ALWAYS[family], **plain, "bands": notes.notes.bands, "notes": notes.as_json()}
    hyper: Any = GENERATORS[family].hyper_from_json(shape)
    return GENERATORS[family], hyper
