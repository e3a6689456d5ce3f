"""Claims about chrisdonahue/wavegan checkpoints: TensorFlow's files become a model without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.registry import family
from synthhost.library.finding import find_model
from synthhost.library.shelves import import_model, load_model

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
LATENT, DIM = 5, 1
Array = NDArray[np.float32]
Variables = dict[str, Array]


def variables(
    window: int, kernel: int, upsample: str, *, normalised: bool = False, taps: int = 0
) -> Variables:
    """Return a generator's variables under their published names, and some of its training."""
    chance = np.random.default_rng(window + kernel)
    times = 16 if window == 16384 else 32
    widths = [times * DIM >> layer for layer in range(5 if window == 16384 else 6)]

    def draw(*shape: int, scale: float = 1.0) -> Array:
        return (scale * chance.standard_normal(shape)).astype(np.float32)

    found = {
        "G/z_project/dense/kernel": draw(LATENT, 16 * widths[0], scale=LATENT**-0.5),
        "G/z_project/dense/bias": draw(16 * widths[0]),
        "global_step": np.array(5, dtype=np.int64),
        "D/output/dense/kernel": draw(4, 1),
    }
    for layer, (inputs, outputs) in enumerate(zip(widths, [*widths[1:], 1], strict=True)):
        base, scale = f"G/upconv_{layer}", (6 * inputs) ** -0.5
        if upsample == "zeros":
            found[f"{base}/conv2d_transpose/kernel"] = draw(1, kernel, outputs, inputs, scale=scale)
            found[f"{base}/conv2d_transpose/bias"] = draw(outputs, scale=0.1)
            found[f"{base}/conv2d_transpose/kernel/Adam"] = draw(1, kernel, outputs, inputs)
        else:
            found[f"{base}/conv1d/kernel"] = draw(kernel, inputs, outputs, scale=scale)
            found[f"{base}/conv1d/bias"] = draw(outputs, scale=0.1)
    if normalised:
        for base, width in zip(["G/z_project", *(f"G/upconv_{n}" for n in range(9))], widths, strict=False):
            stem = f"{base}/batch_normalization"
            found[f"{stem}/gamma"], found[f"{stem}/beta"] = (
                1.0 + draw(width, scale=0.1),
                draw(width, scale=0.1),
            )
            found[f"{stem}/moving_mean"] = draw(width, scale=0.3)
            found[f"{stem}/moving_variance"] = 1.0 + np.abs(draw(width))
    if taps:
        found["G/pp_filt/conv1d/kernel"] = draw(taps, 1, 1, scale=taps**-0.5)
    return found


def as_trained(found: Variables, window: int, z: Array) -> Array:
    """Run the graph as it is published, `[batch, latent]` to `[batch, samples]`."""
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in found.items()}
    layers = 5 if window == 16384 else 6
    kernel = tensors["G/z_project/dense/kernel"]
    x = (
        (torch.from_numpy(z) @ kernel + tensors["G/z_project/dense/bias"])
        .view(len(z), 16, -1)
        .transpose(1, 2)
    )
    x = F.relu(standardised(x, tensors, "G/z_project"))
    for layer in range(layers):
        base, last = f"G/upconv_{layer}", layer == layers - 1
        x = upsampled(x, tensors, base, 2 if last and window == 32768 else 4)
        x = torch.tanh(x) if last else F.relu(standardised(x, tensors, base))
    taps = tensors.get("G/pp_filt/conv1d/kernel")
    if taps is not None:
        before = (len(taps) - 1) // 2
        x = F.conv1d(F.pad(x, (before, len(taps) - 1 - before)), taps.permute(2, 1, 0))
    return x[:, 0].numpy()


def upsampled(x: torch.Tensor, tensors: dict[str, torch.Tensor], base: str, stride: int) -> torch.Tensor:
    """Upsample by zeros or by repetition, 'same' padding."""
    whole = tensors.get(f"{base}/conv2d_transpose/kernel")
    if whole is not None:
        raw = F.conv_transpose1d(
            x, whole[0].permute(2, 1, 0), tensors[f"{base}/conv2d_transpose/bias"], stride
        )
        left = (whole.shape[1] - stride) // 2
        return raw[:, :, left : left + stride * x.shape[2]]
    taps, bias = tensors[f"{base}/conv1d/kernel"], tensors[f"{base}/conv1d/bias"]
    left = (len(taps) - 1) // 2
    wide = F.pad(torch.repeat_interleave(x, stride, dim=2), (left, len(taps) - 1 - left))
    return F.conv1d(wide, taps.permute(2, 1, 0), bias)


def standardised(x: torch.Tensor, tensors: dict[str, torch.Tensor], base: str) -> torch.Tensor:
    stem = f"{base}/batch_normalization"
    if f"{stem}/gamma" not in tensors:
        return x
    mean, variance, gamma, beta = (
        tensors[f"{stem}/{leaf}"] for leaf in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)


def checkpoint(write_bundle: Any, folder: Path, found: Variables, **args: Any) -> Path:
    """Write a checkpoint, with its arguments above its folder where there are any."""
    if args:
        (folder / "args.txt").write_text("\n".join(f"{name},{value}" for name, value in args.items()))
    path: Path = write_bundle(folder / "train" / "model.ckpt-5", found)
    return path


