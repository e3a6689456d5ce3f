"""Make the hifigan-tiny folders: random weights, a mel and the audio the published equations give for it.

The network here is written from the paper and the published key names in plain numpy, float64, one sum
after the other, and shares nothing with the package. Run it beside the folders it writes:

    python make_hifigan.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

Array = NDArray[np.float64]
Weights = dict[str, Array]

TALL = {
    "resblock": "1",
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "bands": 40,
}
SHORT = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5, 7],
    "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
    "bands": 80,
}
UNEVEN = {
    "resblock": "1",
    "upsample_rates": [5, 4, 3],
    "upsample_kernel_sizes": [11, 10, 7],
    "upsample_initial_channel": 12,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 2, 4]],
    "bands": 24,
}
MODELS = {"v1": (TALL, 30, 1), "uneven": (UNEVEN, 3, 2), "v3": (SHORT, 25, 3)}  # config, frames, seed


def leaky(x: Array, slope: float) -> Array:
    """Scale negative values."""
    return np.where(x < 0, slope * x, x)


def conv(x: Array, weights: Weights, name: str, dilation: int = 1) -> Array:
    """Convolve `[in, time]` with zeros beyond both ends, keeping the length."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    taps, time = weight.shape[2], x.shape[1]
    edge = (taps * dilation - dilation) // 2
    padded = np.pad(x, ((0, 0), (edge, edge)))
    y = np.repeat(bias[:, None], time, axis=1)
    for tap in range(taps):
        y = y + weight[:, :, tap] @ padded[:, tap * dilation : tap * dilation + time]
    return y


def upsample(x: Array, weights: Weights, name: str, rate: int) -> Array:
    """Spread every input over `kernel` outputs, `rate` apart, and crop both ends alike."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    kernel = weight.shape[2]
    raw = np.zeros((weight.shape[1], (x.shape[1] - 1) * rate + kernel))
    for time in range(x.shape[1]):
        raw[:, time * rate : time * rate + kernel] += np.einsum("i,iok->ok", x[:, time], weight)
    crop = (kernel - rate) // 2
    return raw[:, crop : raw.shape[1] - crop] + bias[:, None]


def residual(x: Array, weights: Weights, name: str, config: dict[str, Any], branch: int) -> Array:
    """Run one residual block, of either type."""
    for unit, dilation in enumerate(config["resblock_dilation_sizes"][branch]):
        if config["resblock"] == "1":
            y = conv(leaky(x, 0.1), weights, f"{name}.convs1.{unit}", dilation)
            x = x + conv(leaky(y, 0.1), weights, f"{name}.convs2.{unit}")
        else:
            x = x + conv(leaky(x, 0.1), weights, f"{name}.convs.{unit}", dilation)
    return x


def generate(mel: Array, weights: Weights, config: dict[str, Any]) -> Array:
    """Turn a mel `[bands, frames]` into audio `[samples]`."""
    branches = len(config["resblock_kernel_sizes"])
    x = conv(mel, weights, "conv_pre")
    for stage, rate in enumerate(config["upsample_rates"]):
        x = upsample(leaky(x, 0.1), weights, f"ups.{stage}", rate)
        outputs = [
            residual(x, weights, f"resblocks.{stage * branches + branch}", config, branch)
            for branch in range(branches)
        ]
        x = sum(outputs[1:], outputs[0]) / branches
    return np.tanh(conv(leaky(x, 0.01), weights, "conv_post"))[0]


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight by its published name."""
    width = config["upsample_initial_channel"]
    found: dict[str, tuple[int, ...]] = {"conv_pre": (width, config["bands"], 7)}
    number = 0
    for stage, kernel in enumerate(config["upsample_kernel_sizes"]):
        found[f"ups.{stage}"] = (width, width // 2, kernel)
        width //= 2
        for taps, row in zip(config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True):
            for unit in range(len(row)):
                for kind in ["convs1", "convs2"] if config["resblock"] == "1" else ["convs"]:
                    found[f"resblocks.{number}.{kind}.{unit}"] = (width, width, taps)
            number += 1
    found["conv_post"] = (1, width, 7)
    return found


def random_weights(config: dict[str, Any], rng: np.random.Generator) -> dict[str, NDArray[np.float16]]:
    """Draw weights large enough that sound and biases matter, on the float16 grid to stay small on disk."""
    weights = {}
    for name, shape in shapes(config).items():
        transposed = name.startswith("ups.")
        fan_in = shape[0] * 2 if transposed else shape[1] * shape[2]
        gain = 0.6 if name.startswith("resblocks") else 1.0
        outputs = shape[1] if transposed else shape[0]
        weights[f"{name}.weight"] = (rng.standard_normal(shape) * gain / fan_in**0.5).astype(np.float16)
        weights[f"{name}.bias"] = (rng.standard_normal(outputs) * 0.2).astype(np.float16)
    return weights


def main() -> None:
    """Write one folder per model beside this file."""
    for name, (config, frames, seed) in MODELS.items():
        rng = np.random.default_rng(seed)
        weights = random_weights(config, rng)
        mel = (rng.standard_normal((config["bands"], frames)) * 1.4 - 2.0).astype(np.float32)
        exact = {key: value.astype(np.float64) for key, value in weights.items()}
        audio = generate(mel.astype(np.float64), exact, config).astype(np.float32)
        folder = Path(__file__).parent / f"hifigan-tiny-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        save_file(weights, folder / "weights.safetensors")
        np.save(folder / "mel.npy", mel)
        np.save(folder / "audio.npy", audio)
        print(f"{folder.name}: {audio.size} samples, peak {abs(audio).max():.3f}")


if __name__ == "__main__":
    main()
