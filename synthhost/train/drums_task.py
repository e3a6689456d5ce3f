"""Drums: WaveGAN's generator, learned as the decoder of a variational autoencoder (Kingma, Welling 2014).

An encoder says where in a normal latent space a hit lies; the generator makes it again from there and from
its kind. So every hit of the material has its place, what lies between is heard too, and a step costs a tenth
of a game against critics, which would learn a small material by heart.
"""

from __future__ import annotations

import dataclasses
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
from synthhost.families import wavegan
from synthhost.families.wavegan_hyper import WaveganHyper
from synthhost.schema.recipe import Recipe
from synthhost.streaming.positions import PositionDense
from synthhost.train import spread
from synthhost.train.draws import rng_of
from synthhost.train.drum_material import DrumMaterial, Hits, drum_hits
from synthhost.train.pictures import spectrogram
from synthhost.train.stft_losses import multi_resolution_loss, octave_loss
from synthhost.train.task import Batch

_FFT_SIZES = (128, 512, 2048)
_OCTAVE_SIZES = (512, 2048)
_MOST_SHIFT_KEYS = 3.0
_OF_DRIFT = 5.0
_BATCH = 64
_SHOWN = 4  # hits of every kind


class Encoder(nn.Module):
    """From a hit's log spectrogram and kind to the mean and log variance of its place."""

    def __init__(self, latent: int, classes: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
            for inputs, outputs in (
                (1, width),
                (width, 2 * width),
                (2 * width, 4 * width),
                (4 * width, 4 * width),
            )
        )
        self.hidden = nn.Linear(16 * width + classes, 128)
        self.last = nn.Linear(128, 2 * latent)
        self.register_buffer("window", torch.hann_window(512), persistent=False)

    window: Tensor

    def forward(self, sound: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, `[batch, latent]`, of sounds `[batch, samples]`, kinds one-hot."""
        spectrum = torch.stft(sound, 512, 128, window=self.window, return_complex=True).abs()
        x = torch.log(spectrum[:, None, 1:] + 1e-3)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        pooled = F.adaptive_avg_pool2d(x, (2, 2)).flatten(1)
        mean, variance = self.last(F.leaky_relu(self.hidden(torch.cat((pooled, kinds), 1)), 0.2)).chunk(2, 1)
        return mean, variance.clamp(-8.0, 4.0)


class DrumsTask:
    """Learns drums."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.material = DrumMaterial.from_json(recipe.material)
        classes = list(self.material.classes)
        try:
            self._rate = int(recipe.hyper["sample_rate"])
            self._kl = float(recipe.settings.get("kl", 0.02))
            plain = {key: value for key, value in recipe.hyper.items() if key != "sample_rate"}
            plain["latent"] = int(plain["latent"]) + len(classes)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"hyper, settings: {type(error).__name__}: {error}.") from error
        self._hyper = WaveganHyper.from_json({**plain, "prior": "normal", "classes": classes})
        self._played = played_classes(recipe)
        self._latent = self._hyper.latent - len(classes)
        samples = self._hyper.positions * self._hyper.hop_samples
        self.hits: Hits = drum_hits(self.material, self._rate, samples, cache, say)
        self._learned = [
            np.flatnonzero((self.hits.kinds == kind) & ~self.hits.held_out) for kind in range(len(classes))
        ]
        self._there = [kind for kind, places in enumerate(self._learned) if places.size]
        torch.manual_seed(recipe.seed)
        generator = wavegan.build(self._hyper).to(device)
        encoder = Encoder(self._latent, len(classes), 16).to(device)
        self.networks: Mapping[str, nn.Module] = {"generator": generator, "encoder": encoder}
        self._generator, self._encoder = (spread.shared(one, device) for one in (generator, encoder))
        parameters = [*generator.parameters(), *encoder.parameters()]
        self.optimisers: Mapping[str, Optimizer] = {
            "both": AdamW(parameters, lr=recipe.learning_rate, betas=(0.8, 0.99))
        }
        self._parameters = parameters

    def draw(self, step: int) -> Batch:
        """Return hits of all kinds alike, some resampled or mixed with others of their kind."""
        rng = rng_of(self._recipe.seed, step)
        kinds = np.array(self._there)[rng.integers(0, len(self._there), self._recipe.batch)]
        sounds = np.stack([self._varied(kind, rng) for kind in kinds])
        noise = rng.standard_normal((self._recipe.batch, self._latent)).astype(np.float32)
        return {
            "sounds": sounds,
            "kinds": np.eye(len(self._learned), dtype=np.float32)[kinds],
            "noise": noise,
        }

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Make hits again from where they lie, and keep places near a normal distribution."""
        optimiser = self.optimisers["both"]
        mean, variance = self._encoder(batch["sounds"], batch["kinds"])
        place = mean + torch.exp(0.5 * variance) * batch["noise"]
        made = self._made(self._generator, place, batch["kinds"])
        spectral = multi_resolution_loss(made, batch["sounds"], _FFT_SIZES)
        near = 0.5 * (mean.square() + variance.exp() - 1.0 - variance).sum(1).mean()
        course = (_course(made) - _course(batch["sounds"])).abs().mean()
        drift = _drift(made - batch["sounds"]).square().mean().sqrt()
        optimiser.zero_grad(set_to_none=True)
        octaves = octave_loss(made, batch["sounds"], _OCTAVE_SIZES)
        (spectral + course + octaves + _OF_DRIFT * drift + self._kl * near).backward()
        nn.utils.clip_grad_norm_(self._parameters, self._recipe.most_gradient)
        optimiser.step()
        return {
            "spectral": float(spectral.detach()),
            "kl": float(near.detach()),
            "course": float(course.detach()),
            "drift": float(drift.detach()),
            "octaves": float(octaves.detach()),
        }

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return how well hits held out are made again, and those learned from."""
        found = {}
        for name, held_out in (("held_out", True), ("learned", False)):
            places = np.flatnonzero(self.hits.held_out == held_out)[:128]
            if not places.size:
                continue
            sounds = torch.from_numpy(self.hits.sounds[places]).to(self._device)
            kinds = torch.eye(len(self._learned), device=self._device)[self.hits.kinds[places]]
            mean, _ = self.networks["encoder"](sounds, kinds)
            made = self._made(self.networks["generator"], mean, kinds)
            found[name] = float(multi_resolution_loss(made, sounds, _FFT_SIZES))
        return found

    @torch.no_grad()
    def show(self, folder: Path) -> None:
        """Write hits of every kind from places drawn by chance, with a picture."""
        rng = np.random.default_rng(self._recipe.seed)
        count = len(self._learned)
        drawn = torch.from_numpy(rng.standard_normal((count * _SHOWN, self._latent)).astype(np.float32))
        kinds = torch.eye(count, device=self._device).repeat_interleave(_SHOWN, 0)
        middles, spread_out = self._where()
        places = drawn.to(self._device) @ spread_out.T + kinds @ middles
        made = self._made(self.networks["generator"], places, kinds)
        sound = made.cpu().numpy().ravel()
        soundfile.write(folder / "drums.wav", sound, self._rate, subtype="PCM_16")
        spectrogram(sound, self._rate, folder / "drums.png", ", ".join(self.material.classes))

    def finish(self, folder: Path) -> None:
        """Nothing lies beside the model."""

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a generator's weights; where its hits lie is learned anew."""
        wavegan.load_weights(self.networks["generator"], tensors)  # type: ignore[arg-type]

    @torch.no_grad()
    def model(self) -> ReadModel:
        """Return the generator, so that a normal vector lies where hits of its kind do.

        The first layer is linear, so where the kinds' hits lie is folded into it, and kinds that are only
        learned beside the others are left out of it.
        """
        layers = wavegan.named_layers(self.networks["generator"])  # type: ignore[arg-type]
        tensors = {
            f"{name}.{leaf}": tensor.detach().clone().to(torch.float32)
            for name, layer in layers.items()
            for leaf, tensor in layer.named_parameters()
        }
        first = next(name for name, layer in layers.items() if isinstance(layer, PositionDense))
        middles, spread_out = self._where()
        weight = tensors[f"{first}.weight"]
        of_place, of_kind = weight[..., : self._latent], weight[..., self._latent :]
        of_kind = (of_kind + of_place @ middles.T)[..., [kind for kind, _ in self._played]]
        tensors[f"{first}.weight"] = torch.cat((of_place @ spread_out, of_kind), 2)
        names = tuple(name for _, name in self._played)
        hyper = dataclasses.replace(self._hyper, latent=self._latent + len(names), classes=names)
        return ReadModel("synthhost", "wavegan", hyper.as_json(), None, tensors, self._rate)

    def _where(self) -> tuple[Tensor, Tensor]:
        """Return the middles of the kinds' hits, `[kinds, latent]`, and how hits spread about them.

        The latter is the triangular root of the covariance within kinds, `[latent, latent]`.
        """
        learned = ~self.hits.held_out
        sounds = torch.from_numpy(self.hits.sounds[learned]).to(self._device)
        kinds = torch.eye(len(self._learned), device=self._device)[self.hits.kinds[learned]]
        found = [
            self.networks["encoder"](sounds[first : first + _BATCH], kinds[first : first + _BATCH])
            for first in range(0, sounds.shape[0], _BATCH)
        ]
        mean, variance = (torch.cat(each) for each in zip(*found, strict=True))
        counts = kinds.sum(0)[:, None]
        middles = torch.where(counts > 0, kinds.T @ mean / counts.clamp(min=1.0), mean.mean(0))
        apart = mean - kinds @ middles
        covariance = apart.T @ apart / apart.shape[0] + torch.diag(variance.exp().mean(0))
        root: Tensor = torch.linalg.cholesky(covariance)
        return middles, root

    def _made(self, generator: nn.Module, place: Tensor, kinds: Tensor) -> Tensor:
        """Return hits, `[batch, samples]`."""
        vector = torch.cat((place, kinds), 1)[:, :, None].expand(-1, -1, self._hyper.positions)
        sound: Tensor = generator(vector)
        return sound[:, 0]

    def _varied(self, kind: int, rng: np.random.Generator) -> Any:
        """Return one hit of a kind, changed a little."""
        hit = self.hits.sounds[rng.choice(self._learned[kind])]
        if rng.random() < 0.3:
            other = self.hits.sounds[rng.choice(self._learned[kind])]
            hit = hit + rng.uniform(0.2, 0.8) * other
        shift = rng.uniform(-_MOST_SHIFT_KEYS, _MOST_SHIFT_KEYS) if rng.random() < 0.5 else 0.0
        if shift:
            size = hit.shape[0]
            places = np.arange(size) * 2.0 ** (shift / 12.0)
            hit = np.interp(places, np.arange(size), hit, right=0.0)
        peak = float(np.abs(hit).max())
        return np.asarray(hit / max(peak, 1e-6) * 0.9, dtype=np.float32)