@pytest.mark.parametrize(
    ("window", "kernel", "upsample", "normalised", "taps"),
    [
        (16384, 25, "zeros", False, 0),
        (16384, 24, "zeros", True, 9),
        (16384, 25, "nn", True, 0),
        (16384, 24, "nn", False, 512),
        (32768, 25, "zeros", True, 0),
        (32768, 25, "nn", False, 0),
        (65536, 25, "zeros", False, 0),
    ],
)
def test_every_form_sounds_as_it_was_trained(
    write_bundle: Any, tmp_path: Path, window: int, kernel: int, upsample: str, normalised: bool, taps: int
) -> None:
    found = variables(window, kernel, upsample, normalised=normalised, taps=taps)
    model = read_model(
        checkpoint(write_bundle, tmp_path, found, data_slice_len=window, data_sample_rate=8000)
    )
    kind = family(model.family)
    network = kind.build(kind.hyper_from_json(model.hyper))
    kind.load_weights(network, model.tensors)
    z = np.random.default_rng(1).uniform(-1, 1, (1, LATENT)).astype(np.float32)
    with torch.inference_mode():
        heard = network(torch.from_numpy(z)[:, :, None].expand(-1, -1, 16))[:, 0].numpy()
        trained = as_trained(found, window, z)
    assert heard.shape == trained.shape == (1, window)
    assert np.abs(heard - trained).max() <= 2e-5 * max(np.abs(trained).max(), 1.0)
    assert heard.std() > 0.01
    assert (model.sample_rate, model.hyper["prior"], model.mel) == (8000, "uniform", None)


def test_five_layers_need_no_arguments_and_six_ask_for_them(write_bundle: Any, tmp_path: Path) -> None:
    model = read_model(checkpoint(write_bundle, tmp_path / "a", variables(16384, 25, "zeros")))
    assert (model.sample_rate, model.hyper["strides"]) == (16000, [4] * 5)
    with pytest.raises(CheckpointError, match=r"32768 or 65536 samples.*args\.txt.*--config"):
        read_model(checkpoint(write_bundle, tmp_path / "b", variables(65536, 25, "zeros")))


Change = Callable[[Variables], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("G/upconv_2/conv2d_transpose/bias"), r"G/upconv_2/conv2d_transpose/bias is missing"),
        (lambda v: v.update({"G/other/kernel": np.ones(2, np.float32)}), r"generator has G/other/kernel"),
        (
            lambda v: v.update({"G/upconv_1/conv2d_transpose/kernel": np.ones((1, 3, 4, 8), np.float32)}),
            r"G/upconv_1/conv2d_transpose/kernel of shape \[1, 3, 4, 8\] fits no",
        ),
        (
            lambda v: v.update({"G/z_project/dense/kernel": np.ones((5, 7), np.float32)}),
            r"G/z_project/dense/kernel of shape \[5, 7\]",
        ),
        (
            lambda v: v.update({"G/z_project/dense/kernel": np.ones((5, 256), np.int64)}),
            r"G/z_project/dense/kernel of shape",
        ),
        (lambda v: v["G/z_project/dense/bias"].fill(np.inf), r"not finite"),
        (lambda v: v.update({"G/upconv_5/x/kernel": np.ones(1, np.float32)}), r"32768 or 65536"),
    ],
)
def test_variables_that_do_not_fit_are_refused(
    write_bundle: Any, tmp_path: Path, change: Change, words: str
) -> None:
    found = variables(16384, 25, "zeros")
    change(found)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(write_bundle, tmp_path, found))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"data_slice_len": 65536}, r"'data_slice_len' is 65536, but the weights have 5 layers"),
        ({"data_num_channels": 2}, r"'data_num_channels' is 2, but the weights have 1"),
        ({"data_sample_rate": "quick"}, r"'data_sample_rate' must be a whole number"),
        ({"data_sample_rate": 10**9}, r"'data_sample_rate' must lie in"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    write_bundle: Any, tmp_path: Path, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(write_bundle, tmp_path, variables(16384, 25, "zeros"), **args))


def test_a_line_of_arguments_that_is_none_is_named(write_bundle: Any, tmp_path: Path) -> None:
    index = checkpoint(write_bundle, tmp_path, variables(16384, 25, "zeros"))
    (tmp_path / "args.txt").write_text("data_slice_len,16384\n\nwhat is this\n")
    with pytest.raises(CheckpointError, match=r"args\.txt:3: no line of a name"):
        read_model(index)


def test_an_index_a_prefix_and_a_folder_can_be_imported_and_loaded(
    write_bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    index = checkpoint(write_bundle, tmp_path, variables(16384, 25, "zeros"))
    assert import_model(index).name == "model-ckpt-5"
    z = np.linspace(-1, 1, LATENT, dtype=np.float32)
    sound = load_model("model-ckpt-5").render(latent=z)
    assert sound.shape == (16384,)
    for number, path in enumerate((index.with_suffix(""), index.parent)):
        assert find_model(path) == index
        folder = import_model(path, name=f"same-{number}")
        np.testing.assert_array_equal(load_model(folder).render(latent=z), sound)
        np.testing.assert_array_equal(load_model(path).render(latent=z), sound)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["wavegan-chrisdonahue-tf1", "wavegan-chrisdonahue-tf1-nn-pp"])
def test_a_checkpoint_that_tensorflow_wrote_gives_its_sound(name: str) -> None:
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE}")
    model = load_model(folder / "checkpoint" / "model.ckpt-18637")
    heard = np.stack([model.render(latent=z) for z in np.load(folder / "z.npy")])
    np.testing.assert_allclose(heard, np.load(folder / "audio.npy")[:, :, 0], atol=1e-4, rtol=0)
