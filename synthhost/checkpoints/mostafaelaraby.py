"""WaveGAN checkpoints as mostafaelaraby/wavegan-pytorch writes them: `gan_PREFIX.tar`, a torch file.

Its settings stand in a Python module, `params.py`, which is parsed and never run; the same values are read
from a `params.json`. The dense layer's rows are laid out channels first. `bn1` is in every file and is used
only where the other layers are normalised too. Built with transposed convolutions, the published clip of
32768 samples is two samples longer; those two are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.plain_settings import read_assignments
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.wavegan_layers import POSITIONS, Upsampling, dense, halved, repeated
from synthhost.checkpoints.wavegan_weights import Weights, clip_strides, put_together, sample_rate
from synthhost.checkpoints.weight_norm import plain_tensors

_NAME = "mostafaelaraby/wavegan-pytorch"
_CONFIGS = ("params.py", "params.json")
_KERNEL = 25
_PADDING = 11  # of its transposed convolutions
_FACTOR = 4  # every layer repeats by so much, also where the last one then takes every second sample
_EPSILON = 1e-5  # of torch's batch normalisation
_NORM_LEAVES = ("weight", "bias", "running_mean", "running_var")
_MARKS = ("fc1.weight", "bn1.weight", "deconv_list.0.transpose_ops.")
_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True, slots=True)
class _Form:
    """How the layers were built: repeating and convolving, or transposed; normalised or not."""

    repeats: bool
    normalised: bool

    @classmethod
    def of(cls, weights: Weights) -> _Form:
        """Tell it by the places of a layer's parts: padding, if it repeats, convolution, normalisation."""
        ops = "deconv_list.0.transpose_ops"
        repeats = f"{ops}.1.weight" in weights and f"{ops}.1.running_mean" not in weights
        return cls(repeats, f"{ops}.{1 + repeats}.running_mean" in weights)

    def dense(self, weights: Weights, channels: int) -> dict[str, Tensor]:
        """Return the dense layer's tensors, by the family's names."""
        kernel, bias = weights.take("fc1.weight", 2), weights.take("fc1.bias", 1)
        if kernel.shape[0] != POSITIONS * channels or bias.shape[0] != kernel.shape[0]:
            raise weights.misfit("fc1.weight", kernel)
        norm = weights.norm("bn1.", _NORM_LEAVES, channels, _EPSILON)
        rows = kernel.reshape(channels, POSITIONS, kernel.shape[1]).transpose(0, 1)
        return dense(rows, bias.reshape(channels, POSITIONS).T, norm if self.normalised else None)

    def upsampling(self, weights: Weights, number: int, stride: int, *, last: bool) -> Upsampling:
        """Return one layer; the last is never normalised."""
        ops = f"deconv_list.{number}.transpose_ops"
        base = f"{ops}.{int(self.repeats)}"
        kernel, bias = weights.take(f"{base}.weight", 3), weights.take(f"{base}.bias", 1)
        if kernel.shape[2] != _KERNEL or bias.shape[0] != kernel.shape[0 if self.repeats else 1]:
            raise weights.misfit(f"{base}.weight", kernel)
        layer = self._layer(kernel, bias, stride)
        if last or not self.normalised:
            return layer
        return layer.normalised(weights.norm(f"{ops}.{1 + self.repeats}.", _NORM_LEAVES, len(bias), _EPSILON))

    def _layer(self, kernel: Tensor, bias: Tensor, stride: int) -> Upsampling:
        if not self.repeats:
            return Upsampling(kernel, bias, stride, _PADDING)
        if stride == _FACTOR:
            return repeated(kernel, bias, stride, _KERNEL // 2)
        return repeated(halved(kernel), bias, stride, _KERNEL // 2 // 2)


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content holds a generator of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name).removeprefix("module.") for name in _generator(content)]
    return all(any(name.startswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the generator in the family's own names.

    Raises:
        CheckpointError: Tensors are missing, left over or of shapes that do not fit, or the length of a clip
            does not show and no configuration tells it.
    """
    settings = _settings(path, config_path)
    floats = {name: one for name, one in _generator(content).items() if not str(name).endswith(_COUNTER)}
    weights = Weights(str(path), _NAME, tensors := plain_tensors(floats))
    count = len({name.split(".")[1] for name in tensors if name.startswith("deconv_list.")})
    strides = clip_strides(str(path), count, settings, "window_length", _CONFIGS[0])
    form = _Form.of(weights)
    layers = [form.upsampling(weights, n, stride, last=n == count - 1) for n, stride in enumerate(strides)]
    first = form.dense(weights, layers[0].weight.shape[0])
    settings.expect("noise_latent_dim", first["z_project.weight"].shape[2])
    settings.expect("num_channels", 1)
    rate = sample_rate(settings, "sampling_rate")
    return put_together(weights, first, layers, None, "normal", rate)


LAYOUT = Layout(_NAME, recognise, read)


def _generator(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = content.get("generator", content)
    return inner if isinstance(inner, Mapping) else {}


def _settings(path: Path, named: Path | None) -> Settings:
    """Return the settings: the file named, or one beside the checkpoint; empty where there is none."""
    beside = (path.parent / name for name in _CONFIGS)
    found = named or next((one for one in beside if one.is_file()), None)
    if found is None:
        return Settings(str(path.parent / _CONFIGS[0]), {})
    return read_assignments(found) if found.suffix == ".py" else JsonConfig(found)
