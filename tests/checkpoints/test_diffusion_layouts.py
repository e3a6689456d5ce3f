"""Claims about checkpoints of lmnt-com, philsyn and ivanvovk: what is read of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.noise_schedule import linear

PHILSYN_CONFIG: dict[str, Any] = {
    "diffusion_config": {"T": 16, "beta_0": 0.0001, "beta_T": 0.2},
    "wavenet_config": {"res_channels": 4, "skip_channels": 3, "num_res_layers": 2, "dilation_cycle": 5},
    "trainset_config": {"segment_length": 2000, "sampling_rate": 16000},
}
IVANVOVK_CONFIG: dict[str, Any] = {
    "model_config": {
        "factors": [3, 2],
        "upsampling_preconv_out_channels": 6,
        "upsampling_out_channels": [4, 5],
        "upsampling_dilations": [[1, 2, 1, 2], [1, 2, 4, 8]],
        "downsampling_preconv_out_channels": 2,
        "downsampling_out_channels": [4],
        "downsampling_dilations": [[1, 2, 4]],
    },
    "data_config": {
        "sample_rate": 8000,
        "n_fft": 64,
        "win_length": 48,
        "hop_length": 6,
        "f_min": 80.0,
        "f_max": 3000,
        "n_mels": 7,
    },
    "training_config": {"training_noise_schedule": {"n_iter": 100, "betas_range": [1e-05, 0.02]}},
}
PARAMS: dict[str, Any] = {
    "sample_rate": 16000,
    "n_mels": 5,
    "n_fft": 2048,
    "hop_samples": 256,
    "residual_layers": 2,
    "residual_channels": 4,
    "dilation_cycle_length": 3,
    "unconditional": False,
    "noise_schedule": list(linear(1e-4, 0.05, 50)),
    "inference_noise_schedule": [1e-4, 0.01, 0.5],
    "audio_len": 110250,
    "max_grad_norm": None,
}


def layer(tensors: dict[str, Tensor], name: str, *shape: int) -> None:
    tensors[f"{name}.weight"] = torch.randn(shape)
    tensors[f"{name}.bias"] = torch.randn(shape[0])


def normed(tensors: dict[str, Tensor], name: str, *shape: int) -> None:
    tensors[f"{name}.weight_g"] = torch.rand(shape[0], 1, 1) + 0.5
    tensors[f"{name}.weight_v"] = torch.randn(shape)
    tensors[f"{name}.bias"] = torch.randn(shape[0])


def diffwave(bands: int) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    layer(tensors, "input_projection", 4, 1, 1)
    layer(tensors, "diffusion_embedding.projection1", 16, 8)
    layer(tensors, "diffusion_embedding.projection2", 12, 16)
    for name in ("conv1", "conv2") if bands else ():
        layer(tensors, f"spectrogram_upsampler.{name}", 1, 1, 3, 32)
    for i in range(2):
        layer(tensors, f"residual_layers.{i}.dilated_conv", 8, 4, 3)
        layer(tensors, f"residual_layers.{i}.diffusion_projection", 4, 12)
        if bands:
            layer(tensors, f"residual_layers.{i}.conditioner_projection", 8, bands, 1)
        layer(tensors, f"residual_layers.{i}.output_projection", 8, 4, 1)
    layer(tensors, "skip_projection", 4, 4, 1)
    layer(tensors, "output_projection", 1, 4, 1)
    return tensors


def philsyn() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    normed(tensors, "init_conv.0.conv", 4, 1, 1)
    layer(tensors, "residual_layer.fc_t1", 16, 8)
    layer(tensors, "residual_layer.fc_t2", 12, 16)
    for i in range(2):
        block = f"residual_layer.residual_blocks.{i}"
        layer(tensors, f"{block}.fc_t", 4, 12)
        normed(tensors, f"{block}.dilated_conv_layer.conv", 8, 4, 3)
        normed(tensors, f"{block}.res_conv", 4, 4, 1)
        normed(tensors, f"{block}.skip_conv", 3, 4, 1)
    normed(tensors, "final_conv.0.conv", 3, 3, 1)
    layer(tensors, "final_conv.2.conv", 1, 3, 1)
    return tensors


def wavegrad() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    down, up = [2, 4, 4, 4, 6], [6, 5, 4, 4, 3]
    layer(tensors, "downsample.0", 2, 1, 5)
    for i in range(1, 5):
        layer(tensors, f"downsample.{i}.residual_dense", down[i], down[i - 1], 1)
        for n in range(3):
            layer(tensors, f"downsample.{i}.conv.{n}", down[i], down[i] if n else down[i - 1], 3)
    before = 7
    for i, after in enumerate(up):
        layer(tensors, f"film.{i}.input_conv", down[i], down[i], 3)
        layer(tensors, f"film.{i}.output_conv", 2 * up[-1 - i], down[i], 3)
        layer(tensors, f"upsample.{i}.block1", after, before, 1)
        for n, name in enumerate(("block2.0", "block2.1", "block3.0", "block3.1")):
            layer(tensors, f"upsample.{i}.{name}", after, after if n else before, 3)
        before = after
    layer(tensors, "first_conv", 7, 5, 3)
    layer(tensors, "last_conv", 1, 3, 3)
    return tensors


def ivanvovk() -> dict[str, Tensor]:
    tensors = {name: torch.randn(100) for name in ("betas", "alphas_cumprod_prev", "posterior_mean_coef1")}
    layer(tensors, "nn.ublock_preconv.conv1d", 6, 7, 3)
    for i, (before, after) in enumerate(((6, 4), (4, 5))):
        block = f"nn.ublocks.{i}"
        layer(tensors, f"{block}.first_block_main_branch.upsampling.2.conv1d", after, before, 3)
        layer(tensors, f"{block}.first_block_main_branch.modulation.convolution.conv1d", after, after, 3)
        layer(tensors, f"{block}.first_block_residual_branch.0.conv1d", after, before, 1)
        for n in (0, 1):
            name = f"{block}.second_block_main_branch.modulation_{n}.convolution.conv1d"
            layer(tensors, name, after, after, 3)
    layer(tensors, "nn.ublock_postconv.conv1d", 1, 5, 3)
    layer(tensors, "nn.dblock_preconv.conv1d", 2, 1, 5)
    for n in range(3):
        layer(tensors, f"nn.dblocks.0.main_branch.{n + 1}.convolution.conv1d", 4, 4 if n else 2, 3)
    layer(tensors, "nn.dblocks.0.residual_branch.0.conv1d", 4, 2, 1)
    for i, (width, modulated) in enumerate(((2, 5), (4, 4))):
        layer(tensors, f"nn.films.{i}.signal_conv.0.conv1d", width, width, 3)
        layer(tensors, f"nn.films.{i}.scale_conv.conv1d", modulated, width, 3)
        layer(tensors, f"nn.films.{i}.shift_conv.conv1d", modulated, width, 3)
    return tensors


def saved(folder: Path, content: dict[str, Any], config: dict[str, Any] | None = None) -> Path:
    """Write a checkpoint, and its configuration beside it."""
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def lmnt(tensors: dict[str, Tensor], **params: Any) -> dict[str, Any]:
    return {"step": 3, "model": tensors, "optimizer": {}, "params": {**PARAMS, **params}, "scaler": {}}


def test_diffwave_with_mel_frames_is_read_with_its_parameters(tmp_path: Path) -> None:
    tensors = diffwave(5)
    model = read_model(saved(tmp_path, lmnt(tensors)))
    assert (model.layout, model.family) == ("lmnt-com/diffwave", "diffwave")
    assert model.hyper == {
        "variant": "lmnt",
        "bands": 5,
        "hop_samples": 256,
        "residual_channels": 4,
        "skip_channels": 4,
        "residual_layers": 2,
        "dilation_cycle_length": 3,
        "step_channels": [8, 16, 12],
        "training_betas": PARAMS["noise_schedule"],
        "fast_betas": PARAMS["inference_noise_schedule"],
    }
    mel = model.mel
    assert mel is not None
    assert (mel.convention, mel.sample_rate, mel.n_fft, mel.win_samples) == ("lmnt", 16000, 2048, 1024)
    assert (mel.bands, mel.fmin_hz, mel.fmax_hz) == (5, 20.0, 8000.0)
    assert model.tensors.keys() == tensors.keys()


def test_what_the_weights_lack_decides_that_diffwave_runs_by_itself(tmp_path: Path) -> None:
    model = read_model(saved(tmp_path, lmnt(diffwave(0), unconditional=False)))
    assert (model.hyper["bands"], model.hyper["hop_samples"]) == (0, 63)
    assert (model.mel, model.sample_rate) == (None, 16000)


def test_bare_diffwave_weights_are_taken_for_the_programs_own_shape(tmp_path: Path) -> None:
    model = read_model(saved(tmp_path, diffwave(5)))
    assert model.hyper["dilation_cycle_length"] == 10
    assert model.hyper["training_betas"] == {"first": 1e-4, "last": 0.05, "count": 50}
    assert model.mel is not None
    assert (model.mel.sample_rate, model.mel.n_fft) == (22050, 1024)


def test_philsyns_weights_are_folded_and_its_two_outputs_joined(tmp_path: Path) -> None:
    tensors = philsyn()
    content = {"model_state_dict": tensors, "optimizer_state_dict": {"state": {}}}
    model = read_model(saved(tmp_path, content, PHILSYN_CONFIG))
    assert (model.layout, model.mel, model.sample_rate) == ("philsyn/DiffWave-unconditional", None, 16000)
    hyper = model.hyper
    assert (hyper["hop_samples"], hyper["skip_channels"], hyper["step_channels"]) == (50, 3, [8, 16, 12])
    assert hyper["training_betas"] == {"first": 0.0001, "last": 0.2, "count": 16}
    joined = model.tensors["residual_layers.1.output_projection.bias"]
    block = "residual_layer.residual_blocks.1"
    assert torch.equal(joined, torch.cat([tensors[f"{block}.{n}_conv.bias"] for n in ("res", "skip")]))
    g, v = (tensors[f"init_conv.0.conv.weight_{part}"] for part in "gv")
    weight = g * v / v.norm(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(model.tensors["input_projection.weight"], weight)


def test_lmnts_wavegrad_ignores_the_parameters_its_program_ignores(tmp_path: Path) -> None:
    content = lmnt(wavegrad(), noise_schedule=[0.5], hop_samples=7, n_mels=99, sample_rate=24000)
    model = read_model(saved(tmp_path, content))
    assert (model.layout, model.family) == ("lmnt-com/wavegrad", "wavegrad")
    assert model.hyper["training_betas"] == {"first": 1e-6, "last": 0.01, "count": 1000}
    assert (model.hyper["up_channels"], model.hyper["down_channels"]) == ([6, 5, 4, 4, 3], [2, 4, 4, 4, 6])
    mel = model.mel
    assert mel is not None
    assert (mel.sample_rate, mel.hop_samples, mel.n_fft, mel.win_samples) == (24000, 300, 2048, 1200)
    assert (mel.bands, mel.fmax_hz) == (5, 12000.0)


def test_ivanvovks_schedule_is_left_aside_and_shifts_come_before_scales(tmp_path: Path) -> None:
    tensors = ivanvovk()
    content = {"iteration": 9, "model": tensors, "optimizer": {}}
    model = read_model(saved(tmp_path, content, IVANVOVK_CONFIG))
    assert (model.layout, model.family) == ("ivanvovk/WaveGrad", "wavegrad")
    assert model.hyper["factors"] == [3, 2]
    assert (model.hyper["up_channels"], model.hyper["down_channels"]) == ([4, 5], [2, 4])
    assert model.hyper["training_betas"] == {"first": 1e-5, "last": 0.02, "count": 100}
    film = [tensors[f"nn.films.1.{part}_conv.conv1d.weight"] for part in ("shift", "scale")]
    assert torch.equal(model.tensors["film.1.output_conv.weight"], torch.cat(film))
    mel = model.mel
    assert mel is not None
    assert (mel.convention, mel.hop_samples, mel.win_samples, mel.fmin_hz) == ("ivanvovk", 6, 48, 80.0)


def test_wrappers_of_parallel_training_are_taken_off(tmp_path: Path) -> None:
    tensors = {f"module.{name}": tensor for name, tensor in diffwave(5).items()}
    assert read_model(saved(tmp_path, lmnt(tensors))).tensors.keys() == diffwave(5).keys()


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (diffwave, lambda t: t.pop("skip_projection.bias"), r"missing skip_projection\.bias"),
        (diffwave, lambda t: t.update(extra=torch.ones(1)), "left over extra"),
        (diffwave, lambda t: t.update({"input_projection.weight": torch.ones(5, 1, 1)}), "is 4, but"),
        (
            diffwave,
            lambda t: t.update({"diffusion_embedding.projection1.weight": torch.ones(3)}),
            r"have shapes \[\[3\]",
        ),
        (diffwave, lambda t: t.pop("diffusion_embedding.projection2.weight"), r"have shapes.*\[\]"),
        (diffwave, lambda t: t["output_projection.bias"].fill_(torch.nan), "not finite"),
        (
            wavegrad,
            lambda t: t.pop("upsample.4.block1.weight"),
            r"upsample\.4\.block1\.weight has shape \[\]",
        ),
        (wavegrad, lambda t: layer(t, "upsample.5.block1", 1, 1, 1), r"left over upsample\.5\.block1"),
        (wavegrad, lambda t: t.update({"film.4.input_conv.weight": torch.ones(5, 6, 3)}), "half of them"),
    ],
)
def test_lmnt_weights_that_do_not_fit_are_refused(
    tmp_path: Path, make: Callable[..., dict[str, Tensor]], change: Change, words: str
) -> None:
    tensors = make(5) if make is diffwave else make()
    change(tensors)
    with pytest.raises(CheckpointError, match=words):
        read_model(saved(tmp_path, lmnt(tensors)))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_mels": 80}, "'n_mels' is 80, but the weights have 5"),
        ({"hop_samples": 300}, "'hop_samples' is 300, but the weights have 256"),
        ({"dilation_cycle_length": 40}, "dilation_cycle_length: 40 lies outside"),
        ({"noise_schedule": "linear"}, "'noise_schedule' must be a list"),
        ({"noise_schedule": [0.1, -0.2]}, "training_betas: beta 1 is -0.2"),
        ({"sample_rate": 10**9}, "'sample_rate' must lie in"),
        ({"n_fft": 512}, "'n_fft' must lie in 1024"),
    ],
)
def test_diffwave_parameters_that_cannot_be_are_refused(
    tmp_path: Path, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(saved(tmp_path, lmnt(diffwave(5), **params)))


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("wavenet_config", {"res_channels": 256}, "'res_channels' is 256, but the weights have 4"),
        ("wavenet_config", {"dilation_cycle": None}, "'dilation_cycle' is missing"),
        ("wavenet_config", {"dilation_cycle": 40}, "dilation_cycle_length: 40 lies outside"),
        ("diffusion_config", {"T": 10**9}, "'T' must lie in"),
        ("diffusion_config", {"beta_0": 0.0}, "training_betas: beta 0 is 0.0"),
        ("trainset_config", {"sampling_rate": None}, "'sampling_rate' is missing"),
    ],
)
def test_a_philsyn_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, section: str, change: dict[str, Any], words: str
) -> None:
    config = {**PHILSYN_CONFIG, section: {**PHILSYN_CONFIG[section], **change}}
    with pytest.raises(CheckpointError, match=words):
        read_model(saved(tmp_path, {"model_state_dict": philsyn()}, config))


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("model_config", {"factors": [3, 2, 2]}, "'factors' must be a list of 2"),
        ("model_config", {"factors": [3, 10**6]}, "'factors' must lie in 1..64"),
        ("model_config", {"upsampling_out_channels": [4, 4]}, "'upsampling_out_channels' is"),
        ("model_config", {"downsampling_dilations": [[1, 2]]}, "left over dblocks"),
        ("data_config", {"hop_length": 300}, "'hop_length' is 300, but the weights have 6"),
        ("data_config", {"n_mels": 80}, "'n_mels' is 80"),
        ("data_config", {"f_max": 9000}, "'f_max' must lie in"),
    ],
)
def test_an_ivanvovk_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, section: str, change: dict[str, Any], words: str
) -> None:
    config = {**IVANVOVK_CONFIG, section: {**IVANVOVK_CONFIG[section], **change}}
    with pytest.raises(CheckpointError, match=words):
        read_model(saved(tmp_path, {"model": ivanvovk()}, config))


def test_a_missing_configuration_is_asked_for(tmp_path: Path) -> None:
    for content in ({"model": ivanvovk()}, {"model_state_dict": philsyn()}):
        with pytest.raises(CheckpointError, match=r"no config\.json beside it.*--config"):
            read_model(saved(tmp_path, content))


def test_tensors_that_belong_to_no_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="left over unknown"):
        read_model(saved(tmp_path, {"model": {**ivanvovk(), "unknown": torch.ones(1)}}, IVANVOVK_CONFIG))
    tensors = philsyn()
    normed(tensors, "residual_layer.residual_blocks.0.upsample_conv2d.0", 1, 1, 3)
    with pytest.raises(CheckpointError, match="takes mel frames in every layer"):
        read_model(saved(tmp_path, {"model_state_dict": tensors}, PHILSYN_CONFIG))
