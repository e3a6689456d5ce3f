"""Claims about r9y9/wavenet_vocoder checkpoints: shapes and hparams agree, and the sound is theirs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.wavenet import Wavenet, WavenetVoice
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.library.model import Model
from synthhost.library.shelves import import_model, load_model

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
FOLDERS = ["wavenet-r9y9-mol", "wavenet-r9y9-mulaw256", "wavenet-r9y9-uncond"]
HPARAMS: dict[str, Any] = {
    "input_type": "mulaw-quantize",
    "quantize_channels": 16,
    "postprocess": "inv_preemphasis",
    "global_gain_scale": 0.5,
    "sample_rate": 8000,
    "num_mels": 5,
    "fmin": 100,
    "fmax": 3000,
    "fft_size": 64,
    "hop_size": 6,
    "win_length": 32,
    "window": "hann",
    "out_channels": 16,
    "layers": 4,
    "stacks": 2,
    "residual_channels": 6,
    "gate_channels": 8,
    "skip_out_channels": 7,
    "kernel_size": 3,
    "cin_channels": 5,
    "cin_pad": 1,
    "upsample_conditional_features": True,
    "upsample_params": {"upsample_scales": [2, 3]},
    "gin_channels": -1,
}


def weights(hparams: dict[str, Any] = HPARAMS, **more: tuple[int, ...]) -> dict[str, Tensor]:
    """Return a small network's state as it is published, weight norm unfolded, and `more` tensors."""
    residual, gates, skip = (
        hparams["residual_channels"],
        hparams["gate_channels"],
        hparams["skip_out_channels"],
    )
    inputs = hparams["out_channels"] if hparams["input_type"] == "mulaw-quantize" else 1
    shapes: dict[str, tuple[int, ...]] = {"first_conv": (residual, inputs, 1)}
    for layer in range(hparams["layers"]):
        shapes |= {
            f"conv_layers.{layer}.conv": (gates, residual, hparams["kernel_size"]),
            f"conv_layers.{layer}.conv1x1_out": (residual, gates // 2, 1),
            f"conv_layers.{layer}.conv1x1_skip": (skip, gates // 2, 1),
        }
        if hparams["cin_channels"] > 0:
            shapes[f"conv_layers.{layer}.conv1x1c"] = (gates, hparams["cin_channels"], 1)
    shapes |= {
        "last_conv_layers.1": (skip, skip, 1),
        "last_conv_layers.3": (hparams["out_channels"], skip, 1),
    }
    torch.manual_seed(3)
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        state |= {
            f"{name}.weight_g": torch.rand(shape[0], 1, 1) + 0.5,
            f"{name}.weight_v": torch.randn(shape),
        }
        if not name.endswith("conv1x1c"):
            state[f"{name}.bias"] = 0.1 * torch.randn(shape[0])
    return {**state, **{name: torch.randn(shape) for name, shape in more.items()}}


STRETCH = {
    "upsample_net.conv_in.weight": (5, 5, 3),
    "upsample_net.upsample.up_layers.1.weight": (1, 1, 1, 5),
    "upsample_net.upsample.up_layers.3.weight": (1, 1, 1, 7),
}
SPACED = {
    "upsample_net.conv_in.weight": (5, 5, 3),
    "upsample_net.upsample.up_layers.1.weight": (1, 1, 3, 5),
    "upsample_net.upsample.up_layers.4.weight": (1, 1, 3, 7),
}
EARLIER = {
    "upsample_conv.0.weight": (1, 1, 3, 2),
    "upsample_conv.0.bias": (1,),
    "upsample_conv.2.weight": (1, 1, 3, 3),
    "upsample_conv.2.bias": (1,),
}


def checkpoint(
    folder: Path, change: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None
) -> Path:
    """Write a small checkpoint with its hparams, `change` applied to the latter."""
    (folder / "hparams.json").write_text(json.dumps({**HPARAMS, **(change or {})}))
    state = weights(**STRETCH) if tensors is None else tensors
    path = folder / "checkpoint_step000000001_ema.pth"
    torch.save({"state_dict": state, "optimizer": None, "global_step": 1, "global_epoch": 1}, path)
    return path


def published(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[[str], NDArray[Any]], Model]:
    """Import a reference folder's checkpoint and return its arrays and the model, or skip."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    return (lambda array: np.load(folder / f"{array}.npy")), load_model(
        import_model(folder / "checkpoint.pth")
    )


def network_of(model: Model) -> Wavenet:
    assert isinstance(model.playable, WavenetVoice)
    return model.playable.network


def conditions(model: Model, mel: NDArray[Any]) -> Tensor:
    with torch.inference_mode():
        return network_of(model).conditioner(torch.from_numpy(np.ascontiguousarray(mel.T))[None])


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_the_network_inside_is_the_published_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, model = published(name, tmp_path, monkeypatch)
    up = None
    if model.spec.bands:
        up = conditions(model, array("mel"))
        np.testing.assert_allclose(up[0].numpy(), array("c_up"), atol=1e-5, rtol=0)
    heard = torch.from_numpy(array("inputs"))[None]
    with torch.inference_mode():
        last = network_of(model)(heard, up)[0].numpy()
    np.testing.assert_allclose(last, array("teacher_forced"), atol=1e-4, rtol=0)
    assert network_of(model).hyper.output.start == array("initial")[0]


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_samples_drawn_off_the_tape_are_the_published_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, model = published(name, tmp_path, monkeypatch)
    truth, loop = array("samples"), model.playable.loop()
    tape = np.column_stack([array("u_mix"), array("u_logistic")]) if "mol" in name else array("u")[:, None]
    condition = np.zeros((len(truth), 0), np.float32)
    if model.spec.bands:
        condition = np.ascontiguousarray(conditions(model, array("mel"))[0].numpy().T)
    normals = np.zeros((len(truth), 0), np.float32)
    out, values = np.empty(len(truth), np.float32), np.empty(len(truth), np.float32)
    loop.run(condition, tape.astype(np.float64), normals, 1.0, loop.new_state(), out, values)
    np.testing.assert_allclose(values, truth, atol=5e-4 if "mol" in name else 0, rtol=0)
    if "mol" not in name:
        loop.run(condition, tape.astype(np.float64), normals, 0.0, loop.new_state(), out, values)
        np.testing.assert_array_equal(values, array("samples_greedy"))


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_the_sound_is_the_published_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array, model = published(name, tmp_path, monkeypatch)
    tape = np.vstack([array("u_mix").T, array("u_logistic")]) if "mol" in name else array("u")
    truth = array("audio")
    given = {"features": array("mel").T} if model.spec.bands else {"samples": len(truth)}
    sound = model.render(**given, uniforms=tape)
    np.testing.assert_allclose(sound, truth, atol=5e-3 if "mol" in name else 1e-5, rtol=0)
    if "mol" not in name:
        ids, output = array("samples_greedy"), network_of(model).hyper.output
        level = 2.0 * ids / 255.0 - 1.0
        last, expected = 0.0, []
        for value in np.sign(level) * np.expm1(np.abs(level) * np.log(256.0)) / 255.0:
            last = value + output.de_emphasis * last
            expected.append(last * output.gain)
        np.testing.assert_allclose(model.render(**given, temperature=0.0), expected, atol=1e-5, rtol=0)


def test_shapes_and_hparams_make_the_model(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path))
    hyper = WavenetHyper.from_json(model.hyper)
    assert hyper.dilations == (1, 2, 1, 2)
    assert (hyper.kernel_size, hyper.residual_channels, hyper.gate_channels) == (3, 6, 8)
    assert (hyper.skip_channels, hyper.head_channels, hyper.out_channels) == (7, 7, 16)
    assert (hyper.skip, hyper.scalar_input) == ("root", False)
    assert (hyper.conditioning.kind, hyper.conditioning.scales) == ("stretch", (2, 3))
    assert hyper.conditioning.kernel_in == 3
    assert (hyper.output.levels, hyper.output.companding, hyper.output.start) == (15.0, 15.0, 7.0)
    assert (hyper.output.de_emphasis, hyper.output.gain) == (0.85, 2.0)
    assert model.mel is not None
    assert (model.mel.convention, model.mel.sample_rate, model.mel.hop_samples) == ("r9y9", 8000, 6)
    assert "no meanvar.npy lay beside it" in model.about


def test_layers_spaced_by_activations_are_counted_over_them(tmp_path: Path) -> None:
    params = {
        "upsample_scales": [2, 3],
        "upsample_activation": "LeakyReLU",
        "upsample_activation_params": {"negative_slope": 0.4},
    }
    model = read_model(checkpoint(tmp_path, {"upsample_params": params}, weights(**SPACED)))
    shape = WavenetHyper.from_json(model.hyper).conditioning
    assert (shape.scales, shape.neighbours, shape.slope) == ((2, 3), 3, 0.4)
    assert model.tensors["upsample_net.upsample.up_layers.3.weight"].shape == (1, 3, 7)


@pytest.mark.parametrize(
    ("legacy", "skip"), [({}, "halving"), ({"legacy": True}, "halving"), ({"legacy": False}, "sum")]
)
def test_the_earlier_generation_is_known_by_its_upsampling(
    tmp_path: Path, legacy: dict[str, Any], skip: str
) -> None:
    biases = {f"conv_layers.{layer}.conv1x1c.bias": (8,) for layer in range(4)}
    model = read_model(checkpoint(tmp_path, {**legacy, "postprocess": ""}, weights(**EARLIER, **biases)))
    hyper = WavenetHyper.from_json(model.hyper)
    assert (hyper.skip, hyper.condition_bias) == (skip, True)
    assert (hyper.conditioning.kind, hyper.conditioning.scales) == ("transposed", (2, 3))
    assert (hyper.conditioning.neighbours, hyper.conditioning.slope) == (3, 0.0)
    assert (hyper.output.levels, hyper.output.start) == (16.0, 8.0)  # its mu is the number of levels
    assert model.mel is None  # its front end is not computed here
    assert model.sample_rate == 8000


@pytest.mark.parametrize(
    ("kind", "outputs", "distribution", "companding"),
    [("raw", 12, "logistics", 0.0), ("raw", 2, "normal", 0.0), ("mulaw", 12, "logistics", 255.0)],
)
def test_what_hears_values_draws_from_a_distribution(
    tmp_path: Path, kind: str, outputs: int, distribution: str, companding: float
) -> None:
    change = {"input_type": kind, "out_channels": outputs, "quantize_channels": 256}
    model = read_model(checkpoint(tmp_path, change, weights({**HPARAMS, **change}, **STRETCH)))
    output = WavenetHyper.from_json(model.hyper).output
    assert (output.distribution, output.companding, output.start) == (distribution, companding, 0.0)


def test_a_network_without_upsampling_layers_repeats_its_frames(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path, {"upsample_conditional_features": False}, weights()))
    assert WavenetHyper.from_json(model.hyper).conditioning.kind == "repeat"
    assert model.mel is not None


def test_a_network_without_conditions_runs_by_itself(tmp_path: Path) -> None:
    change = {"cin_channels": -1, "upsample_conditional_features": False}
    model = read_model(checkpoint(tmp_path, change, weights({**HPARAMS, **change})))
    assert (model.mel, model.sample_rate, model.about) == (None, 8000, "")
    assert WavenetHyper.from_json(model.hyper).bands == 0


def test_speakers_are_counted(tmp_path: Path) -> None:
    more = {f"conv_layers.{layer}.conv1x1g.weight": (8, 3, 1) for layer in range(4)}
    tensors = weights(**STRETCH, **more, **{"embed_speakers.weight": (6, 3)})
    hyper = WavenetHyper.from_json(read_model(checkpoint(tmp_path, {"gin_channels": 3}, tensors)).hyper)
    assert (hyper.n_speakers, hyper.gin_channels) == (6, 3)


def test_statistics_beside_the_checkpoint_become_part_of_the_model(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    mel = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    plain = load_model(path)
    mean, scale = np.arange(5.0), np.arange(1.0, 6.0)
    np.save(tmp_path / "meanvar.npy", np.stack([mean, scale]))
    model = load_model(path)
    assert model.manifest.about == ""
    raw = mel * scale[:, None] + mean[:, None]
    np.testing.assert_allclose(
        conditions(model, raw.astype(np.float32).T), conditions(plain, mel.T), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("rows", [np.ones((2, 4)), np.ones((2, 5), int), np.zeros((2, 5)), np.ones(5)])
def test_statistics_that_do_not_fit_are_refused(tmp_path: Path, rows: NDArray[Any]) -> None:
    path = checkpoint(tmp_path)
    np.save(tmp_path / "meanvar.npy", rows)
    with pytest.raises(CheckpointError, match=r"meanvar\.npy: .*give \[2, 5\]"):
        read_model(path)


@pytest.mark.parametrize("content", [b"x", b"\x93NUMPY"])
def test_statistics_that_are_no_array_are_refused(tmp_path: Path, content: bytes) -> None:
    path = checkpoint(tmp_path)
    (tmp_path / "meanvar.npy").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"meanvar\.npy: is no array"):
        read_model(path)


def test_a_wrapped_or_bare_state_reads_alike(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    wanted = read_model(path).tensors
    torch.save({f"module.{name}": tensor for name, tensor in weights(**STRETCH).items()}, path)
    read = read_model(path).tensors
    assert all(torch.equal(read[name], wanted[name]) for name in wanted)


def test_without_hparams_it_says_what_to_do(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    (tmp_path / "hparams.json").rename(tmp_path / "preset.json")
    with pytest.raises(CheckpointError, match=r"no hparams\.json beside it.*--config"):
        read_model(path)
    assert read_model(path, tmp_path / "preset.json").hyper["kernel_size"] == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": 6}, "'layers' is 6, but the weights have 4"),
        ({"stacks": 3}, "'stacks' is 3, but the weights have 4 layers"),
        ({"stacks": 10**9}, "'stacks' must lie in"),
        ({"residual_channels": 512}, "'residual_channels' is 512"),
        ({"kernel_size": 2}, "'kernel_size' is 2"),
        ({"out_channels": 30}, "'out_channels' is 30"),
        ({"quantize_channels": 256}, "'quantize_channels' is 256, but the weights have 16"),
        ({"quantize_channels": 10**9}, "'quantize_channels' must lie in"),
        ({"input_type": "raw"}, "'input_type' is 'raw', but the weights hear 16"),
        ({"input_type": "alaw"}, "'input_type' is 'alaw'"),
        ({"input_type": None}, "'input_type' is None"),
        ({"postprocess": "reverb"}, "'postprocess'"),
        ({"global_gain_scale": 0}, "'global_gain_scale' must lie in"),
        ({"cin_channels": 80}, "'cin_channels' is 80, but the weights have 5"),
        ({"cin_pad": 2}, "'cin_pad' is 2, but the weights have 1"),
        ({"hop_size": 256}, "'hop_size' is 256, but the upsampling layers make 6"),
        ({"num_mels": 80}, "'num_mels' is 80"),
        ({"sample_rate": 0}, "'sample_rate' must lie in"),
        ({"fmax": 9000}, "'fmax' must lie in"),
        ({"window": "hamming"}, "'window'"),
        ({"upsample_params": {"upsample_scales": [3, 2]}}, r"'upsample_scales' is \[3, 2\], but the weights"),
        ({"upsample_params": {"mode": "linear"}}, "'mode'"),
        ({"upsample_params": {"upsample_activation": "ELU"}}, "'upsample_activation'"),
        ({"upsample_params": 4}, "'upsample_params' must hold named values"),
    ],
)
def test_hparams_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, change))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("conv_layers.3.conv.bias"), r"missing conv_layers\.3\.conv\.bias"),
        (
            lambda t: t.pop("conv_layers.1.conv.weight_g"),
            r"partner conv_layers\.1\.conv\.weight_g is missing",
        ),
        (lambda t: t.update({"extra.weight": torch.ones(1)}), r"left over extra\.weight"),
        (
            lambda t: t["first_conv.bias"].fill_(torch.nan),
            r"first_conv\.bias holds values that are not finite",
        ),
        (
            lambda t: t.update({"conv_layers.2.conv1x1_skip.bias": torch.ones(3)}),
            r"conv1x1_skip\.bias has shape \[3\]",
        ),
        (
            lambda t: t.update({"upsample_net.upsample.up_layers.3.weight": torch.ones(1, 1, 3, 7)}),
            r"upsampling layers see \[1, 3\] bands",
        ),
        (
            lambda t: t.update({"upsample_net.conv_in.weight": torch.ones(5, 5)}),
            r"conv_in\.weight has shape \[5, 5\]; this layout gives it 3 axes",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    tensors = weights(**STRETCH)
    change(tensors)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, tensors=tensors))


def test_the_rate_is_that_of_the_mel_frames(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    assert read_model(path, sample_rate=8000).sample_rate == 8000
    with pytest.raises(CheckpointError, match=r"sound at 8000 Hz, so it cannot be at 16000"):
        read_model(path, sample_rate=16000)


def test_a_relative_that_names_its_layers_alike_is_not_mistaken_for_it(tmp_path: Path) -> None:
    tensors = {name.replace("conv1x1c", "conv1x1_aux"): tensor for name, tensor in weights().items()}
    with pytest.raises(CheckpointError, match="no layout known here"):
        read_model(checkpoint(tmp_path, tensors=tensors))


def test_the_gain_is_that_of_the_hparams(tmp_path: Path) -> None:
    loud, soft = (
        load_model(checkpoint(tmp_path, {"global_gain_scale": gain})).render(
            np.zeros((5, 6), np.float32), seed=1
        )
        for gain in (0.25, 1.0)
    )
    np.testing.assert_allclose(loud, 4.0 * soft, rtol=1e-5)
    assert math.isfinite(float(np.abs(loud).max()))
