"""A model in the hand: render whole, stream piece by piece, analyse sound for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import ArrayLike

from synthhost.backends.choice import choose
from synthhost.backends.runners import make_runner
from synthhost.checkpoints.package import Package
from synthhost.core.arrays import Audio, Features
from synthhost.core.computing import BACKEND, COMPUTING, CPU, DEVICE, THREADS, Computed
from synthhost.core.draws import Draws, SeededDraws, TapeDraws
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.options import FLOAT32, PRECISION, OptionSpec, OptionValue, settled
from synthhost.core.seams import Reserving, Runner
from synthhost.core.specs import ModelSpec
from synthhost.families.family import TEMPERATURE
from synthhost.families.registry import family
from synthhost.features.mel import mel_spectrogram
from synthhost.library.given import (
    LONGEST_SAMPLES,
    checked_features,
    clip_features,
    free_features,
    mixed_to_mono,
    note_features,
)
from synthhost.library.number_files import with_files_read
from synthhost.library.numbers import finite, whole
from synthhost.library.specs import spec_of
from synthhost.schema.manifest import Certificate, Manifest
from synthhost.streaming.playable import Playable
from synthhost.streaming.script import Script

_CHUNK_SAMPLES = 8192  # computed at a time where nothing else is said: bounds the working memory of a render
_MAX_SAMPLE_RATE = 768_000
_LARGEST_SEED = (1 << 63) - 1


class Model:
    """A loaded model: weights shared by everything made from it, no state of its own.

    Attributes:
        manifest: What the model says of itself.
        certificate: What was measured of it, if anything was.
        options: What was decided when it was built, back end and device too.
        playable: The network as it is played under them.
        runner: What computes it.
        computed: Which back end and device that is, and why.
    """

    playable: Playable | Script
    runner: Runner
    computed: Computed

    def __init__(self, package: Package, options: Mapping[str, object] | None = None) -> None:
        self.manifest: Manifest = package.manifest
        self.certificate: Certificate | None = package.certificate
        self.options: Mapping[str, OptionValue] = settled(
            self.option_specs, options or {}, package.manifest.name
        )
        self._package = package
        self._network = build_network(package)
        self.playable, self.runner, self.computed = _played(package, self._network, self.options)

    @property
    def spec(self) -> ModelSpec:
        """What the host must know of the model."""
        return self.runner.spec

    @property
    def option_specs(self) -> tuple[OptionSpec, ...]:
        """What can be decided when the model is built: its family's options, and what computes it."""
        return (*family(self.manifest.family).options, *COMPUTING)

    def with_options(self, **options: object) -> Model:
        """Return the same model with some options decided otherwise; the weights are shared.

        Raises:
            ConfigError: There is no such option, or no such value.
        """
        return self.rebuilt({**self.options, **options})

    def rebuilt(self, options: Mapping[str, object]) -> Model:
        """Return the same model under these options, all others at their defaults; the weights are shared.

        Raises:
            ConfigError: There is no such option, or no such value.
        """
        other = object.__new__(Model)
        other.manifest, other.certificate = self.manifest, self.certificate
        other._package, other._network = self._package, self._network
        other.options = settled(self.option_specs, options, self.manifest.name)
        other.playable, other.runner, other.computed = _played(self._package, self._network, other.options)
        return other

    def render(
        self,
        features: ArrayLike | None = None,
        *,
        samples: int | None = None,
        latent: ArrayLike | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
        chunk_frames: int | None = None,
        noise: ArrayLike | None = None,
        uniforms: ArrayLike | None = None,
    ) -> Audio:
        """Return sound, exactly as the published network makes it.

        Args:
            features: `[bands, frames]` for models that take mel frames.
            samples: How long, for models that run by themselves; of others the first so many.
            latent: `[dimensions]` for a clip, `[dimensions, frames]` for models that take a latent stream.
            seed: Of the chance that the model uses, if any.
            temperature: How far that chance reaches; 0 takes the likeliest value.
            steps: Of a diffusion; None: as the model's options say.
            chunk_frames: Frames computed at a time; sets memory and speed, not the result (of a TorchScript
                program it may set the result too: see its certificate).
            noise: A recorded tape of normal values instead of the seed's, `[streams, samples]`.
            uniforms: The same of values uniform in (0, 1).

        Returns:
            `[samples]`.

        Raises:
            FeatureError: What was given is not what the model takes.
            ConfigError: The model has no steps to choose.
        """
        if steps is not None:
            model = self.with_options(steps=steps)
            return model.render(
                features,
                samples=samples,
                latent=latent,
                seed=seed,
                temperature=temperature,
                chunk_frames=chunk_frames,
                noise=noise,
                uniforms=uniforms,
            )
        frames, hop = self._frames(features, samples, latent), self.spec.hop_samples
        if samples is not None:
            samples = whole("samples", samples, 1, frames.shape[1] * hop)
        draws: Draws = SeededDraws.of(whole("seed", seed, -_LARGEST_SEED, _LARGEST_SEED))
        if noise is not None or uniforms is not None:
            streams = self.runner.noise_streams, self.runner.uniform_streams
            tapes = TapeDraws.of(noise, uniforms, *streams)
            draws = tapes if samples is None else tapes.lengthened(samples, frames.shape[1] * hop)
        stream = self.stream(chunk_frames, draws=draws)
        if finite("temperature", temperature, 0.0, TEMPERATURE.maximum) != 1.0:
            stream.set_control("temperature", temperature)
        sound = np.concatenate([stream.push(frames), stream.flush()])
        return sound if samples is None else sound[:samples]

    def note(
        self,
        key: float,
        velocity: float = 0.7,
        held_s: float = 1.0,
        timbre: ArrayLike | None = None,
        after_s: float | None = None,
    ) -> Audio:
        """Play one note of a model that plays notes.

        Args:
            key: In semitones, 60 being middle C; fractions are heard.
            velocity: 0 to 1.
            held_s: Until it ends, after which it is heard for `after_s`; None: for all of its release.
            timbre: A point, `[dimensions]`; None: the middle of them all.

        Raises:
            FeatureError: The model plays no notes, or a number is out of range.
        """
        return self.render(note_features(self.spec, key, velocity, (held_s, after_s), timbre))

    def stream(
        self, chunk_frames: int | None = None, *, seed: int = 0, draws: Draws | None = None
    ) -> ModelStream:
        """Begin a stream: frames pushed as they come, sound returned as soon as it is decided.

        Args:
            chunk_frames: The most frames computed at once; bounds memory, and has a good default. On a GPU
                steps of just so many are replayed as one graph.
            seed: Of the chance that the model uses, if any.
            draws: What to draw from instead.

        Raises:
            FeatureError: If `chunk_frames` is less than 1.
        """
        frames = max(_CHUNK_SAMPLES // self.spec.hop_samples, 1)
        if chunk_frames is not None:
            frames = whole("chunk_frames", chunk_frames, 1, LONGEST_SAMPLES)
            if isinstance(self.runner, Reserving):
                self.runner.reserve(frames)
        seed = whole("seed", seed, -_LARGEST_SEED, _LARGEST_SEED)
        return ModelStream(self, frames, draws or SeededDraws.of(seed))

    def mel(self, audio: Audio, sample_rate: int) -> Features:
        """Return the features this model was trained on, of any sound.

        Args:
            audio: `[samples]` or `[channels, samples]`; channels are averaged.
            sample_rate: Of `audio`, in Hz; it is resampled to the model's.

        Returns:
            `[bands, frames]`.

        Raises:
            FeatureError: If the sound is empty, too short or not finite, or the model takes no mel frames.
        """
        spec = self.spec.mel
        if spec is None:
            raise FeatureError(f"{self.spec.name} takes no mel frames.")
        return mel_spectrogram(self._mono(audio, sample_rate), spec)

    def encode(self, audio: Audio, sample_rate: int, *, seed: int = 0) -> Features:
        """Return the latent vectors that a codec's own encoder makes of any sound.

        Only TorchScript codecs have one. The sound is encoded in one piece.

        Args:
            audio: `[samples]` or `[channels, samples]`; channels are averaged. Silence fills the last frame.
            sample_rate: Of `audio`, in Hz; it is resampled to the model's.
            seed: Of the chance that the encoder uses, if any.

        Returns:
            `[dimensions, frames]`.

        Raises:
            FeatureError: If the sound is empty or not finite, or the model has no encoder.
            ModelError: If the program failed.
        """
        script, hop = self.playable, self.spec.hop_samples
        if not isinstance(script, Script) or not script.encodes:
            raise FeatureError(f"{self.spec.name} has no encoder. Give latent vectors of your own.")
        mono = self._mono(audio, sample_rate)
        if not mono.size or not np.isfinite(mono).all():
            raise FeatureError("this sound is empty or holds what is no finite number; it cannot be encoded.")
        filled = torch.from_numpy(np.pad(mono, (0, -len(mono) % hop)))
        vectors: Features = script.encode(script.fresh(), filled, seed).numpy()
        return vectors

    def _mono(self, audio: Audio, sample_rate: int) -> Audio:
        """Return any sound as one channel at the model's rate, `[samples]`."""
        if isinstance(sample_rate, bool) or not 1000 <= sample_rate <= _MAX_SAMPLE_RATE:
            raise FeatureError(f"{sample_rate!r} Hz is no sample rate; give 1000 to {_MAX_SAMPLE_RATE}.")
        mono = mixed_to_mono(np.asarray(audio, dtype=np.float32))
        if sample_rate != self.spec.sample_rate:
            mono = np.asarray(soxr.resample(mono, sample_rate, self.spec.sample_rate), dtype=np.float32)
        return mono

    def _frames(self, features: ArrayLike | None, samples: int | None, latent: ArrayLike | None) -> Features:
        if features is not None and latent is not None:
            raise FeatureError(f"{self.spec.name}: features and latent were given; give one of them.")
        given = features if latent is None else latent
        if self.spec.clip_frames:
            return clip_features(self.spec, given)
        if self.spec.bands == 0:
            return free_features(self.spec, given, samples)
        checked = checked_features(self.spec, given)
        if checked.shape[1] == 0:
            raise FeatureError(f"{self.spec.name}: there are no frames to render. Give at least one.")
        return checked


class ModelStream:
    """One running stream of one model."""

    def __init__(self, model: Model, chunk_frames: int, draws: Draws) -> None:
        self._model = model
        self._chunk_frames = chunk_frames
        self._draws = draws
        self._state: Any = model.runner.new_state(1, draws)

    def set_control(self, name: str, value: float) -> None:
        """Tell the stream something that holds from its next sample on, such as `temperature`.

        Raises:
            ConfigError: The model's streams can be told no such thing.
            FeatureError: The value is no finite number.
        """
        known = {spec.name: spec for spec in self._model.runner.controls}
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ConfigError(f"{self._model.spec.name} has no control {name!r}. It has: {listed}.")
        held = known[name].clamp(finite(name, value, -math.inf, math.inf))
        self._model.runner.set_control(self._state, name, held)

    def push(self, features: ArrayLike) -> Audio:
        """Take the next frames, `[bands, frames]` or none, and return the sound now decided, `[samples]`.

        Raises:
            FeatureError: If the frames are not finite numbers of the right shape; the stream stays as it was.
        """
        runner = self._model.runner
        spec = runner.spec
        frames = checked_features(spec, features)[None]
        out = np.empty((1, frames.shape[2] * spec.hop_samples + spec.burst_samples), dtype=np.float32)
        written = 0
        for first in range(0, frames.shape[2], self._chunk_frames):
            chunk = frames[:, :, first : first + self._chunk_frames]
            written += runner.step(chunk, self._state, out[:, written:])
        return out[0, :written]

    def flush(self) -> Audio:
        """End the stream: return the sound held back for look-ahead, `[samples]`, and begin anew."""
        runner = self._model.runner
        held = runner.spec.look_ahead_samples + runner.spec.burst_samples  # the latter of a stream just begun
        out = np.empty((1, held), dtype=np.float32)
        state, self._state = self._state, runner.new_state(1, self._draws)
        return out[0, : runner.flush(state, out)]


def model_from(package: Package, options: Mapping[str, object] | None = None) -> Model:
    """Build the network of a package, fill it and make it ready to play under options.

    Raises:
        ConfigError: There is no such option, or no such value.
    """
    return Model(package, options)


def build_network(package: Package) -> Any:
    """Return the package's network with its weights; a model that is a program as it was loaded."""
    if package.program is not None:
        return package.program
    kind = family(package.manifest.family)
    network = kind.build(kind.hyper_from_json(package.manifest.hyper))
    kind.load_weights(network, package.tensors)
    return network


def _played(
    package: Package, network: Any, options: Mapping[str, OptionValue]
) -> tuple[Playable | Script, Runner, Computed]:
    """Return a filled network as it is played under options, what runs it, and why that does."""
    manifest = package.manifest
    kind = family(manifest.family)
    backend, device = str(options[BACKEND.name]), str(options[DEVICE.name])
    threads, precision = int(options[THREADS.name]), str(options.get(PRECISION, FLOAT32))
    common = {spec.name for spec in COMPUTING}
    own = {name: value for name, value in options.items() if name not in common}
    if device != CPU and not isinstance(network, Script):
        network = build_network(package)  # which is moved there; this one may be playing
    read = with_files_read(kind.options, own)
    playable = network if isinstance(network, Script) else kind.play(network, read)
    computed = choose(manifest.name, playable, backend, device, threads, precision)
    runner = make_runner(
        spec_of(manifest, playable),
        playable,
        kind.controls,
        backend=computed.backend,
        device=computed.device,
        threads=threads,
        precision=precision,
    )
    return playable, runner, computed
