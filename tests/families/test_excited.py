"""Generators that play notes: exact in any chunking, native as torch, with nothing ahead."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.torch_runner import TorchRunner
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, load_package, manifest_for, save_package
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import PITCH_FROM_HZ, PITCH_HZ, measuring_frames
from synthhost.core.seams import Runner
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.families.mel_fitting import MelFitting
from synthhost.families.melgan_hyper import MelganHyper
from synthhost.families.note_input import NoteInput
from synthhost.families.registry import family
from synthhost.features.mel import mel_spectrogram
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model, model_from
from synthhost.native.compiled import why_missing

RATE, HOP = 16000, 24
NOTES: dict[str, Any] = {
    "sample_rate": RATE,
    "hop_samples": HOP,
    "dimensions": 2,
    "release_s": 0.1,
    "lowest": 40.0,
    "highest": 80.0,
    "voices": 2,
    "harmonics": 9,
    "hidden": 11,
    "width": 6,
    "settled_s": 1.0,
}
BANDS = NoteInput.from_json(NOTES).notes.bands
SHAPES: dict[str, dict[str, Any]] = {
    "melgan": {
        "bands": BANDS,
        "channels": 16,
        "upsample_scales": [4, 3, 2],
        "stacks": 2,
        "causal": True,
        "edge": "zeros",
        "notes": NOTES,
    },
    "hifigan": {
        "bands": BANDS,
        "resblock": "2",
        "upsample_rates": [4, 6],
        "upsample_kernel_sizes": [8, 12],
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 3], [1, 2]],
        "causal": True,
        "notes": NOTES,
    },
}
PITCH: dict[str, Any] = {
    "bands": 7,
    "sample_rate": RATE,
    "hop_samples": HOP,
    "lowest_hz": 50.0,
    "highest_hz": 1000.0,
    "places": 40,
    "harmonics": 9,
    "ahead": 2,
    "hidden": 5,
    "depth": 2,
    "width": 6,
}
SHAPES["hifigan-mel"] = {**SHAPES["hifigan"], "bands": 7, "notes": None, "pitch": PITCH}
FIT: dict[str, Any] = {
    "convention": "jik876",
    "sample_rate": RATE,
    "n_fft": 128,
    "hop_samples": HOP,
    "bands": 7,
    "fmin_hz": 0.0,
    "fmax_hz": 8000.0,
    "floor": 1e-5,
    "rounds": 2,
}
SHAPES["hifigan-fitted"] = {**SHAPES["hifigan-mel"], "pitch": {**PITCH, "ahead": 0}, "fit": FIT}
KINDS = list(SHAPES)
ROUNDING = {"melgan": 2e-5, "hifigan": 2e-5, "hifigan-mel": 5e-4, "hifigan-fitted": 2e-3}
"""Of the peak; a pitch's adds up in cycles, and a fit goes by what it has made."""

OF_NOTES, OF_MEL = ["melgan", "hifigan"], ["hifigan-mel", "hifigan-fitted"]


@cache
def package(kind: str) -> Package:
    own = family(kind.partition("-")[0])
    parsed = own.hyper_from_json(SHAPES[kind])
    torch.manual_seed(3)
    tensors = {
        name: torch.randn(shape) / np.sqrt(np.prod(shape[1:]))
        for name, shape in own.tensor_names(parsed).items()
    }
    mel = None
    if kind in OF_MEL:
        tensors["pitch.last.bias"] += 8.0  # octaves above 1 Hz
        mel = MelFitting.from_json(FIT).frames
    read = ReadModel("test", kind.partition("-")[0], parsed.as_json(), mel, tensors, RATE)
    return Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors)


@cache
def model(kind: str) -> Model:
    return model_from(package(kind))


@cache
def runner(kind: str, native: bool) -> Runner:
    spec, playable = model(kind).spec, model(kind).playable
    if not native:
        return TorchRunner(spec, playable)
    return import_module("synthhost.backends.native_runner").NativeRunner(spec, playable)


def frames_of(kind: str, count: int) -> np.ndarray:
    if kind in OF_MEL:
        made = np.random.default_rng(2).standard_normal((7, count)) - 5.0 * (kind == "hifigan-fitted")
        return made.astype(np.float32)
    return measuring_frames(NoteInput.from_json(NOTES).notes, RATE, HOP, count)