def played_classes(recipe: Recipe) -> list[tuple[int, str]]:
    """Return the kinds that a model of a recipe plays, each with its place among those that it learns.

    The setting `unplayed` names the others.

    Raises:
        ConfigError: It names something else, or all of them.
    """
    classes = DrumMaterial.from_json(recipe.material).classes
    unplayed = recipe.settings.get("unplayed", [])
    known = isinstance(unplayed, list) and all(one in classes for one in unplayed)
    if not known or len(set(unplayed)) == len(classes):
        raise ConfigError(f"settings: unplayed: must be a list of some of {', '.join(classes)}, not of all.")
    return [(kind, name) for kind, name in enumerate(classes) if name not in unplayed]


def _drift(sound: Tensor) -> Tensor:
    """Return what is slower than anything heard, `[batch, pieces]`: the mean of 2,048 samples each."""
    return sound[:, : sound.shape[1] // 2048 * 2048].reshape(sound.shape[0], -1, 2048).mean(2)


def _course(sound: Tensor) -> Tensor:
    """Return the level's course in nats, `[batch, pieces]`, of 128 samples each."""
    pieces = sound[:, : sound.shape[1] // 128 * 128].reshape(sound.shape[0], -1, 128)
    return 0.5 * torch.log(pieces.square().mean(2) + 1e-7)
