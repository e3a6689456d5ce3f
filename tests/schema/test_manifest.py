"""Claims about manifests and certificates: what is written is what is read, and nothing else is taken."""

from __future__ import annotations

from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.specs import MelSpec
from synthhost.schema.manifest import Certificate, Manifest, mel_entry
from synthhost.schema.strict_yaml import dump_yaml

MEL = {
    "convention": "jik876",
    "n_fft": 1024,
    "win_samples": 1024,
    "bands": 80,
    "fmin_hz": 0.0,
    "fmax_hz": 8000.0,
    "log": "ln",
    "floor": 1e-5,
}
MODEL: dict[str, Any] = {
    "synthhost": "model/1",
    "name": "hifigan-test",
    "family": "hifigan",
    "hyper": {"resblock": "1"},
    "sample_rate": 22050,
    "hop_samples": 256,
    "mel": MEL,
    "licence": "MIT",
    "source": "made for a test",
    "sha256": "0" * 64,
}
CERTIFICATE: dict[str, Any] = {
    "synthhost": "certificate/1",
    "model": "hifigan-test",
    "sha256": "0" * 64,
    "measured_by": "0.1.0",
    "machine": "a computer",
    "torch": "2.5",
    "threads": 1,
    "chunkings": 8,
    "chunk_error": 1e-6,
    "rounding_error": 1e-6,
    "look_ahead_samples": 3258,
    "look_ahead_measured_samples": 3258,
    "receptive_frames": 27,
    "costs": [{"chunk_frames": 1, "median_ms": 1.0, "p99_ms": 2.0, "real_time_factor": 0.1}],
}


@pytest.mark.parametrize(("kind", "plain"), [(Manifest, MODEL), (Certificate, CERTIFICATE)])
def test_yaml_comes_back_as_it_was(kind: type[Manifest], plain: dict[str, Any]) -> None:
    document = kind.from_json(plain, "here")
    assert kind.from_yaml(dump_yaml(document.as_json()), "here") == document


def test_the_mel_convention_comes_back_with_rate_and_hop() -> None:
    spec = MelSpec(sample_rate=22050, hop_samples=256, **MEL)
    assert Manifest.from_json(MODEL, "here").mel_spec() == spec
    assert mel_entry(spec).model_dump() == MEL


@pytest.mark.parametrize(
    "changed",
    [
        {"sha256": "1" * 64},
        {"hyper": {"resblock": "2"}},
        {"sample_rate": 24000},
        {"hop_samples": 128},
        {"family": "melgan"},
        {"mel": {**MEL, "floor": 1e-4}},
    ],
)
def test_what_changes_the_sound_changes_its_hash_and_what_is_told_of_it_does_not(
    changed: dict[str, Any],
) -> None:
    model = Manifest.from_json(MODEL, "model")
    assert Manifest.from_json({**MODEL, **changed}, "model").sound_sha256 != model.sound_sha256
    told = {"name": "other", "about": "Told anew.", "licence": "CC0", "source": "elsewhere"}
    assert Manifest.from_json({**MODEL, **told}, "model").sound_sha256 == model.sound_sha256


@pytest.mark.parametrize("name", MEL_CONVENTIONS)
def test_every_convention_is_stored_with_its_numbers(name: str) -> None:
    spec = MEL_CONVENTIONS[name].published
    plain = {**MODEL, "hop_samples": spec.hop_samples, "mel": mel_entry(spec).model_dump()}
    written = dump_yaml(Manifest.from_json(plain, "here").as_json())
    assert Manifest.from_yaml(written, "here").mel_spec() == spec


def changed(**change: Any) -> dict[str, Any]:
    return {**MODEL, **change}


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        (changed(sampel_rate=1), "Did you mean 'sample_rate'"),
        (changed(mel={**MEL, "fmax": 1}), r"mel: 'fmax' is not known. Did you mean 'fmax_hz'"),
        (changed(synthhost="model/2"), "newer"),
        (changed(synthhost="preset/1"), "is a preset, not a model"),
        (changed(name="Not A Slug"), "name: must be"),
        (changed(sha256="abc"), "sha256"),
        (changed(sample_rate="22050"), "sample_rate: must be a whole number"),
        (changed(hop_samples=0), "hop_samples: must be at least 1"),
        (changed(hop_samples=2048), "mel.n_fft: must be at least hop_samples"),
        (changed(mel={**MEL, "fmax_hz": 12000.0}), "mel.fmax_hz: must lie above"),
        (changed(mel={**MEL, "log": "dB"}), "mel.log"),
        (changed(mel={**MEL, "floor": 0.0}), "mel.floor"),
        (changed(mel={**MEL, "convention": "jik867"}), "mel.convention: 'jik867' is not known. Did you mean"),
        (changed(source="a\x1b[2Jb"), "source"),
        ({key: value for key, value in MODEL.items() if key != "licence"}, "'licence' is missing"),
    ],
)
def test_what_cannot_be_a_model_is_refused_with_its_place(plain: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Manifest.from_json(plain, "here")