def streamed(of: Runner, frames: np.ndarray, cuts: list[int]) -> np.ndarray:
    state, sounds = of.new_state(1, SeededDraws.of(1)), []
    for piece in np.split(frames, np.cumsum(cuts), axis=1):
        out = np.empty((1, (piece.shape[1] + 1) * HOP), np.float32)
        sounds.append(out[0, : of.step(np.ascontiguousarray(piece[None]), state, out)])
    out = np.empty((1, of.spec.look_ahead_samples + HOP), np.float32)
    return np.concatenate([*sounds, out[0, : of.flush(state, out)]])


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_the_whole_and_the_offline_pass(kind: str) -> None:
    frames = frames_of(kind, 40)
    whole = streamed(runner(kind, False), frames, [])
    assert whole.shape == (40 * HOP,)
    with torch.inference_mode():
        playable: Any = model(kind).playable
        offline = playable(torch.from_numpy(frames)[None])[0, 0].numpy()
    bound = ROUNDING[kind] * np.abs(whole).max()
    np.testing.assert_allclose(streamed(runner(kind, False), frames, [1, 0, 7, 3]), whole, atol=bound)
    np.testing.assert_allclose(offline, whole, atol=bound)


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
@pytest.mark.parametrize("kind", KINDS)
def test_native_is_torch_and_any_chunking_gives_the_same_bits(kind: str) -> None:
    frames = frames_of(kind, 40)
    native = streamed(runner(kind, True), frames, [])
    wanted = streamed(runner(kind, False), frames, [])
    assert np.abs(native - wanted).max() < ROUNDING[kind] * np.abs(wanted).max()
    for cuts in ([1, 1, 1], [5, 20], [0, 13]):
        assert np.array_equal(streamed(runner(kind, True), frames, cuts), native)


@pytest.mark.parametrize("kind", OF_NOTES)
def test_nothing_is_looked_ahead_for(kind: str) -> None:
    assert model(kind).spec.look_ahead_samples == look_ahead_by_disturbance(model(kind)) == 0
    assert model(kind).spec.notes == NoteInput.from_json(NOTES).notes


@pytest.mark.parametrize("kind", OF_NOTES)
def test_the_excitation_of_a_frame_is_heard_in_it_and_not_before(kind: str) -> None:
    frames = frames_of(kind, 30)
    bent = frames.copy()
    bent[PITCH_HZ, 20] *= 1.1
    bent[PITCH_FROM_HZ, 20] *= 1.1
    plain, other = (streamed(runner(kind, False), one, []) for one in (frames, bent))
    differing = np.flatnonzero(np.abs(plain - other) > 1e-7)
    assert 20 * HOP <= differing[0] < 21 * HOP


@pytest.mark.parametrize(("kind", "frames"), [("hifigan-mel", 2), ("hifigan-fitted", 3)])
def test_a_vocoder_waits_for_what_its_pitch_is_followed_in_and_what_it_is_fitted_to(
    kind: str, frames: int
) -> None:
    spec = model(kind).spec
    assert spec.look_ahead_samples == look_ahead_by_disturbance(model(kind))
    assert frames * HOP <= spec.look_ahead_samples < (frames + 1) * HOP


