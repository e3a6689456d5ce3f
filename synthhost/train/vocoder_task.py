"""A mel vocoder with a pitch of its own: it learns to follow the pitch in frames, and to sound at it.

While it learns it is excited at the pitch that a tracker finds in the recording, so the generator never has
to guess one; the network that follows the pitch learns beside it, from many more frames, which cost little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from synthhost.checkpoints.layout import ReadModel
from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.core.specs import MelSpec
from synthhost.families import hifigan
from synthhost.families.excited import Excited
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.families.mel_input import HeardMel, MelPitch
from synthhost.features.filter_bank import filter_bank
from synthhost.schema.recipe import Recipe
from synthhost.streaming.channels import Channels
from synthhost.streaming.graph import Graph, GraphBuilder, Stream
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.timing import look_ahead_samples
from synthhost.train import spread
from synthhost.train.draws import rng_of
from synthhost.train.excited_layers import begin_smoothly, even_out, receptive_samples
from synthhost.train.pictures import spectrograms
from synthhost.train.rounding import Rounding
from synthhost.train.spoken_and_played import Clips, VocoderMaterial, clips
from synthhost.train.stft_losses import multi_resolution_loss, octave_loss
from synthhost.train.task import Batch

MEL = MelSpec("jik876", 22050, 1024, 256, 1024, 80, 0.0, 8000.0, "ln", 1e-5)
"""The frames of the universal generator."""

FFT_SIZES = (256, 512, 1024, 2048)
_OCTAVE_SIZES = (1024, 2048)
_QUIETEST = 2e-3
_GAINS_DB = (-14.0, 1.5)
_ROUNDING = 1e-4
_NATS, _BEGUN_SCORES = 0.2, 0.1
_BLUR = 20.0 / 1200.0  # octaves
_PITCH_RATE = 3.0
_EVALUATED = 24
_SHOWN_FRAMES = 260


class TaughtMel(HeardMel):
    """Frames with the pitch that they should be excited at as one channel more."""

    def __init__(self, shape: MelPitch) -> None:
        super().__init__(shape)
        self.bands = shape.bands + 1

    def lay(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> tuple[Stream, Stream]:
        """Lay the excitation, a row a sample, and what a generator is told, a row a frame."""
        octaves = graph.add("taught", Channels(self.bands - 1, self.bands, of=self.bands), graph.input)
        mel = graph.add("mel", Channels(0, self.bands - 1, of=self.bands), graph.input)
        return self.lay_excitation(graph, octaves), graph.add("mel_told", layers["mel.told"], mel)


class VocoderNetwork(nn.Module):
    """The network, as it follows pitch and as it sounds at one that it is told."""

    def __init__(self, excited: Excited, shape: MelPitch) -> None:
        super().__init__()
        self.excited = excited
        heard, graph = HeardMel(shape), GraphBuilder(shape.bands)
        self._scores: list[Graph] = [graph.build(heard.lay_scores(graph, excited.layers))]
        self._sound: list[Graph] = [excited.laid(TaughtMel(shape))]

    def forward(self, mel: Tensor, octaves: Tensor, followed: Tensor) -> tuple[Tensor, Tensor]:
        """Return sound, `[batch, samples]`, and the scores of pitches, `[others, places, frames]`.

        Args:
            mel: `[batch, bands, frames]`.
            octaves: At which it is excited, `[batch, frames]`.
            followed: In which pitches are followed, `[others, bands, frames]`.
        """
        made: Tensor = self._sound[0](torch.cat((mel, octaves[:, None]), 1))
        scores: Tensor = self._scores[0](followed)
        return made[:, 0], scores

    def pitch_parameters(self, *, own: bool) -> list[nn.Parameter]:
        """Return the weights that follow the pitch, or all others."""
        layers = self.excited.layers.items()
        chosen = [layer for name, layer in layers if name.startswith("pitch.") == own]
        return [weight for layer in chosen for weight in layer.parameters()]


class _Missed(NamedTuple):
    """What is missed of a sound: its spectra, octaves' levels and mel frames, and how far it leans."""

    spectrum: Tensor
    octaves: Tensor
    mel: Tensor
    leaning: Tensor


