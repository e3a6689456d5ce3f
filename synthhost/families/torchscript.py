"""Family `torchscript`: a program instead of a network, whose `decode` turns latent vectors into sound.

Such files are exported for nn~ (RAVE and other codecs). Nothing of one is built here: the module is loaded
from its file, `model.ts`, and that only where the user allowed these very bytes. See `script_interface` for
what a module must offer and `streaming.script` for how it is played. A module that draws by chance, or was
not made for playing in pieces, sounds different at another chunk size; its certificate says how much.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from torch import Tensor

from synthhost.core.errors import ConfigError
from synthhost.core.params import ParamSpec
from synthhost.families.family import SEED, Family
from synthhost.streaming.script import ScriptControl

MOST_LATENTS = 4096
MOST_HOP_SAMPLES = 65_536
MOST_CHANNELS = 64
MOST_CONTROLS = 48
MOST_RECEPTIVE_FRAMES = 48
LARGEST_VALUE = 1e9

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
_CONTROL_NAME = re.compile(r"(model\.)?[A-Za-z_][A-Za-z0-9_]{0,47}(\.\d{1,2})?")
_TAKEN = frozenset({"wander", "seed", "gain_db", "pan", "mute", "solo"})  # by latent sources and tracks


@dataclass(frozen=True, slots=True)
class AttributeControl:
    """One number of one attribute as the manifest tells it; a person may edit range and default there."""

    name: str
    attribute: str
    place: int
    kind: str
    minimum: float
    maximum: float
    default: float

    def control(self) -> ScriptControl:
        """Return what a runner needs of it."""
        doc = f"the model's own attribute '{self.attribute}', value {self.place + 1}"
        spec = ParamSpec(
            self.name, "", self.minimum, self.maximum, self.default, doc,
            smoothing_ms=0.0, kind=self.kind,  # type: ignore[arg-type]
        )  # fmt: skip
        return ScriptControl(spec, self.attribute, self.place)


@dataclass(frozen=True, slots=True)
class ScriptHyper:
    """What a module says of its `decode`, and what was measured of it when it was imported.

    Attributes:
        latents: Dimensions of a latent vector.
        hop_samples: Samples one vector becomes.
        channels: Of the sound; they are averaged.
        receptive_frames: Vectors that one sample depends on, by disturbance; 48 may stand for more.
        controls: The attributes that are numbers.
    """

    latents: int
    hop_samples: int
    channels: int
    receptive_frames: int
    controls: tuple[AttributeControl, ...] = ()

    @property
    def bands(self) -> int:
        """Dimensions of a latent vector."""
        return self.latents

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `hyper_from_json` reads back."""
        return {**asdict(self), "controls": [asdict(control) for control in self.controls]}


def attribute_control(attribute: str, place: int, of: int, value: bool | int | float) -> AttributeControl:
    """Return a control for a value as it stands, with a range guessed from it.

    Args:
        attribute: Its name in the module.
        place: Of the value in the attribute's tuple.
        of: How long that tuple is.
        value: What a fresh module has there.
    """
    name = f"model.{attribute}" if attribute in _TAKEN else attribute
    name = name if of == 1 else f"{name}.{place}"
    kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "float"
    if kind == "bool":
        return AttributeControl(name, attribute, place, kind, 0.0, 1.0, float(value))
    reach = max(127.0 if kind == "int" else 1.0, 2.0 * abs(value))
    low = 0.0 if value > 0 or (kind == "int" and value == 0) else -reach
    return AttributeControl(name, attribute, place, kind, low, reach, float(value))


def hyper_from_json(plain: Mapping[str, Any]) -> ScriptHyper:
    """Read and bound what a manifest says.

    Raises:
        ConfigError: With the key at fault.
    """
    controls = plain.get("controls", [])
    if not isinstance(controls, list) or len(controls) > MOST_CONTROLS:
        raise ConfigError(f"controls must be a list of at most {MOST_CONTROLS}.")
    read = tuple(_control(f"controls[{index}]", entry) for index, entry in enumerate(controls))
    names = [control.name for control in read]
    if len(set(names)) != len(names):
        raise ConfigError("controls: two have the same name. Import the model again.")
    return ScriptHyper(
        _whole(plain, "latents", MOST_LATENTS),
        _whole(plain, "hop_samples", MOST_HOP_SAMPLES),
        _whole(plain, "channels", MOST_CHANNELS),
        _whole(plain, "receptive_frames", MOST_RECEPTIVE_FRAMES),
        read,
    )


def _control(place: str, entry: object) -> AttributeControl:
    fields = AttributeControl.__dataclass_fields__
    if not isinstance(entry, Mapping) or set(entry) != set(fields):
        raise ConfigError(f"{place}: must have exactly {', '.join(fields)}.")
    for key, pattern in (("name", _CONTROL_NAME), ("attribute", _IDENTIFIER)):
        if not isinstance(entry[key], str) or not pattern.fullmatch(entry[key]):
            raise ConfigError(f"{place}.{key}: {str(entry[key])[:60]!r} is no name.")
    if entry["name"] in _TAKEN:
        raise ConfigError(
            f"{place}.name: {entry['name']!r} is the host's own. Call it model.{entry['name']}."
        )
    if entry["kind"] not in ("bool", "int", "float"):
        raise ConfigError(f"{place}.kind: must be bool, int or float, not {str(entry['kind'])[:60]!r}.")
    index = entry["place"]
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < MOST_CONTROLS:
        raise ConfigError(f"{place}.place: must be a whole number in 0..{MOST_CONTROLS - 1}.")
    low, high, default = (_number(place, entry, key) for key in ("minimum", "maximum", "default"))
    if not low <= default <= high or low == high:
        raise ConfigError(f"{place}: default must lie between minimum and maximum, and these apart.")
    return AttributeControl(entry["name"], entry["attribute"], index, entry["kind"], low, high, default)


def _number(place: str, entry: Mapping[str, Any], key: str) -> float:
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{place}.{key}: must be a number.")
    if abs(value) > LARGEST_VALUE:
        raise ConfigError(f"{place}.{key}: must lie within {LARGEST_VALUE:g} of 0.")
    return float(value)


def _whole(plain: Mapping[str, Any], key: str, high: int) -> int:
    value = plain.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        raise ConfigError(f"{key} must be a whole number in 1..{high}, not {str(value)[:60]}.")
    return value


def _no_network(*_: object) -> NoReturn:
    raise ConfigError(
        "A TorchScript model is a program: it is loaded from its file and never built from weights."
    )


def _no_tensors(_: object) -> dict[str, tuple[int, ...]]:
    return {}


def _no_weights(_network: object, _tensors: Mapping[str, Tensor]) -> None:
    _no_network()


FAMILY = Family(
    name="torchscript",
    title="TorchScript program (nn~)",
    hyper_from_json=hyper_from_json,
    build=_no_network,
    load_weights=_no_weights,
    tensor_names=_no_tensors,
    controls=(SEED,),
)
