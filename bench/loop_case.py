"""A sample loop to be measured, and the proof that it computes what the network's layers in torch do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.sizes import random_size
from synthhost.checkpoints.importing import read_model
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.errors import ConfigError, ModelError
from synthhost.families.samplernn import SampleRnnVoice
from synthhost.families.wavenet import WavenetVoice
from synthhost.library.model import model_from
from synthhost.streaming.autoregressive import SampleLoop

PIANO = "piano-2017"
REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[2] / "shared/reference")
)

_FLOAT32_BOUND = 1e-4  # of the largest output
_REDUCED_BOUND = 2e-2  # the same of rounded weights: one of 11 bits is off by 5e-4 at most
_SAMPLES = 1024
_VOICES = 3


@dataclass(frozen=True, slots=True)
class LoopCase:
    """One network in one precision.

    Attributes:
        model: Its name.
        precision: How its weights are stored.
        sample_rate: In Hz.
        loop: Ready to run; it takes no conditions.
        max_error: Of what samples are drawn from, against torch in float32, as part of the largest.
        snr_db: The same as energy over that of the difference, in dB.
    """

    model: str
    precision: str
    sample_rate: int
    loop: SampleLoop
    max_error: float
    snr_db: float


def loop_case(name: str, precision: str) -> LoopCase:
    """Build a network and hold its loop against its layers in torch, which keep their weights in float32.

    The loop plays 1024 samples, and both tell what every one of them is drawn from, having heard those
    before: they agree within 1e-4 of the largest output in float32, and 2e-2 in a reduced precision. Three
    voices in step are held against each alone, to the bit.

    Raises:
        ConfigError: There is no such size or precision, or the trained network is not here.
        ModelError: The loop computes something else.
    """
    model = model_from(_package(name), {"precision": precision})
    voice = model.playable
    assert isinstance(voice, WavenetVoice | SampleRnnVoice)
    loop = voice.loop()
    values = _played(loop, 1)[1][0]
    predicted = np.empty((len(values), loop.outputs), np.float32)
    loop.predict(np.empty((len(values), 0), np.float32), values, loop.new_state(), predicted)
    truth = _by_torch(voice, values)
    error = _comparable(voice, predicted) - truth
    largest, energy = float(np.abs(truth).max()), float(np.sum(error**2))
    max_error = float(np.abs(error).max()) / largest
    snr_db = 10.0 * float(np.log10(np.sum((truth - truth.mean(axis=0)) ** 2) / max(energy, 1e-30)))
    bound = _FLOAT32_BOUND if precision == "float32" else _REDUCED_BOUND
    if not max_error <= bound or not _alone_as_together(loop):
        raise ModelError(
            f"{name} in {precision}: the loop does not compute what the network's layers do (largest error "
            f"{max_error:.1e}, SNR {snr_db:.1f} dB), or voices in step differ from each alone. "
            "Nothing was measured."
        )
    return LoopCase(name, precision, model.spec.sample_rate, loop, max_error, snr_db)


def inputs(loop: SampleLoop, voices: int, samples: int, seed: int = 0) -> tuple[NDArray[Any], ...]:
    """Return conditions, uniforms and normals for `run_together`."""
    draw = np.random.default_rng(seed)
    uniforms = draw.random((voices, samples, loop.uniforms))
    normals = draw.standard_normal((voices, samples, loop.normals), dtype=np.float32)
    return np.empty((voices, samples, 0), np.float32), uniforms, normals


def _package(name: str) -> Package:
    if name != PIANO:
        return random_size(name)
    folder = REFERENCE / "wavenet-real-piano"
    if not folder.is_dir():
        raise ConfigError(
            f"{PIANO}: there is no {folder}. Set SYNTHHOST_REFERENCE to the folder of references."
        )
    told = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    with TemporaryDirectory() as place:
        path = Path(place) / Path(told["original_file_name"]).name  # its shape stands in its name
        shutil.copy(folder / "checkpoint.pt", path)
        read = read_model(path, None, int(told["sample_rate"]))
    manifest = manifest_for(read, Origin(PIANO, "MIT", told["implementation"]), "0" * 64)
    return Package(manifest, read.tensors)


def _played(loop: SampleLoop, voices: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what so many voices play and draw alone, one after the other, `[voices, samples]` each."""
    condition, uniforms, normals = inputs(loop, voices, _SAMPLES)
    out, values = np.empty((voices, _SAMPLES), np.float32), np.empty((voices, _SAMPLES), np.float32)
    for n in range(voices):
        loop.run(condition[n], uniforms[n], normals[n], 1.0, loop.new_state(), out[n], values[n])
    return out, values


def _alone_as_together(loop: SampleLoop) -> bool:
    out = np.empty((_VOICES, _SAMPLES), np.float32)
    states: Sequence[Any] = [loop.new_state() for _ in range(_VOICES)]
    loop.run_together(*inputs(loop, _VOICES, _SAMPLES), 1.0, list(states), out)
    return bool(np.array_equal(out, _played(loop, _VOICES)[0]))


def _by_torch(voice: WavenetVoice | SampleRnnVoice, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the layers give for every sample, `[samples, outputs]`."""
    network = voice.network
    with torch.inference_mode():
        if isinstance(voice, SampleRnnVoice):
            silence = np.full(network.hyper.look_back_samples, network.hyper.q_levels // 2)
            ids = torch.from_numpy(np.concatenate((silence, values[:-1].astype(np.int64))))[None]
            return np.asarray(network(ids)[0][0].double().numpy())
        drawn, start = values[:-1], network.hyper.output.start
        if network.hyper.scalar_input:
            heard = np.concatenate(([start], _amplitudes(drawn, network.hyper.output))).astype(np.float32)
        else:
            heard = np.concatenate(([start], drawn)).astype(np.int64)
        return np.asarray(network(torch.from_numpy(heard)[None])[0].T.double().numpy())


def _comparable(voice: WavenetVoice | SampleRnnVoice, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a loop's outputs as the layers give them: SampleRNN's are log-probabilities."""
    plain = torch.from_numpy(outputs).double()
    return np.asarray((torch.log_softmax(plain, 1) if isinstance(voice, SampleRnnVoice) else plain).numpy())


def _amplitudes(ids: NDArray[np.float32], output: Any) -> NDArray[np.float64]:
    level = 2.0 * ids.astype(np.float64) / output.levels - 1.0
    if not output.companding:
        return level
    return np.asarray(
        np.sign(level) * np.expm1(np.abs(level) * np.log1p(output.companding)) / output.companding
    )
