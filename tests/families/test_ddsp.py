"""The network that plays notes: exact pitch, any chunking, native as torch, and numbers that are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.torch_runner import TorchRunner
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import CheckpointError, ConfigError, FeatureError
from synthhost.core.note_frames import NoteLine, key_hz, measuring_frames
from synthhost.core.specs import ModelSpec
from synthhost.families import ddsp
from synthhost.families.ddsp_hyper import DdspHyper
from synthhost.library.shelves import load_model
from synthhost.native.compiled import compiled, why_missing
from synthhost.streaming.timing import look_ahead_samples

PLAIN: dict[str, Any] = {
    "sample_rate": 16000,
    "hop_samples": 80,
    "dimensions": 3,
    "width": 24,
    "depth": 2,
    "harmonics": 20,
    "noise_bands": 8,
    "release_s": 0.2,
    "lowest": 40.0,
    "highest": 90.0,
    "stretch": [-9.0, 0.5, 0.1, 0.0, -0.1],
}
HYPER = DdspHyper.from_json(PLAIN)


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return ddsp.build(HYPER).eval()


def note(key: float, frames: int = 60) -> Any:
    line = NoteLine(HYPER.notes, HYPER.sample_rate, HYPER.hop_samples)
    line.begin(key, 0.8)
    out = np.zeros((HYPER.bands, frames), np.float32)
    line.write(out, np.zeros((3, frames), np.float32))
    return out


def spec_of() -> ModelSpec:
    return ModelSpec("n", "ddsp", 16000, 80, HYPER.bands, 0, 2, None, "0" * 64, notes=HYPER.notes)


def test_nothing_is_looked_ahead_for() -> None:
    assert look_ahead_samples(network()) == 0


@pytest.mark.parametrize("key", [40.0, 57.3, 69.0])
def test_the_pitch_is_the_keys_whatever_the_weights(key: float) -> None:
    model = network()
    with torch.no_grad():
        for layer in ddsp.named_layers(model).values():
            layer.bias.fill_(-1.0)
        levels = ddsp.named_layers(model)["levels"]
        levels.weight.zero_()
        levels.bias[HYPER.harmonics :] = -20.0  # no noise
        sound = model(torch.from_numpy(note(key, 200))[None])[0, 0].numpy()[1600:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 1 << 18))
    hertz = np.fft.rfftfreq(1 << 18, 1 / 16000)
    near = np.abs(hertz - key_hz(key)) < 20.0
    found = hertz[near][np.argmax(spectrum[near])]
    assert abs(1200.0 * np.log2(found / key_hz(key))) < 3.0


@pytest.mark.skipif(why_missing() is not None, reason="no compiled extension")
@pytest.mark.parametrize("level", compiled().processor_levels() if why_missing() is None else [])
def test_native_equals_torch_on_every_level_in_any_chunking(level: str) -> None:
    from synthhost.backends.native_runner import NativeRunner

    frames = measuring_frames(HYPER.notes, HYPER.sample_rate, HYPER.hop_samples, 50)[None]
    frames[:, 5] = -3.0  # tilt
    runners = TorchRunner(spec_of(), network()), NativeRunner(spec_of(), network(), level=level)
    sounds = []
    for runner, cuts in ((runners[0], [50]), (runners[1], [1, 2, 7, 40]), (runners[1], [50])):
        out, state, at, written = np.zeros((1, 4000), np.float32), runner.new_state(1), 0, 0
        for count in cuts:
            piece = np.ascontiguousarray(frames[:, :, at : at + count])
            written += runner.step(piece, state, out[:, written:])
            at += count
        assert written + runner.flush(state, out[:, written:]) == 4000
        sounds.append(out)
    assert np.abs(sounds[0] - sounds[1]).max() < 1e-5 * np.abs(sounds[0]).max()
    np.testing.assert_array_equal(sounds[1], sounds[2])


def test_weights_go_out_and_in_by_name_and_all_of_them() -> None:
    tensors = ddsp.named_tensors(network(1))
    assert {name: tuple(one.shape) for name, one in tensors.items()} == ddsp.tensor_names(HYPER)
    other = network(2)
    ddsp.load_weights(other, tensors)
    frames = torch.from_numpy(note(60.0))[None]
    with torch.no_grad():
        torch.testing.assert_close(other(frames), network(1)(frames), rtol=0, atol=0)
    with pytest.raises(CheckpointError, match="lack tensors"):
        ddsp.load_weights(other, {name: one for name, one in tensors.items() if name != "levels.bias"})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("depth", 0, "depth"),
        ("harmonics", 10_000, "harmonics"),
        ("highest", 30.0, "highest"),
        ("stretch", [0.0], "5 numbers"),
        ("stretch", [0.0, 0.0, 0.0, 0.0, float("nan")], "stretch 4"),
    ],
)
def test_numbers_that_make_no_network_are_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        DdspHyper.from_json({**PLAIN, key: value})
    assert DdspHyper.from_json(HYPER.as_json()) == HYPER


def test_a_model_plays_a_note_by_its_key(tmp_path: Path) -> None:
    read = ReadModel("synthhost", "ddsp", PLAIN, None, ddsp.named_tensors(network()), 16000)
    model = load_model(save_package(read, Origin("small", "CC0-1.0", "made here"), tmp_path / "small"))
    sound = model.note(60.5, 0.8, held_s=0.5, timbre=[0.1, 0.0, -0.1])
    assert sound.shape == ((100 + 40) * 80,)  # and all of the release
    np.testing.assert_array_equal(sound, model.note(60.5, 0.8, 0.5, [0.1, 0.0, -0.1]))
    for wrong in ({"key": 200.0}, {"velocity": 2.0}, {"held_s": 0.0}, {"timbre": [1.0]}, {"timbre": "x"}):
        with pytest.raises(FeatureError):
            model.note(**{"key": 60.0, **wrong})  # type: ignore[arg-type]
