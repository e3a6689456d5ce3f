"""Claims about TorchScript models in the library: imported, described, measured, and as they were made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from synthhost.checkpoints.package import load_package, read_certificate
from synthhost.cli.app import make_app
from synthhost.core.errors import CheckpointError, ConfigError, FeatureError
from synthhost.library import certify as certifying
from synthhost.library.certify import certify
from synthhost.library.finding import user_models
from synthhost.library.model import Model
from synthhost.library.shelves import import_model, load_found, load_model

Make = Callable[[str], Path]
Load = Callable[[str], Model]
REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)


def latents(frames: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((3, frames)).astype(np.float32)


def told(*words: str) -> tuple[int, str]:
    """Return the exit code of a command and what it or its error said."""
    answer = CliRunner().invoke(make_app(words[0]), list(words))
    return answer.exit_code, f"{answer.output} {answer.exception or ''}"


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "manifest.yaml").read_text()
    assert old in text
    (folder / "manifest.yaml").write_text(text.replace(old, new))


def test_an_imported_program_is_a_model_of_the_library(make: Make) -> None:
    file = make("Rated")
    folder = import_model(file, name="codec", allow_code=True)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.yaml", "model.ts"]
    assert (folder / "model.ts").read_bytes() == file.read_bytes()
    imported, direct = load_model("codec"), load_model(file)
    assert imported.spec.sha256 == direct.spec.sha256
    np.testing.assert_array_equal(imported.render(latents(40)), direct.render(latents(40)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Rated", "Ranges of its attributes are guesses"),
        ("Stereo", "Its 2 channels are averaged"),
        ("Noisy", "depends on how many frames a step takes"),
    ],
)
def test_a_manifest_says_what_was_assumed(load: Load, name: str, words: str) -> None:
    assert words in load(name).manifest.about
    assert "look-ahead is not derived" in load(name).manifest.about


def test_a_render_is_the_programs_own_pass_in_any_chunk(load: Load) -> None:
    model = load("Rated")
    whole = model.render(latent=latents(40), chunk_frames=40)
    assert whole.shape == (160,)
    for chunk_frames in (1, 7, 32):
        rendered = model.render(latents(40), chunk_frames=chunk_frames)
        np.testing.assert_allclose(rendered, whole, atol=1e-6)


def test_a_stream_begins_anew_after_a_flush(load: Load) -> None:
    stream = load("Rated").stream()
    first = np.concatenate([stream.push(latents(9)), stream.flush()])
    np.testing.assert_array_equal(np.concatenate([stream.push(latents(9)), stream.flush()]), first)


def test_a_seed_gives_the_same_render_again(load: Load) -> None:
    model = load("Noisy")
    np.testing.assert_array_equal(model.render(latents(9), seed=3), model.render(latents(9), seed=3))
    assert not np.array_equal(model.render(latents(9), seed=3), model.render(latents(9), seed=4))


def test_attributes_are_controls_of_a_stream(load: Load) -> None:
    stream = load("Rated").stream()
    stream.set_control("gain", 0.0)
    stream.set_control("tilt.0", 0.0)
    assert np.abs(stream.push(latents(4))).max() == 0.0
    with pytest.raises(ConfigError, match=r"no control 'gian'. It has: gain, tilt\.0, tilt\.1, hold"):
        stream.set_control("gian", 1.0)


def test_a_codecs_own_encoder_makes_its_vectors_of_any_sound(load: Load) -> None:
    model = load("Both")
    sound = np.random.default_rng(1).standard_normal(42).astype(np.float32)
    vectors = model.encode(np.stack([sound, sound]), 16_000, seed=4)
    assert vectors.shape == (3, 11)  # silence fills the last
    np.testing.assert_allclose(vectors[0, :10], sound[:40].reshape(10, 4).mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(vectors, model.encode(sound, 16_000, seed=4))
    assert not np.array_equal(vectors[2], model.encode(sound, 16_000, seed=5)[2])
    assert model.encode(np.ones(4800), 48_000).shape == (3, 400)
    assert model.render(vectors).shape == (44,)


@pytest.mark.parametrize(
    ("name", "sound", "words"),
    [
        ("Rated", np.ones(8), "has no encoder"),
        ("Both", np.ones(0), "is empty"),
        ("Both", np.full(8, np.nan), "no finite number"),
        ("Both", np.ones((2, 2, 2)), r"\[2, 2, 2\]"),
    ],
)
def test_what_cannot_be_encoded_is_refused(load: Load, name: str, sound: np.ndarray, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        load(name).encode(sound, 16_000)


def test_a_rate_that_is_not_said_is_given_at_the_import(make: Make) -> None:
    with pytest.raises(CheckpointError, match="--sample-rate 44100"):
        import_model(make("Codec"), allow_code=True)
    assert not user_models().exists()
    folder = import_model(make("Codec"), allow_code=True, sample_rate=22_050)
    assert load_model(folder).spec.sample_rate == 22_050


def test_a_rate_against_the_programs_own_is_refused(make: Make) -> None:
    with pytest.raises(CheckpointError, match="itself says 16000 Hz, not 44100"):
        import_model(make("Rated"), allow_code=True, sample_rate=44_100)


def test_a_persons_range_and_start_of_a_control_hold(make: Make) -> None:
    folder = import_model(make("Rated"), name="codec", allow_code=True)
    edit(folder, "    maximum: 2.0\n    default: 1.0\n", "    maximum: 0.5\n    default: 0.25\n")
    model = load_model("codec")
    assert (model.runner.controls[0].maximum, model.runner.controls[0].default) == (0.5, 0.25)
    state = model.runner.new_state()
    assert state.modules[0].get_gain() == 0.25


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  latents: 3", "  latents: 4", "samples of 3 dimensions, but the manifest says"),
        ("attribute: gain", "attribute: gone", "has no attribute 'gone'"),
        ("    place: 1\n    kind: float", "    place: 2\n    kind: float", "with a float at place 2"),
        ("    kind: float\n    minimum: 0.0\n", "    kind: int\n    minimum: 0.0\n", "'gain' with a int"),
        ("    default: 1.0\n", "    default: 1.75\n", r"gain: .*refuses 1\.75"),
    ],
)
def test_a_manifest_that_is_not_the_programs_is_refused(make: Make, old: str, new: str, words: str) -> None:
    folder = import_model(make("Rated"), name="codec", allow_code=True)
    edit(folder, old, new)
    with pytest.raises(CheckpointError, match=words):
        load_model("codec")


def test_a_hop_against_the_programs_own_is_refused(make: Make) -> None:
    folder = import_model(make("Rated"), name="codec", allow_code=True)
    edit(folder, "\nhop_samples: 4", "\nhop_samples: 8")
    with pytest.raises(ConfigError, match="8 samples a frame"):
        load_model("codec")


def test_a_missing_program_is_named(make: Make) -> None:
    folder = import_model(make("Rated"), name="codec", allow_code=True)
    (folder / "model.ts").unlink()
    with pytest.raises(CheckpointError, match=r"model\.ts: there is no such file"):
        load_package(folder, lambda _: True)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifying, "CHUNKS", (1,))
    monkeypatch.setattr(certifying, "_SECONDS_A_SIZE", 0.01)


@pytest.mark.usefixtures("_quick")
def test_a_certificate_tells_what_depends_on_the_chunk(make: Make) -> None:
    found = {name: certify(load_found(make(name), allow_code=True)) for name in ("Rated", "Cut", "Noisy")}
    assert all(one.rounding_error is None and one.look_ahead_samples == 0 for one in found.values())
    assert found["Rated"].chunk_error < 1e-5
    assert found["Rated"].look_ahead_measured_samples == 0
    assert found["Cut"].chunk_error > 0.1
    assert found["Cut"].look_ahead_measured_samples == 8  # two vectors, in one long step
    assert found["Noisy"].chunk_error > 0.1


@pytest.mark.usefixtures("_quick")
def test_the_commands_say_what_a_program_is_and_may_do(make: Make) -> None:
    file = str(make("Cut"))
    code, said = told("import", file)
    assert code != 0
    assert "not run" in said
    assert "--allow-code" in said
    code, said = told("import", file, "--allow-code", "--name", "codec")
    assert code == 0
    assert "TorchScript program (nn~)" in said
    assert "latent vectors of 3" in said
    code, said = told("models", "info", "codec")
    assert code == 0
    assert "you allowed it" in said
    assert "tilt.0 (int, 0 to 127)" in said
    code, said = told("certify", "codec")
    assert code == 0
    assert "only measured by disturbance" in " ".join(said.split())
    assert "depends on how many frames a step takes" in " ".join(said.split())
    assert read_certificate(user_models() / "codec") is not None
    assert json.loads(told("models", "info", "codec", "--json")[1])["family"] == "torchscript"


def test_the_commands_trust_a_folder_from_elsewhere(make: Make, tmp_path: Path) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    listed = tmp_path / "home" / "trusted.txt"
    listed.unlink()
    assert "not allowed; see synthhost models trust" in " ".join(told("models", "info", "codec")[1].split())
    assert "did not allow" in told("certify", "codec")[1]
    code, said = told("models", "trust", "codec")
    assert code == 0
    assert "allowed to run" in said
    assert str(listed) in said
    assert load_model("codec").spec.bands == 3


def test_a_preset_is_checked_against_the_attributes_and_the_trust(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    monkeypatch.setenv("SYNTHHOST_PRESETS", str(tmp_path))
    preset = "synthhost: preset/1\nname: x\nmodel: codec\nsource: {kind: latent, params: {%s}}\n"
    (tmp_path / "good.yaml").write_text(preset % "latent.2: 1, gain: 0.5, tilt.0: 3, hold: false")
    (tmp_path / "bad.yaml").write_text(preset % "latent.3: 1, gian: 0.5, tilt.0: 300")
    assert told("presets", "check", "good") == (0, "good: can be played.\n ")
    (tmp_path / "home" / "trusted.txt").unlink()
    code, said = told("presets", "check", "good")  # as live, which would refuse it too
    assert code == 1
    assert "it was not run" in " ".join(said.split())
    code, said = told("presets", "check", "bad")
    assert code == 1
    assert "'latent.3' is not known" in said
    assert "Did you mean 'gain'" in said
    assert "tilt.0: must be 0 to 127, not 300" in said


def test_the_help_of_an_import_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = " ".join(told("import", "--help")[1].split())
    assert "--allow-code" in said
    assert "do whatever you can do" in said


@pytest.mark.reference
def test_a_codec_sounds_as_it_did_where_it_was_made(tmp_path: Path) -> None:
    folder = REFERENCE / "nntilde-ours-codec128"
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    about = json.loads((folder / "about.json").read_text())
    given, audio, half, both = (
        np.load(folder / f"{name}.npy") for name in ("latents", "audio", "audio_gain_half", "audio_batch2")
    )
    (tmp_path / "codec.ts").write_bytes((folder / "checkpoint.ts").read_bytes())
    model = load_model(import_model(tmp_path / "codec.ts", allow_code=True))
    atol = about["tolerance"]["audio"]
    assert (model.spec.sample_rate, model.spec.hop_samples) == (about["sample_rate"], about["hop"])
    for chunk_frames in (64, 32, *about["chunks"]):
        sound = model.render(latent=given[0], chunk_frames=chunk_frames)
        np.testing.assert_allclose(sound, audio[0, 0], atol=atol, rtol=0)
    stream = model.stream()
    stream.set_control("gain", 0.5)
    np.testing.assert_allclose(stream.push(given[0]), half[0, 0], atol=atol, rtol=0)
    pair = np.concatenate([given, -0.7 * given[:, :, ::-1]])  # its second voice: turned round and softer
    out = np.zeros((2, audio.shape[2]), np.float32)
    model.runner.step(pair, model.runner.new_state(2), out)
    np.testing.assert_allclose(out, both[:, 0], atol=atol, rtol=0)
    wav, encoded, forward = (np.load(folder / f"{name}.npy") for name in ("wav", "encoded", "forward"))
    vectors = model.encode(wav[0], model.spec.sample_rate)
    np.testing.assert_allclose(vectors, encoded[0], atol=about["tolerance"]["encoded"], rtol=0)
    np.testing.assert_allclose(
        model.render(vectors), forward[0, 0], atol=about["tolerance"]["forward"], rtol=0
    )
