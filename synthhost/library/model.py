"""A model in the hand: render features whole, stream them piece by piece, analyse sound for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from synthhost.backends.torch_runner import TorchRunner
from synthhost.checkpoints.package import Package
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import FeatureError
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.families.registry import family
from synthhost.features.mel import mel_spectrogram
from synthhost.schema.manifest import Certificate, Manifest
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import look_ahead_samples, receptive_frames

_CHUNK_FRAMES = 32  # bounds the working memory of a render
_MAX_SAMPLE_RATE = 768_000


class Model:
    """A loaded model: weights shared by everything made from it, no state of its own."""

    def __init__(self, manifest: Manifest, runner: Runner, certificate: Certificate | None = None) -> None:
        self.manifest = manifest
        self.runner = runner
        self.certificate = certificate

    @property
    def spec(self) -> ModelSpec:
        """What the host must know of the model."""
        return self.runner.spec

    def render(self, features: Features, chunk_frames: int | None = None, seed: int = 0) -> Audio:
        """Turn a whole run of features into sound, exactly as the published network does.

        Args:
            features: `[bands, frames]`, at least one frame.
            chunk_frames: Frames computed at a time; sets memory and speed, not the result.
            seed: For families that draw noise; HiFi-GAN draws none.

        Returns:
            `[frames * hop_samples]`.

        Raises:
            FeatureError: If the features are not finite numbers of the right shape.
        """
        checked = self._checked(features)
        if checked.shape[1] == 0:
            raise FeatureError(f"{self.spec.name}: there are no frames to render. Give at least one.")
        stream = self.stream(_CHUNK_FRAMES if chunk_frames is None else chunk_frames)
        return np.concatenate([stream.push(checked), stream.flush()])

    def stream(self, chunk_frames: int = _CHUNK_FRAMES) -> ModelStream:
        """Begin a stream: frames pushed as they come, sound returned as soon as it is decided.

        Args:
            chunk_frames: The most frames computed at once; bounds memory.

        Raises:
            FeatureError: If that is less than 1.
        """
        if chunk_frames < 1:
            raise FeatureError(f"chunk_frames is {chunk_frames}; it must be at least 1.")
        return ModelStream(self, chunk_frames)

    def mel(self, audio: Audio, sample_rate: int) -> Features:
        """Return the features this model was trained on, of any sound.

        Args:
            audio: `[samples]` or `[channels, samples]`; channels are averaged.
            sample_rate: Of `audio`, in Hz; it is resampled to the model's.

        Returns:
            `[bands, frames]`.

        Raises:
            FeatureError: If the sound is empty, too short or not finite.
        """
        if isinstance(sample_rate, bool) or not 1000 <= sample_rate <= _MAX_SAMPLE_RATE:
            raise FeatureError(f"{sample_rate!r} Hz is no sample rate; give 1000 to {_MAX_SAMPLE_RATE}.")
        mono = _mono(np.asarray(audio, dtype=np.float32))
        if sample_rate != self.spec.sample_rate:
            mono = np.asarray(soxr.resample(mono, sample_rate, self.spec.sample_rate), dtype=np.float32)
        return mel_spectrogram(mono, self.spec.mel)

    def _checked(self, features: Features) -> Features:
        """Return features as float32, or refuse them with the place at fault."""
        wanted = f"{self.spec.name} takes [{self.spec.bands} bands, frames]"
        try:
            with np.errstate(over="ignore"):  # numbers beyond float32 become infinite and are named below
                frames = np.asarray(features, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise FeatureError(f"these features are not numbers ({error}); {wanted}.") from error
        if frames.ndim != 2 or frames.shape[0] != self.spec.bands:
            turned = " Transpose them." if frames.ndim == 2 and frames.shape[1] == self.spec.bands else ""
            raise FeatureError(f"features of shape {list(frames.shape)}, but {wanted}.{turned}")
        finite = np.isfinite(frames)
        if not finite.all():
            band, frame = np.unravel_index(int(np.argmin(finite)), frames.shape)
            raise FeatureError(f"band {band} of frame {frame} is not a finite number; {wanted}, all finite.")
        return frames


class ModelStream:
    """One running stream of one model."""

    def __init__(self, model: Model, chunk_frames: int) -> None:
        self._model = model
        self._chunk_frames = chunk_frames
        self._state: Any = model.runner.new_state()

    def push(self, features: Features) -> Audio:
        """Take the next frames, `[bands, frames]` or none, and return the sound now decided, `[samples]`.

        Raises:
            FeatureError: If the frames are not finite numbers of the right shape; the stream stays as it was.
        """
        frames = self._model._checked(features)[None]
        hop, runner = self._model.spec.hop_samples, self._model.runner
        out = np.empty((1, frames.shape[2] * hop), dtype=np.float32)
        written = 0
        for first in range(0, frames.shape[2], self._chunk_frames):
            written += runner.step(
                frames[:, :, first : first + self._chunk_frames], self._state, out[:, written:]
            )
        return out[0, :written]

    def flush(self) -> Audio:
        """End the stream: return the sound held back for look-ahead, `[samples]`, and begin anew."""
        out = np.empty((1, self._model.spec.look_ahead_samples), dtype=np.float32)
        state, self._state = self._state, self._model.runner.new_state()
        return out[0, : self._model.runner.flush(state, out)]


def model_from(package: Package) -> Model:
    """Build the network of a package and fill it."""
    manifest = package.manifest
    block = build_block(package)
    spec = ModelSpec(
        name=manifest.name,
        family=manifest.family,
        sample_rate=manifest.sample_rate,
        hop_samples=manifest.hop_samples,
        bands=manifest.mel.bands,
        look_ahead_samples=look_ahead_samples(block),
        receptive_frames=receptive_frames(block),
        mel=manifest.mel_spec(),
        sha256=manifest.sha256,
    )
    return Model(manifest, TorchRunner(spec, block), package.certificate)


def build_block(package: Package) -> AnyBlock:
    """Return the package's network with its weights."""
    kind = family(package.manifest.family)
    block = kind.build(kind.hyper_from_json(package.manifest.hyper))
    kind.load_weights(block, package.tensors)
    return block


def _mono(audio: Audio) -> Audio:
    if audio.ndim == 2 and 1 <= audio.shape[0] <= 64:
        return np.asarray(audio.mean(axis=0), dtype=np.float32)
    if audio.ndim != 1:
        raise FeatureError(f"sound of shape {list(audio.shape)}; give [samples] or [channels, samples].")
    return audio
