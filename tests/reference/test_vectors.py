"""Every folder of reference vectors is imported, rendered and compared, driven by its own `about.json`.

Folders are found in the places that SYNTHHOST_REFERENCE names (several may be joined as in PATH); one of the
same form that is dropped in is tested without a word here. What only the network's inside can show (logits,
one step of a diffusion) is compared beside each family.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from synthhost.features.mel import mel_spectrogram
from synthhost.library.model import Model
from synthhost.library.shelves import import_model, load_model

Array = NDArray[Any]
Compared = tuple[str, Array]
"""The name of an output array, and what was computed for it, in its shape."""

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "reference"
PLACES = [Path(one) for one in os.environ.get("SYNTHHOST_REFERENCE", str(_DEFAULT)).split(os.pathsep)]
FOLDERS = sorted(about.parent for place in PLACES for about in place.glob("*/about.json"))
NAMES = [folder.name for folder in FOLDERS] or ["none"]


@dataclass(frozen=True)
class Folder:
    """One folder: what it says of itself, and its arrays by name."""

    path: Path

    @property
    def about(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "about.json").read_text()))

    def __getitem__(self, name: str) -> Array:
        return np.asarray(np.load(self.path / f"{name}.npy"))

    def __contains__(self, name: str) -> bool:
        return (self.path / f"{name}.npy").is_file()

    def within(self, name: str) -> float:
        """Return the largest error an array may have; ids must match one for one."""
        stated = self.about["tolerance"]
        for key in (name, name.partition("_")[0], "audio"):
            if key in stated:
                value = stated[key]
                return float(value) if isinstance(value, int | float) else 0.0
        raise AssertionError(f"{self.path}: no tolerance for {name}")


def mel_vocoder(folder: Folder, model: Model) -> Iterator[Compared]:
    yield "mel", mel_spectrogram(folder["wav"], model.spec.mel)[None]
    yield "audio", model.render(folder["mel"][0])[None, None]


def seungwonpark(folder: Folder, model: Model) -> Iterator[Compared]:
    yield "mel", mel_spectrogram(folder["wav"], model.spec.mel)[None]
    mel = folder["mel"][0]
    yield "audio_nopad", model.render(mel)[None, None]
    silence = np.full((mel.shape[0], 10), -11.5129, np.float32)  # what its inference appends and drops
    sound = model.render(np.concatenate((mel, silence), axis=1))[: mel.shape[1] * 256]
    yield "audio", sound
    yield "audio_int16", np.clip(sound * 32768.0, -32768, 32767).astype(np.int16)


def kan_bayashi(folder: Folder, model: Model) -> Iterator[Compared]:
    yield "feats_raw", mel_spectrogram(folder["wav"], model.spec.mel).T
    tape = {"noise": folder["z"]} if "z" in folder else {}
    sound = model.render(folder["feats_raw"].T, **tape)[:, None]
    yield "audio", sound
    yield "audio_from_norm", sound  # the same features, normalised beforehand


def lmnt_wavegrad(folder: Folder, model: Model) -> Iterator[Compared]:
    yield "mel_frontend", mel_spectrogram(folder["wav"], model.spec.mel)
    custom = model.with_options(schedule=betas(folder["noise_schedule"]))
    yield "audio", custom.render(folder["mel"], noise=folder["noise_tape"])[None]


def ivanvovk(folder: Folder, model: Model) -> Iterator[Compared]:
    yield "mel", mel_spectrogram(folder["wav"], model.spec.mel)[None]
    custom = model.with_options(schedule=betas(folder["noise_schedule"]))
    yield "audio", custom.render(folder["mel"][0], noise=folder["noise_tape"])[None]
    if "audio_6iters" in folder:
        shipped = model.render(folder["mel"][0], steps=6, noise=folder["noise_tape_6iters"])
        yield "audio_6iters", shipped[None]


def lmnt_diffwave(folder: Folder, model: Model) -> Iterator[Compared]:
    fast = model.with_options(schedule="fast")
    if model.spec.bands:
        yield "mel_frontend", mel_spectrogram(folder["wav"], model.spec.mel)
        yield "audio", fast.render(folder["mel"], noise=folder["noise_tape"])[None]
        return
    samples = folder["audio"].shape[1]
    yield "audio", fast.render(samples=samples, noise=folder["noise_tape"])[None]
    if "audio_full" in folder:
        full = model.with_options(schedule="training")
        yield "audio_full", full.render(samples=samples, noise=folder["noise_tape_full"])[None]


def philsyn(folder: Folder, model: Model) -> Iterator[Compared]:
    full, tape = model.with_options(schedule="training"), folder["noise_tape"]
    voices, _, samples = folder["audio"].shape
    padded = -(-samples // model.spec.hop_samples) * model.spec.hop_samples
    assert padded == samples, "choose a length at which the network has its edges"
    sounds = [full.render(samples=samples, noise=tape[:, voice]) for voice in range(voices)]
    yield "audio", np.stack(sounds)[:, None]


def r9y9(folder: Folder, model: Model) -> Iterator[Compared]:
    if "mel_raw" in folder:
        yield "mel_raw", mel_spectrogram(folder["wav"], model.spec.mel).T
    given: dict[str, Any] = {"samples": folder["audio"].shape[0]}
    if model.spec.bands:
        given = {"features": folder["mel"].T}
    length = len(folder["audio"])
    tapes = [folder[name].reshape(length, -1) for name in ("u", "u_mix", "u_logistic") if name in folder]
    noise = next((folder[name] for name in ("n", "normal", "normals", "noise") if name in folder), None)
    drawn: dict[str, Any] = {"noise": noise} if noise is not None else {}
    if tapes:
        drawn["uniforms"] = np.concatenate(tapes, axis=1)
    yield "audio", model.render(**given, **drawn)


def real_piano(folder: Folder, model: Model) -> Iterator[Compared]:
    authors, _ = soundfile.read(folder.path / "generated.wav")
    yield "generated", model.render(samples=authors.shape[0], temperature=0.0)


def vincentherrmann(folder: Folder, model: Model) -> Iterator[Compared]:
    yield from ()  # its ids begin after ids that only fill the state: compared beside the family


def deepsound(folder: Folder, model: Model) -> Iterator[Compared]:
    tape = folder["u"]
    sounds = [model.render(samples=tape.shape[0], uniforms=tape[:, voice]) for voice in range(tape.shape[1])]
    levels = folder.about["parameters"]["q_levels"]
    yield "generated", np.round((np.stack(sounds) + 1.0) * levels / 2.0).astype(np.int64)


def wavegan(folder: Folder, model: Model) -> Iterator[Compared]:
    clips = np.stack([model.render(latent=z) for z in folder["z"]])
    yield "audio", clips.reshape(folder["audio"].shape)


def nn_tilde(folder: Folder, model: Model) -> Iterator[Compared]:
    latents = folder["latents"][0]
    yield "audio", model.render(latent=latents)[None, None]
    stream, cuts = model.stream(), folder.about["chunks"]
    pieces, first = [], 0
    while first < latents.shape[1]:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(stream.push(latents[:, first : first + size]))
        first += size
    yield "audio", np.concatenate([*pieces, stream.flush()])[None, None]
    half = model.stream()
    half.set_control("gain", 0.5)
    yield "audio_gain_half", np.concatenate([half.push(latents), half.flush()])[None, None]


DRIVERS: dict[str, Callable[[Folder, Model], Iterator[Compared]]] = {
    "jik876/hifi-gan": mel_vocoder,
    "descriptinc/melgan-neurips": mel_vocoder,
    "seungwonpark/melgan": seungwonpark,
    "kan-bayashi/ParallelWaveGAN": kan_bayashi,
    "lmnt-com/wavegrad": lmnt_wavegrad,
    "ivanvovk/WaveGrad": ivanvovk,
    "lmnt-com/diffwave": lmnt_diffwave,
    "philsyn/DiffWave-unconditional": philsyn,
    "r9y9/wavenet_vocoder": r9y9,
    "vincentherrmann/pytorch-wavenet": vincentherrmann,
    "deepsound-project/samplernn-pytorch": deepsound,
    "mostafaelaraby/wavegan-pytorch": wavegan,
    "chrisdonahue/wavegan": wavegan,
    "acids-ircam/nn_tilde": nn_tilde,
}


def betas(schedule: Array) -> str:
    """Write a noise schedule as the option `schedule` takes it."""
    return ",".join(repr(float(beta)) for beta in schedule)


def checkpoints(folder: Folder) -> list[Path]:
    """Return the files to import: every form of the model that is not a program."""
    names = folder.about.get("checkpoint_files") or ["checkpoint.pt"]
    if any(name.endswith(".index") for name in names):
        return [folder.path / next(name for name in names if name.endswith(".index"))]
    return [folder.path / name for name in names if "whole_model" not in name]


def expected(folder: Folder, name: str) -> Array:
    wav = folder.path / f"{name}.wav"
    return np.asarray(soundfile.read(wav)[0]) if wav.is_file() else folder[name]


@pytest.mark.reference
@pytest.mark.parametrize("name", NAMES)
def test_an_imported_checkpoint_gives_what_its_authors_code_gave(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [folder for folder in FOLDERS if folder.name == name]
    if not found:
        pytest.skip(f"no reference vectors in {os.pathsep.join(map(str, PLACES))} (set SYNTHHOST_REFERENCE)")
    folder = Folder(found[0])
    implementation = str(folder.about["implementation"]).partition(" ")[0]
    driver = real_piano if (folder.path / "generated.wav").is_file() else DRIVERS[implementation]
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    for number, path in enumerate(checkpoints(folder)):
        allowed = {"allow_code": True} if path.suffix == ".ts" else {}
        imported = import_model(path, name=f"vector-{number}", **allowed)
        model = load_model(imported)
        compared = 0
        for array, computed in driver(folder, model):
            truth = expected(folder, array)
            assert computed.shape == truth.shape, array
            np.testing.assert_allclose(computed, truth, atol=folder.within(array), rtol=0, err_msg=array)
            compared += 1
        assert compared or driver is vincentherrmann