def test_a_fit_brings_what_is_made_nearer_to_its_frames() -> None:
    time = np.arange(60 * HOP) / RATE
    spec = MelFitting.from_json(FIT).frames
    frames = mel_spectrogram((0.2 * np.sin(2.0 * np.pi * 700.0 * time)).astype(np.float32), spec)
    apart = [
        np.abs(mel_spectrogram(streamed(runner(kind, False), frames, []), spec) - frames)[:, 8:-8].mean()
        for kind in OF_MEL
    ]
    assert apart[1] < 0.3 * apart[0]


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
@pytest.mark.parametrize("kind", OF_MEL)
def test_a_frame_that_is_no_number_is_survived(kind: str) -> None:
    frames = frames_of(kind, 80)
    broken = frames.copy()
    broken[:, 20] = np.nan
    for native in (False, True):
        sound = streamed(runner(kind, native), broken, [])
        assert np.isnan(sound[20 * HOP : 21 * HOP]).any()
        assert np.isfinite(sound[60 * HOP :]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_read_back_as_written(kind: str) -> None:
    parsed: Any = family(kind.partition("-")[0]).hyper_from_json(SHAPES[kind])
    assert family(kind.partition("-")[0]).hyper_from_json(parsed.as_json()) == parsed
    plain: Any = family(kind.partition("-")[0]).hyper_from_json(
        {key: value for key, value in SHAPES[kind].items() if key != "notes"}
    )
    assert "notes" not in plain.as_json()


def test_a_manifest_whose_frames_are_not_those_that_sound_is_fitted_to_is_refused(tmp_path: Path) -> None:
    made = package("hifigan-fitted")
    hyper, mel = made.manifest.hyper, made.manifest.mel_spec()
    assert mel is not None
    read = ReadModel("test", "hifigan", hyper, mel, made.tensors, RATE)
    folder = save_package(read, Origin("fitted", "CC0", "test"), tmp_path / "fitted")
    assert load_package(folder).manifest.mel_spec() == mel
    path = folder / "manifest.yaml"
    plain = path.read_text(encoding="utf-8")
    for told, other, said in (
        ("fmax_hz: 8000.0\n  log", "fmax_hz: 4000.0\n  log", r"fmax_hz 4000\.0 against 8000\.0"),
        ("log: ln", "log: log10", "log log10 against ln"),
    ):
        assert plain.count(told) == 1
        path.write_text(plain.replace(told, other), encoding="utf-8")
        with pytest.raises(ConfigError, match=f"is not what the network's sound is fitted to: {said}\\."):
            load_package(folder)


def test_a_manifest_at_another_rate_than_its_notes_are_made_at_is_refused(tmp_path: Path) -> None:
    made = package("melgan")
    read = ReadModel("test", "melgan", made.manifest.hyper, None, made.tensors, RATE)
    folder = save_package(read, Origin("played", "CC0", "test"), tmp_path / "played")
    assert load_package(folder).manifest.sample_rate == RATE
    path = folder / "manifest.yaml"
    plain = path.read_text(encoding="utf-8")
    assert plain.count(f"\nsample_rate: {RATE}") == 1
    path.write_text(plain.replace(f"\nsample_rate: {RATE}", "\nsample_rate: 44100"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sample_rate 44100, but hyper\.notes\.sample_rate is 16000"):
        load_package(folder)


def test_what_cannot_play_notes_is_refused() -> None:
    with pytest.raises(ConfigError, match="MelGAN notes: are played by causal networks"):
        MelganHyper.from_json({**SHAPES["melgan"], "causal": False})
    with pytest.raises(ConfigError, match="HiFi-GAN notes: are played by causal networks"):
        HifiganHyper.from_json({**SHAPES["hifigan"], "statistics": True})
    with pytest.raises(ConfigError, match="MelGAN notes: have frames of"):
        MelganHyper.from_json({**SHAPES["melgan"], "upsample_scales": [4, 3, 4]})
    with pytest.raises(ConfigError, match="HiFi-GAN pitch: is followed in frames of 7 bands"):
        HifiganHyper.from_json({**SHAPES["hifigan-mel"], "bands": 8})
    with pytest.raises(ConfigError, match="HiFi-GAN pitch: is followed by causal networks"):
        HifiganHyper.from_json({**SHAPES["hifigan-mel"], "causal": False})
    fitted = SHAPES["hifigan-fitted"]
    for fit, said in (
        ({**FIT, "n_fft": 192}, "fit: n_fft: 192 samples over a hop of 24; it must be a power of two"),
        ({**FIT, "n_fft": 256}, "at most 7 hops long"),
        ({**FIT, "convention": "lmnt"}, "fit: convention: expected one of jik876"),
        ({**FIT, "roundz": 9}, "fit: 'roundz' is not known. Did you mean 'rounds'"),
        ({**FIT, "fmin_hz": 10.0, "fmax_hz": 11.5}, "fit: fmin_hz, fmax_hz: no bin of 128 samples"),
        ({**FIT, "bands": 8}, "HiFi-GAN fit: bands, hop_samples and sample_rate are"),
        (3, "HiFi-GAN fit: expected a mapping, got 3"),
    ):
        with pytest.raises(ConfigError, match=said):
            HifiganHyper.from_json({**fitted, "fit": fit})
    with pytest.raises(ConfigError, match="HiFi-GAN fit: sound is fitted to frames in which a pitch"):
        HifiganHyper.from_json({**fitted, "pitch": None})
    with pytest.raises(ConfigError, match="tail_frames: notes end by themselves"):
        _ = model("melgan").with_options(tail_frames=3).playable
