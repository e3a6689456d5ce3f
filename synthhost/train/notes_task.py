"""The note instrument: levels of harmonics and noise, learned from notes that were taken apart.

Every frame is learned by itself, so a step costs milliseconds. Instruments are points of the timbre's space
that are learned too; noise is added to them while learning, so that what lies between sounds as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import NoteLine, whole_note
from synthhost.families import ddsp
from synthhost.families.ddsp_hyper import DdspHyper
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train import spread
from synthhost.train.draws import rng_of
from synthhost.train.notes_material import NoteFrameSet, NoteMaterial, note_frames
from synthhost.train.pictures import spectrogram
from synthhost.train.task import Batch
from synthhost.train.timbres import TIMBRES_NAME

_SLOPE = 0.1
_SHOWN_KEYS, _SHOWN_S, _SHOWN_HELD_S = (45, 60, 72), 2.0, 1.2
_SMALLEST_STRETCH = 1e-6
_NEAR = 0.1  # of a normal distribution's spread


class _Levels(nn.Module):
    """The part of the network that learns: from what it hears and a timbre to levels, and the timbres."""

    def __init__(self, hyper: DdspHyper, timbres: int) -> None:
        super().__init__()
        self.network = ddsp.build(hyper)
        self.timbres = nn.Embedding(timbres, hyper.dimensions)
        nn.init.normal_(self.timbres.weight)
        layers = ddsp.named_layers(self.network)
        self._hidden = [layers[f"hidden_{index}"] for index in range(hyper.depth)]
        self._last = layers["levels"]
        for layer in self._hidden:
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, told: Tensor, timbre: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return levels in nats, `[batch, harmonics + bands]`, and timbres' points, `[batch, dimensions]`."""
        points = self.timbres(timbre)
        stream = torch.cat((told, points + noise), 1).T[None]
        for layer in self._hidden:
            stream = F.leaky_relu(layer(stream), _SLOPE)
        return self._last(stream)[0].T, points


