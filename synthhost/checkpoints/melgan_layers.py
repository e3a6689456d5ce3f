"""How three implementations number MelGAN's layers, and what their shapes say of the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor

from synthhost.checkpoints.renaming import renamed, shape_of, unusual
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family


@dataclass(frozen=True, slots=True)
class Numbering:
    """Layers stand in one numbered list, paddings and activations counted.

    Attributes:
        prefix: Of every name.
        first: The number of the first convolution: 1 where its padding is a layer.
        conv: What follows the number of an outer convolution.
        up: What follows the number of a transposed one.
        stack: Names inside a residual stack, k its place where all of a stage share a number.
        shared: Whether they do.
    """

    prefix: str
    first: int
    conv: str
    up: str
    stack: Mapping[str, str]
    shared: bool = False

    def layers(self, stages: int, stacks: int) -> dict[str, str]:
        """Return the implementation's name of each layer, by the family's."""
        names = {"conv_pre": f"{self.prefix}{self.first}{self.conv}"}
        number = self.first + 1
        for stage in range(stages):
            names[f"ups.{stage}"] = f"{self.prefix}{number + 1}{self.up}"
            number += 2
            for k in range(stacks):
                for part, inside in self.stack.items():
                    names[f"stacks.{stage}.{k}.{part}"] = f"{self.prefix}{number}.{inside.format(k=k)}"
                number += 0 if self.shared else 1
            number += 1 if self.shared else 0
        names["conv_post"] = f"{self.prefix}{number + 1 + self.first}{self.conv}"
        return names


DESCRIPTINC = Numbering(
    "model.",
    1,
    "",
    "",
    MappingProxyType({"conv": "block.2", "mix": "block.4", "shortcut": "shortcut"}),
)
SEUNGWONPARK = Numbering(
    "generator.",
    1,
    "",
    "",
    MappingProxyType({"conv": "blocks.{k}.2", "mix": "blocks.{k}.4", "shortcut": "shortcuts.{k}"}),
    shared=True,
)
PARALLEL_WAVEGAN = Numbering(
    "melgan.",
    1,
    "",
    "",
    MappingProxyType({"conv": "stack.2", "mix": "stack.4", "shortcut": "skip_layer"}),
)
PARALLEL_WAVEGAN_CAUSAL = Numbering(
    "melgan.",
    0,
    ".conv",
    ".deconv",
    MappingProxyType({"conv": "stack.1.conv", "mix": "stack.3", "shortcut": "skip_layer"}),
)


def shapes_say(place: str, tensors: Mapping[str, Tensor], numbering: Numbering) -> dict[str, Any]:
    """Return those of the family's hyper-parameters that the weights show.

    Raises:
        CheckpointError: They are of another network.
    """
    stages, stacks = _counts(place, tensors, numbering)
    layers = numbering.layers(stages, stacks)
    channels, bands, kernel = shape_of(place, tensors, f"{layers['conv_pre']}.weight")
    ups = [shape_of(place, tensors, f"{layers[f'ups.{stage}']}.weight")[2] for stage in range(stages)]
    if any(taps % 2 for taps in ups):
        raise unusual(place, f"its transposed convolutions are {ups} long, which is not twice a stride")
    return {
        "bands": bands,
        "channels": channels,
        "upsample_scales": [taps // 2 for taps in ups],
        "kernel_size": kernel,
        "stack_kernel_size": shape_of(place, tensors, f"{layers['stacks.0.0.conv']}.weight")[2],
        "stacks": stacks,
        "bias": f"{layers['conv_pre']}.bias" in tensors,
        "subbands": shape_of(place, tensors, f"{layers['conv_post']}.weight")[0],
    }


def family_tensors(
    place: str, tensors: Mapping[str, Tensor], numbering: Numbering, hyper: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the generator's tensors under the family's names; its statistics are left aside.

    Raises:
        CheckpointError: Tensors do not fit the hyper-parameters, or these no network that can be built.
    """
    kind = family("melgan")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{place}: {error}") from error
    layers = numbering.layers(len(hyper["upsample_scales"]), hyper["stacks"])
    return renamed(place, tensors, layers, expected)


def _counts(place: str, tensors: Mapping[str, Tensor], numbering: Numbering) -> tuple[int, int]:
    """Return how many stages there are, and residual stacks in each."""
    outer = rf"(?:{re.escape(numbering.conv)}|{re.escape(numbering.up)})"
    outside = re.compile(rf"{re.escape(numbering.prefix)}\d+{outer}\.weight")
    shortcut = re.escape(numbering.stack["shortcut"]).replace(r"\{k\}", r"\d+")
    inside = re.compile(rf"{re.escape(numbering.prefix)}\d+\.{shortcut}\.weight")
    stages = sum(outside.fullmatch(name) is not None for name in tensors) - 2
    stacks = sum(inside.fullmatch(name) is not None for name in tensors)
    if stages < 1 or not stacks or stacks % stages:
        raise unusual(place, f"{stacks} residual stacks over {stages} upsampling stages is no MelGAN")
    return stages, stacks // stages