class VocoderTask:
    """Learns a mel vocoder."""

    def __init__(
        self, recipe: Recipe, device: str, cache: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._recipe = recipe
        self._device = device
        self.material = VocoderMaterial.from_json(recipe.material)
        self._hyper, self._shape = vocoder_hyper(recipe)
        try:
            self._frames = int(recipe.settings["crop_frames"])
            shares = recipe.settings.get("shares", [0.4, 0.4, 0.2])
            self._shares = np.array([float(one) for one in shares])
            self._astray = float(recipe.settings.get("pitch_noise_cents", 3.0)) / 1200.0
            self._pitch_crops = int(recipe.settings.get("pitch_crops", 40))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        self._rounding = Rounding.from_json(recipe.settings)
        if self._pitch_crops < 1:
            raise ConfigError("settings: pitch_crops: must be at least 1.")
        if self._shares.shape != (3,) or not (self._shares >= 0.0).all() or not self._shares.sum() > 0.0:
            raise ConfigError("settings: shares: give three, of speech, notes and piano.")
        torch.manual_seed(recipe.seed)
        excited = hifigan.build(self._hyper)
        assert isinstance(excited, Excited)
        begin_smoothly(excited)
        _begin_with_no_pitch(excited)
        self._waits = look_ahead_samples(excited.graph) // MEL.hop_samples - self._shape.ahead
        self._before = -(-receptive_samples(excited) // MEL.hop_samples)
        self.clips: Clips = clips(self.material, MEL, cache, say)
        self._learned = self._places(held_out=False)
        self._shares = np.where([one.size > 0 for one in self._learned], self._shares, 0.0)
        if not self._shares.sum() > 0.0:
            raise TrainingError("material: no clip as long as a crop is learned from.")
        self._held_out = np.concatenate(self._places(held_out=True))
        if not self._held_out.size:
            raise TrainingError("material: no clip as long as a crop is held out.")
        self.network = VocoderNetwork(excited, self._shape).to(device)
        heard, graph = HeardMel(self._shape), GraphBuilder(MEL.bands)
        self._pitch: list[Graph] = [graph.build(heard.lay_pitch(graph, excited.layers))]
        self._unfitted: list[Graph] = [excited.laid(heard)]
        self._forward = spread.shared(self.network, device)
        self.networks: Mapping[str, nn.Module] = {"network": self.network}
        self.optimisers: Mapping[str, Optimizer] = {
            "network": AdamW(self._groups(), lr=recipe.learning_rate, betas=(0.8, 0.99))
        }
        self._bank = torch.from_numpy(filter_bank(MEL).astype(np.float32)).to(device)
        self._window = torch.hann_window(MEL.win_samples, device=device)

    def draw(self, step: int) -> Batch:
        """Return crops of speech, notes and piano, louder or softer by chance, and others to follow pitch."""
        rng = rng_of(self._recipe.seed, step)
        rows = [self._crop(*self._anywhere(rng)) for _ in range(self._recipe.batch)]
        told = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        strayed = self._astray * rng.standard_normal((len(rows), 1))
        followed = [self._followed(*self._anywhere(rng)) for _ in range(self._pitch_crops)]
        others = {name: np.stack([row[name] for row in followed]) for name in followed[0]}
        return {**told, **others, "octaves": (told["wanted"] + strayed).astype(np.float32)}

    def _anywhere(self, rng: np.random.Generator) -> tuple[int, float]:
        """Return the first frame of a crop by chance, and how many times as loud it is."""
        clip = int(rng.choice(self._learned[rng.choice(3, p=self._shares / self._shares.sum())]))
        first, last = self.clips.first_frame[clip : clip + 2]
        return int(rng.integers(first, last - self._whole + 1)), 10.0 ** (rng.uniform(*_GAINS_DB) / 20.0)

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Come nearer to the sound, and to the pitch."""
        optimiser = self.optimisers["network"]
        with self._rounding.at(step, self._device):
            made, scores = self._forward(batch["mel"], batch["octaves"], batch["followed"])
        missed = self._missed(made.float(), batch)
        pitch = self._pitch_missed(scores.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        (sum(missed) + pitch).backward()  # type: ignore[no-untyped-call]
        for own in (False, True):
            nn.utils.clip_grad_norm_(self.network.pitch_parameters(own=own), self._recipe.most_gradient)
        optimiser.step()
        even_out(self.network.excited)
        losses = {**missed._asdict(), "pitch": pitch}
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return how far crops of clips held out are missed, excited at the pitch that it follows itself."""
        rng, found, apart, unfitted = np.random.default_rng(self._recipe.seed), [], [], []
        for clip in rng.choice(self._held_out, _EVALUATED):
            first, last = self.clips.first_frame[clip : clip + 2]
            begin = int(rng.integers(first, last - self._whole + 1))
            crop = self._crop(begin, 1.0, min(self._waits, int(last) - begin - self._whole))
            batch = {name: torch.as_tensor(one)[None].to(self._device) for name, one in crop.items()}
            made = self.network.excited.graph(batch["mel"])[:, 0]
            if self._hyper.fit is not None:
                unfitted.append(float(self._missed(self._unfitted[0](batch["mel"])[:, 0], batch).mel))
            followed = self._pitch[0](batch["mel"])[:, 0]
            sure = batch["sure"][:, self._counted] > 0.0
            apart.append((followed - batch["wanted"])[:, self._counted][sure].abs())
            found.append([float(one) for one in self._missed(made, batch)])
        missed = _Missed(*np.mean(found, 0))
        known = torch.cat(apart)
        cents = 1200.0 * float(known.median()) if known.numel() else math.nan
        told = {"held_out_spectrum": float(missed.spectrum), "held_out_mel": float(missed.mel)}
        told["held_out_cents"] = cents
        if self._hyper.fit is not None:
            told["held_out_unfitted_mel"] = float(np.mean(unfitted))
        return told

    @torch.no_grad()
    def show(self, folder: Path) -> None:
        """Write a clip of every kind that is held out, as recorded and as made, with a picture."""
        sounds: list[Audio] = []
        for kind in range(3):
            of_kind = self._held_out[self.clips.kind[self._held_out] == kind]
            if not of_kind.size:
                continue
            clip = int(of_kind[of_kind.size // 2])
            first, last = self.clips.first_frame[clip : clip + 2]
            last = min(last, first + _SHOWN_FRAMES)
            mel = torch.from_numpy(self.clips.mel[first:last].T.copy())[None].to(self._device)
            made = self.network.excited.graph(mel)[0, 0].cpu().numpy()
            hop = MEL.hop_samples
            sounds.append(np.stack([self.clips.sound[first * hop : last * hop], made]))
        recorded, made = np.concatenate(sounds, 1)
        soundfile.write(folder / "made.wav", made, MEL.sample_rate, subtype="PCM_16")
        pictures = {"recorded": (recorded, MEL.sample_rate), "made": (made, MEL.sample_rate)}
        spectrograms(pictures, folder / "made.png")

    def finish(self, folder: Path) -> None:
        """Nothing lies beside the model."""

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with a network's weights."""
        hifigan.load_weights(self.network.excited, tensors)

    def model(self) -> ReadModel:
        """Return the network."""
        tensors = self.network.excited.named_tensors()
        return ReadModel("synthhost", "hifigan", self._hyper.as_json(), MEL, tensors, MEL.sample_rate)

    @property
    def _whole(self) -> int:
        """Frames of a crop with what lies before and behind it."""
        return self._before + self._frames + self._shape.ahead

    def _places(self, *, held_out: bool) -> list[NDArray[np.int64]]:
        """Return the clips of every kind that are as long as a crop."""
        long = np.diff(self.clips.first_frame) >= self._whole
        return [
            np.flatnonzero(long & (self.clips.held_out == held_out) & (self.clips.kind == kind))
            for kind in range(3)
        ]

    def _crop(self, begin: int, gain: float, more: int = 0) -> dict[str, NDArray[np.float32]]:
        """Return a crop from a frame on, `gain` times as loud: its frames are what they would be then.

        `more` frames of the same clip follow it.
        """
        end, hop = begin + self._whole + more, MEL.hop_samples
        return {
            "mel": self._frames_at(begin, end, gain),
            "wanted": self.clips.octaves[begin:end],
            "sure": self.clips.sure[begin:end].astype(np.float32),
            "sound": (self.clips.sound[begin * hop : end * hop] * gain).astype(np.float32),
        }

    def _frames_at(self, begin: int, end: int, gain: float) -> NDArray[np.float32]:
        mel, floor = self.clips.mel[begin:end].T, float(np.log(MEL.floor))
        louder = np.where(mel > floor + _ROUNDING, np.maximum(mel + np.log(gain), floor), floor)
        return np.asarray(louder, np.float32)

    def _followed(self, begin: int, gain: float) -> dict[str, NDArray[np.float32]]:
        """Return a crop to follow the pitch in."""
        end = begin + self._whole
        return {
            "followed": self._frames_at(begin, end, gain),
            "followed_wanted": self.clips.octaves[begin:end],
            "followed_sure": self.clips.sure[begin:end].astype(np.float32),
        }

    def _groups(self) -> list[dict[str, Any]]:
        """Return all weights; those that follow the pitch learn faster."""
        others, own = (self.network.pitch_parameters(own=one) for one in (False, True))
        return [{"params": others}, {"params": own, "rate_scale": _PITCH_RATE}]

    @property
    def _counted(self) -> slice:
        return slice(self._before, self._before + self._frames)

    def _pitch_missed(self, scores: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return in nats how unlikely pitches seem that are sure, each spread over the places around it."""
        wanted, sure = (batch[f"followed_{name}"][:, self._counted] for name in ("wanted", "sure"))
        shape, likely = self._shape, torch.log_softmax(scores[:, :, self._counted], 1)
        places = shape.lowest + shape.apart * torch.arange(shape.places, device=scores.device)
        spread_out = torch.softmax(-0.5 * ((places[:, None] - wanted[:, None]) / _BLUR).square(), 1)
        return -((spread_out * likely).sum(1) * sure).sum() / sure.sum().clamp(min=1.0)

    def _missed(self, made: Tensor, batch: Mapping[str, Tensor]) -> _Missed:
        """Return what is missed of spectra, octaves' levels and mel frames, and how far it leans."""
        hop = MEL.hop_samples
        begin, end = self._counted.start * hop, self._counted.stop * hop
        made, wanted = (one[:, begin:end] for one in (made, batch["sound"]))
        return _Missed(
            multi_resolution_loss(made, wanted, FFT_SIZES, _QUIETEST),
            octave_loss(made, wanted, _OCTAVE_SIZES),
            (self._mel(made) - self._mel(wanted)).abs().mean(),
            _leaning(made, wanted),
        )

    def _mel(self, sound: Tensor) -> Tensor:
        """Return log mel frames of sounds, `[batch, samples]`."""
        spectrum = torch.stft(
            sound, MEL.n_fft, MEL.hop_samples, window=self._window, center=False, return_complex=True
        )
        magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
        return torch.log((self._bank @ magnitude).clamp(min=MEL.floor))


def _leaning(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean of what is made as a share of what is wanted, by the root mean square.

    Magnitudes hardly tell of it, and once a generator leans so far that its last tanh is level, it stays so.
    """
    level = wanted.square().mean(1).sqrt() + _QUIETEST
    return (made.mean(1).abs() / level).mean()


@torch.no_grad()
def _begin_with_no_pitch(excited: Excited) -> None:
    """Let frames, which lie some nats off zero, count as much as what is normal, and follow no pitch yet."""
    for name, part in (("pitch.first", _NATS), ("mel.told", _NATS), ("pitch.last", _BEGUN_SCORES)):
        excited[name].weight.mul_(part)


def vocoder_hyper(recipe: Recipe) -> tuple[HifiganHyper, MelPitch]:
    """Return the shape of a recipe's network, and how it follows pitch.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    plain = dict(recipe.hyper)
    pitch: Any = plain.get("pitch")
    if not isinstance(pitch, Mapping):
        raise ConfigError("hyper: pitch: missing; say how it is followed. See the shipped recipe.")
    frames = {"bands": MEL.bands, "sample_rate": MEL.sample_rate, "hop_samples": MEL.hop_samples}
    made: dict[str, Any] = {**plain, "bands": MEL.bands, "causal": True, "pitch": {**frames, **pitch}}
    if isinstance(plain.get("fit"), Mapping):
        told = {"convention": MEL.convention, "n_fft": MEL.n_fft, "floor": MEL.floor}
        edges = {"fmin_hz": MEL.fmin_hz, "fmax_hz": MEL.fmax_hz}
        made["fit"] = {**plain["fit"], **frames, **told, **edges}
    hyper = HifiganHyper.from_json(made)
    assert hyper.pitch is not None
    return hyper, hyper.pitch