class NotesTask:
    """Learns the note instrument."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.material = NoteMaterial.from_json(recipe.material)
        plain = {
            **recipe.hyper,
            "lowest": float(min(one.lowest for one in self.material.timbres)),
            "highest": float(max(one.highest for one in self.material.timbres)),
            "stretch": [0.0] * (2 + int(recipe.hyper.get("dimensions", 0))),
        }
        self._hyper = DdspHyper.from_json(plain)
        settings = recipe.settings
        try:
            self._floor = math.exp(float(settings.get("floor_nats", -9.0)))
            self._noise = float(settings.get("timbre_noise", 0.1))
            self._pull = float(settings.get("timbre_pull", 1e-3))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"settings: {error}.") from error
        hyper = self._hyper
        numbers = hyper.sample_rate, hyper.hop_samples, hyper.harmonics, hyper.noise_bands
        self.frames: NoteFrameSet = note_frames(self.material, numbers, cache, say)
        self._learned = np.flatnonzero(~self.frames.held_out)
        torch.manual_seed(recipe.seed)
        levels = _Levels(hyper, len(self.material.timbres)).to(device)
        self._levels = levels
        self._shared = spread.shared(levels, device)
        with torch.no_grad():
            start = np.maximum(self.frames.levels[self._learned[::97]].astype(np.float32), -9.0).mean(0)
            levels._last.bias.copy_(torch.from_numpy(start))  # type: ignore[operator]
        self.networks: Mapping[str, nn.Module] = {"levels": levels}
        self.optimisers: Mapping[str, Optimizer] = {
            "levels": AdamW(levels.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
        }

    def draw(self, step: int) -> Batch:
        """Return frames drawn evenly from those that are learned from."""
        rng = rng_of(self._recipe.seed, step)
        places = np.sort(rng.choice(self._learned, self._recipe.batch))
        return {
            "told": self.frames.told[places],
            "timbre": self.frames.timbre[places],
            "levels": self.frames.levels[places].astype(np.float32),
            "heard": self.frames.heard[places],
            "noise": (self._noise * rng.standard_normal((places.shape[0], self._hyper.dimensions))).astype(
                np.float32
            ),
        }

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Bring levels nearer to what was heard, as far as it can be heard."""
        optimiser = self.optimisers["levels"]
        made, points = self._shared(batch["told"], batch["timbre"], batch["noise"])
        loss = self._difference(made, batch["levels"], batch["heard"]).mean()
        pull = self._pull * points.square().mean()
        optimiser.zero_grad(set_to_none=True)
        (loss + pull).backward()
        nn.utils.clip_grad_norm_(self._levels.parameters(), self._recipe.most_gradient)
        optimiser.step()
        return {"levels": float(loss.detach())}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return the mean difference of audible levels on keys and layers held out, in dB."""
        places = np.flatnonzero(self.frames.held_out)
        total, count = 0.0, 0
        for first in range(0, places.shape[0], 8192):
            some = places[first : first + 8192]
            made = self._made(some)
            levels = torch.from_numpy(self.frames.levels[some].astype(np.float32)).to(self._device)
            heard = torch.from_numpy(self.frames.heard[some]).to(self._device)
            total += float(self._difference(made, levels, heard).sum())
            count += some.shape[0]
        return {"held_out_db": total / max(count, 1) * 20.0 / math.log(10.0)}

    @torch.no_grad()
    def show(self, folder: Path) -> None:
        """Write a few notes of every instrument, a picture of them, and the instruments' points."""
        points = self.points()
        network, hyper = self._levels.network, self._hyper
        sounds: list[Any] = []
        for place in range(len(self.material.timbres)):
            for key in _SHOWN_KEYS:
                frames = phrase(hyper, points[place], key, 0.8)
                sounds.append(network(torch.from_numpy(frames)[None].to(self._device))[0, 0].cpu().numpy())
        sound = np.concatenate(sounds)
        soundfile.write(folder / "notes.wav", sound, hyper.sample_rate, subtype="PCM_16")
        spectrogram(sound, hyper.sample_rate, folder / "notes.png")
        self.finish(folder)

    def finish(self, folder: Path) -> None:
        """Write where the instruments lie in the timbre space."""
        points = self.points()
        named = {
            one.name: [round(float(value), 4) for value in points[place]]
            for place, one in enumerate(self.material.timbres)
        }
        (folder / TIMBRES_NAME).write_text(dump_yaml(named), encoding="utf-8")

    def points(self) -> Any:
        """Return where the instruments lie, `[timbres, dimensions]`."""
        return self._levels.timbres.weight.detach().cpu().numpy().astype(np.float32)

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights, and with instruments near the middle of its timbre space."""
        ddsp.load_weights(self._levels.network, tensors)
        with torch.no_grad():
            self._levels.timbres.weight.mul_(_NEAR)

    def model(self) -> ReadModel:
        """Return the network with the stretch of its strings."""
        hyper = {**self._hyper.as_json(), "stretch": self._stretch()}
        tensors = ddsp.named_tensors(self._levels.network)
        return ReadModel("synthhost", "ddsp", hyper, None, tensors, self._hyper.sample_rate)

    def _difference(self, made: Tensor, levels: Tensor, heard: Tensor) -> Tensor:
        """Return the mean difference of each frame's levels in nats; what is below the floor counts as it."""
        floor = self._floor
        differ = (torch.log(made.clamp(max=4.0).exp() + floor) - torch.log(levels.exp() + floor)).abs()
        place = torch.arange(made.shape[1], device=made.device)
        counts = (place < heard[:, None]) | (place >= self._hyper.harmonics)
        return (differ * counts).sum(1) / counts.sum(1)

    def _made(self, places: Any) -> Tensor:
        told = torch.from_numpy(self.frames.told[places]).to(self._device)
        timbre = torch.from_numpy(self.frames.timbre[places]).to(self._device)
        none = torch.zeros(told.shape[0], self._hyper.dimensions, device=self._device)
        made: Tensor = self._levels(told, timbre, none)[0]
        return made

    def _stretch(self) -> list[float]:
        """Return what gives the logarithm of a string's stretch, fitted to the notes that have one."""
        found, points = self.frames.stretches, self.points()
        wanted = np.full(len(self.material.timbres), math.log(_SMALLEST_STRETCH))
        keys: dict[int, list[tuple[float, float]]] = {}
        for timbre, key, stretch in found:
            keys.setdefault(int(timbre), []).append(((key - 60.0) / 12.0, math.log(stretch)))
        slopes = []
        for timbre, pairs in keys.items():
            octaves, logarithms = np.array(pairs).T
            if len(pairs) >= 20:
                wanted[timbre] = float(np.median(logarithms))
                slopes.append(float(np.polyfit(octaves, logarithms, 1)[0]))
        an_octave = float(np.median(slopes)) if slopes else 0.0
        design = np.concatenate([np.ones((points.shape[0], 1)), points], 1)
        constant, *dimensions = np.linalg.lstsq(design, wanted, rcond=1e-3)[0]
        return [float(constant), an_octave, *(float(one) for one in dimensions)]


def phrase(hyper: DdspHyper, timbre: Any, key: float, velocity: float) -> Any:
    """Return the frames of one note of two seconds, `[bands, frames]`."""
    line = NoteLine(hyper.notes, hyper.sample_rate, hyper.hop_samples)
    line.begin(key, velocity)
    count = int(_SHOWN_S * hyper.sample_rate / hyper.hop_samples)
    held = int(_SHOWN_HELD_S * hyper.sample_rate / hyper.hop_samples)
    return whole_note(line, timbre, held, count - held)
