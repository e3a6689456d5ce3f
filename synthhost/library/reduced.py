"""What a reduced precision costs in truth: the same network in it and in float32, compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.core.options import FLOAT32
from synthhost.core.specs import MelSpec
from synthhost.features.mel import mel_spectrogram
from synthhost.library.certify_features import certifying_features, features_for
from synthhost.library.model import Model
from synthhost.streaming.autoregressive import Autoregressive, SampleLoop

MOST_SNR_DB = 200.0  # beyond what float32 tells apart: no difference at all
FEWEST_SAMPLES = 4096

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PrecisionError:
    """How far a network of reduced precision is from the same one in float32.

    Attributes:
        precision: The reduced one.
        samples: How many were compared.
        snr_db: Energy of the sound over that of the difference, in dB; 200 where there is none. Of an
            autoregressive network not the sound's, which chance drives apart, but that of what samples are
            drawn from, logits or parameters of a distribution (how it varies), both networks having heard
            what the one in float32 drew.
        log_mel: The mean difference of both networks' log-mel spectra, each hearing itself, with one seed.
        log_mel_of_seeds: The same of the network in float32 with two seeds: what chance alone makes, 0 where
            none is used.
    """

    precision: str
    samples: int
    snr_db: float
    log_mel: float
    log_mel_of_seeds: float


def precision_error(model: Model, seconds: float = 1.0) -> PrecisionError:
    """Play a network as its option `precision` says and in float32, and compare.

    Args:
        model: The model under its options.
        seconds: Of sound to compare; at least 4096 samples are.

    Raises:
        ConfigError: It is in float32 already.
    """
    precision, voice = model.computed.precision, model.playable
    if precision == FLOAT32:
        raise ConfigError(f"{model.spec.name} is played in {precision}; there is nothing to compare.")
    samples = max(round(seconds * model.spec.sample_rate), FEWEST_SAMPLES)
    if not isinstance(voice, Autoregressive):
        return _of_sound(model, samples)
    condition = _conditions(model, voice, samples)
    exact, reduced = voice.loop(precision=FLOAT32), voice.loop()
    sound, heard = _made(exact, condition, 0)
    outputs, other_outputs = _predicted(exact, condition, heard), _predicted(reduced, condition, heard)
    other, another_seed = _made(reduced, condition, 0)[0], _made(exact, condition, 1)[0]
    return PrecisionError(
        precision,
        len(sound),
        _snr_db(outputs - outputs.mean(axis=0), other_outputs - outputs),
        _log_mel_distance(sound, other, model.spec.sample_rate),
        _log_mel_distance(sound, another_seed, model.spec.sample_rate),
    )


def _of_sound(model: Model, samples: int) -> PrecisionError:
    """Compare what a network of blocks plays."""
    x = features_for(model.spec, -(-samples // model.spec.hop_samples))
    exact = model.with_options(precision=FLOAT32)
    sound, other, another_seed = exact.render(x), model.render(x), exact.render(x, seed=1)
    truth = sound.astype(np.float64)
    return PrecisionError(
        model.computed.precision,
        len(sound),
        _snr_db(truth, other - truth),
        _log_mel_distance(sound, other, model.spec.sample_rate),
        _log_mel_distance(sound, another_seed, model.spec.sample_rate),
    )


def _conditions(model: Model, voice: Autoregressive, samples: int) -> Array:
    """Return what conditions so many samples, `[samples, channels]`: a voice made up for measuring."""
    spec = model.spec
    frames = -(-samples // spec.hop_samples)
    x = np.zeros((spec.bands, frames), np.float32)
    if spec.mel is not None:
        x = certifying_features(spec.mel, frames)
    with torch.inference_mode():
        conditions = voice.conditioner(torch.from_numpy(x)[None])[0].numpy().T
    return np.ascontiguousarray(conditions[:samples])


def _made(loop: SampleLoop, condition: Array, seed: int) -> tuple[Audio, Array]:
    """Return sound and values drawn, `[samples]` each."""
    draw, samples = np.random.default_rng(seed), len(condition)
    uniforms = draw.random((samples, loop.uniforms))
    normals = draw.standard_normal((samples, loop.normals), dtype=np.float32)
    sound, values = np.empty(samples, np.float32), np.empty(samples, np.float32)
    loop.run(condition, uniforms, normals, 1.0, loop.new_state(), sound, values)
    return sound, values


def _predicted(loop: SampleLoop, condition: Array, heard: Array) -> NDArray[np.float64]:
    outputs = np.empty((len(heard), loop.outputs), np.float32)
    loop.predict(condition, heard, loop.new_state(), outputs)
    return outputs.astype(np.float64)


def _snr_db(truth: NDArray[np.float64], difference: NDArray[np.float64]) -> float:
    error, energy = float(np.sum(difference**2)), float(np.sum(truth**2))
    if error == 0.0:
        return MOST_SNR_DB
    return float(np.clip(10.0 * math.log10(max(energy, 1e-300) / error), -MOST_SNR_DB, MOST_SNR_DB))


def _log_mel_distance(one: Audio, other: Audio, sample_rate: int) -> float:
    """Return the mean absolute difference of natural log-mel spectra."""
    spec = MelSpec("jik876", sample_rate, 1024, 256, 1024, 80, 0.0, sample_rate / 2.0, "ln", 1e-5)
    return float(np.abs(mel_spectrogram(one, spec) - mel_spectrogram(other, spec)).mean())
