"""WaveGAN checkpoints as chrisdonahue/wavegan writes them: TensorFlow's `model.ckpt-N.*` with `args.txt`.

Only the generator is read. 'same' padding loses half of what a kernel reaches beyond its stride at the start,
rounded down, and the rest at the end; the dense layer's rows are laid out time first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.plain_settings import read_lines
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.tensorflow_bundle import TensorBundle
from synthhost.checkpoints.wavegan_layers import POSITIONS, Norm, Upsampling, dense, repeated
from synthhost.checkpoints.wavegan_weights import Weights, clip_strides, put_together, sample_rate

_NAME = "chrisdonahue/wavegan"
_CONFIG = "args.txt"
_DENSE = "G/z_project/dense/kernel"
_FILTER = "G/pp_filt/conv1d/kernel"
_EPSILON = 1e-3  # of TensorFlow's batch normalisation
_NORM_LEAVES = ("gamma", "beta", "moving_mean", "moving_variance")
_LEAVES = ("kernel", "bias", *_NORM_LEAVES)  # an optimiser's slots stand below these names


def recognise(content: Any) -> bool:
    """Tell by the names whether a TensorFlow checkpoint holds a generator of this layout."""
    return isinstance(content, TensorBundle) and _DENSE in content and _layers(content) > 0


def read(path: Path, content: TensorBundle, config_path: Path | None) -> ReadModel:
    """Return the generator in the family's own names.

    Raises:
        CheckpointError: Variables are missing, left over or of shapes that do not fit, or the length of a
            clip does not show and no configuration tells it.
    """
    settings = _settings(path, config_path)
    settings.expect("data_num_channels", 1)
    strides = clip_strides(str(path), _layers(content), settings, "data_slice_len", _CONFIG)
    own = {name: content[name] for name in content if _is_generators(name)}
    weights = Weights(str(path), _NAME, own)
    layers = [_upsampling(weights, number, stride) for number, stride in enumerate(strides)]
    first = _dense(weights, layers[0].weight.shape[0])
    post_filter = weights.take(_FILTER, 3).permute(2, 1, 0).contiguous() if _FILTER in weights else None
    rate = sample_rate(settings, "data_sample_rate")
    return put_together(weights, first, layers, post_filter, "uniform", rate)


LAYOUT = Layout(_NAME, recognise, read)


def _is_generators(name: str) -> bool:
    return name.startswith("G/") and name.rpartition("/")[2] in _LEAVES


def _layers(names: Iterable[str]) -> int:
    """Return how many upsampling layers some names speak of."""
    return len({name.split("/")[1] for name in names if name.startswith("G/upconv_")})


def _settings(path: Path, named: Path | None) -> Settings:
    """Return `args.txt`: named, beside the checkpoint or above its folder; empty where there is none."""
    beside = (folder / _CONFIG for folder in (path.parent, path.parent.parent))
    found = named or next((one for one in beside if one.is_file()), None)
    return Settings(str(path.parent / _CONFIG), {}) if found is None else read_lines(found)


def _dense(weights: Weights, channels: int) -> dict[str, Tensor]:
    kernel, bias = weights.take(_DENSE, 2), weights.take("G/z_project/dense/bias", 1)
    if kernel.shape[1] != POSITIONS * channels or bias.shape[0] != kernel.shape[1]:
        raise weights.misfit(_DENSE, kernel)
    rows = kernel.T.reshape(POSITIONS, channels, kernel.shape[0])
    return dense(rows, bias.reshape(POSITIONS, channels), _norm(weights, "G/z_project", channels))


def _upsampling(weights: Weights, number: int, stride: int) -> Upsampling:
    """Return one layer, whichever way it was trained to upsample."""
    base = f"G/upconv_{number}"
    by_zeros = f"{base}/conv2d_transpose/kernel" in weights
    layer = _transposed(weights, base, stride) if by_zeros else _repeating(weights, base, stride)
    if layer.bias.shape[0] != layer.weight.shape[1]:
        raise weights.misfit(f"{base}: the bias", layer.bias)
    return layer.normalised(_norm(weights, base, layer.weight.shape[1]))


def _transposed(weights: Weights, base: str, stride: int) -> Upsampling:
    name = f"{base}/conv2d_transpose/kernel"
    kernel = weights.take(name, 4)
    if kernel.shape[0] != 1 or kernel.shape[1] < stride:
        raise weights.misfit(name, kernel)
    bias = weights.take(f"{base}/conv2d_transpose/bias", 1)
    return Upsampling(kernel[0].permute(2, 1, 0), bias, stride, (kernel.shape[1] - stride) // 2)


def _repeating(weights: Weights, base: str, stride: int) -> Upsampling:
    kernel = weights.take(f"{base}/conv1d/kernel", 3)
    bias = weights.take(f"{base}/conv1d/bias", 1)
    return repeated(kernel.permute(2, 1, 0), bias, stride, (kernel.shape[0] - 1) // 2)


def _norm(weights: Weights, base: str, channels: int) -> Norm | None:
    stem = f"{base}/batch_normalization/"
    if f"{stem}gamma" not in weights:
        return None
    return weights.norm(stem, _NORM_LEAVES, channels, _EPSILON)
