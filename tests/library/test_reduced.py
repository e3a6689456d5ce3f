"""A reduced precision is asked for like any option, sounds as it must, and says what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.errors import ConfigError
from synthhost.core.options import with_options, without_options
from synthhost.families.registry import family
from synthhost.library import certify as certifying
from synthhost.library.certify import certify
from synthhost.library.model import Model
from synthhost.library.reduced import MOST_SNR_DB, precision_error
from synthhost.native.compiled import why_missing

SAMPLERNN: dict[str, Any] = {"frame_sizes": [4], "n_rnn": 1, "dim": 16, "q_levels": 32}
WAVENET: dict[str, Any] = {
    "dilations": [1, 2, 4],
    "kernel_size": 2,
    "residual_channels": 8,
    "gate_channels": 16,
    "skip_channels": 16,
    "head_channels": 16,
    "out_channels": 32,
    "scalar_input": False,
    "gate": "tanh-sigmoid",
    "residual_scale": 0.5,
    "skip": "sum",
    "condition_bias": False,
    "gin_channels": 0,
    "n_speakers": 0,
    "conditioning": {"kind": "none", "channels": 0, "scales": [16]},
    "output": {
        "distribution": "softmax",
        "levels": 31.0,
        "companding": 31.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 15.0,
    },
}
SHAPES = {"samplernn": SAMPLERNN, "wavenet": WAVENET}


def weights(kind: str) -> dict[str, Tensor]:
    """Return random weights, loud enough to be heard."""
    torch.manual_seed(5)
    shapes = family(kind).tensor_names(family(kind).hyper_from_json(SHAPES[kind]))
    scales = {
        name: 1.5 / np.prod(shape[1:]) ** 0.5 if len(shape) > 1 else 0.1 for name, shape in shapes.items()
    }
    return {name: torch.randn(shape) * float(scales[name]) for name, shape in shapes.items()}


def package(kind: str, tensors: dict[str, Tensor]) -> Package:
    read = ReadModel("none", kind, SHAPES[kind], None, tensors, 16000)
    return Package(manifest_for(read, Origin("small", "CC0-1.0", "a test"), "0" * 64), tensors)


def halved(kind: str) -> Model:
    return Model(package(kind, weights(kind)), {"precision": "float16"})


@pytest.mark.parametrize("kind", SHAPES)
def test_float16_takes_half_the_memory_and_sounds_a_little_different(kind: str) -> None:
    model = halved(kind)
    whole = model.with_options(precision="float32")
    sizes = [voice.playable.loop().weight_bytes for voice in (model, whole)]  # type: ignore[union-attr]
    assert sizes[0] == pytest.approx(sizes[1] / 2, rel=0.05)
    sounds = [voice.render(samples=4000, seed=1) for voice in (model, whole)]
    assert (sounds[0] != sounds[1]).any()
    np.testing.assert_array_equal(model.render(samples=4000, seed=1, chunk_frames=3), sounds[0])


@pytest.mark.parametrize("kind", SHAPES)
def test_what_float16_costs_lies_where_eleven_bits_put_it(kind: str) -> None:
    measured = precision_error(halved(kind), seconds=0.3)
    assert (measured.precision, measured.samples) == ("float16", 4800)
    assert 45.0 < measured.snr_db < 85.0
    assert 0.0 < measured.log_mel < 2.0
    assert 0.0 < measured.log_mel_of_seeds < 2.0


def test_weights_that_are_halves_already_cost_nothing() -> None:
    rounded = {name: tensor.half().float() for name, tensor in weights("wavenet").items()}
    model = Model(package("wavenet", rounded), {"precision": "float16"})
    measured = precision_error(model, seconds=0.3)
    assert (measured.snr_db, measured.log_mel) == (MOST_SNR_DB, 0.0)


def test_float32_has_nothing_to_compare() -> None:
    with pytest.raises(ConfigError, match="played in float32"):
        precision_error(halved("samplernn").with_options(precision="float32"))


def test_a_certificate_says_which_precision_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifying, "_SECONDS_A_SIZE", 0.001)
    monkeypatch.setattr(certifying, "CHUNKINGS", 2)
    plain = package("samplernn", weights("samplernn"))
    exact, reduced = certify(plain), certify(plain, options={"precision": "float16"})
    assert (exact.precision, exact.precision_cost) == ("float32", None)
    assert reduced.precision == "float16"
    assert reduced.chunk_error == 0.0
    assert reduced.precision_cost is not None
    assert reduced.precision_cost.snr_db > 45.0


def test_a_precision_is_part_of_a_models_reference() -> None:
    reference = with_options("choir", {"precision": "float16"})
    assert reference == "choir?precision=float16"
    assert without_options(reference) == ("choir", {"precision": "float16"})


def test_a_precision_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="precision: there is no 'float8'"):
        halved("wavenet").with_options(precision="float8")


def test_weights_too_large_for_float16_are_refused_with_the_way_out() -> None:
    tensors = weights("samplernn")
    tensors["sample_level_mlp.hidden.weight"][0, 0] = 1e5
    with pytest.raises(ConfigError, match=r"too large for float16.*Play it with precision=float32"):
        Model(package("samplernn", tensors), {"precision": "float16"})


def wide_hifigan() -> Model:
    """Return a small network whose first stage is wide enough for 8-bit integers."""
    hyper = {
        "bands": 8,
        "upsample_initial_channel": 64,
        "upsample_rates": [4, 4],
        "upsample_kernel_sizes": [8, 8],
        "resblock": "2",
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3]],
    }
    torch.manual_seed(5)
    shapes = family("hifigan").tensor_names(family("hifigan").hyper_from_json(hyper))
    tensors = {
        name: torch.randn(shape) / max(np.prod(shape[1:]), 9.0) ** 0.5 for name, shape in shapes.items()
    }
    read = ReadModel("none", "hifigan", hyper, None, tensors, 16000)
    made = Package(manifest_for(read, Origin("wide", "CC0-1.0", "a test"), "0" * 64), tensors)
    return Model(made, {"precision": "int8"})


@pytest.mark.skipif(why_missing() is not None, reason="nothing was compiled")
def test_what_int8_costs_is_measured_on_the_sound() -> None:
    measured = precision_error(wide_hifigan(), seconds=0.5)
    assert (measured.precision, measured.samples) == ("int8", 8000)
    assert 25.0 < measured.snr_db < 60.0
    assert 0.0 < measured.log_mel < 0.5
    assert measured.log_mel_of_seeds == 0.0  # no chance in it
