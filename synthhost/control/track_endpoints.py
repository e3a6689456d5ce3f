"""The addresses of one track, from its description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from synthhost.control.arguments import count, number, text
from synthhost.control.clip_endpoints import clip_endpoints, latent_endpoint
from synthhost.control.endpoints import Action, Call, Endpoint, norm_endpoint, param_endpoint
from synthhost.control.mel_endpoint import mel_endpoint
from synthhost.control.requests import MoveMacro
from synthhost.control.values import macro_key
from synthhost.core.messages import CommitCue, CuePreset, DropCue, LoadPreset, LoadTape, SetOption, SetParam
from synthhost.core.options import OptionSpec
from synthhost.core.params import ParamSpec

Presets: TypeAlias = Callable[[str], dict[str, Any]]
"""Returns a preset's whole body by its name; raises a `SynthhostError` with a suggestion."""

Sounds: TypeAlias = Callable[[str], str]
"""Returns the absolute path of a sound by name or path; raises a `SynthhostError`."""

MIXER_NAMES = ("gain_db", "pan", "mute", "solo")
_MAX_CROSSFADE_MS = 60_000.0


class TrackEndpoints:
    """Makes the endpoints of one track."""

    def __init__(self, name: str, track: Mapping[str, Any], presets: Presets, sounds: Sounds) -> None:
        self._name = name
        self._base = f"/track/{name}"
        self._track = track
        self._presets = presets
        self._sounds = sounds
        self._specs = {plain["name"]: ParamSpec.from_json(plain) for plain in track["params"]}

    def all(self, crossfade_ms: float) -> Iterator[Endpoint]:
        """Yield every endpoint of the track; `crossfade_ms` holds where a client names none."""
        for spec in self._specs.values():
            yield from self._param(spec)
        for macro in self._track.get("macros", ()):
            yield self._macro(macro)
        if self._track.get("source") == "tape":
            yield from self._tape()
        for option in self._track.get("options", ()):
            yield self._option(OptionSpec(**{**option, "choices": tuple(option["choices"])}), crossfade_ms)
        yield mel_endpoint(f"{self._base}/mel", self._name, self._track)
        yield from self._latent_and_clips()
        yield from self._preset(crossfade_ms)
        yield from self._cue(crossfade_ms)

    def _param(self, spec: ParamSpec) -> Iterator[Endpoint]:
        name, base = self._name, self._base
        yield param_endpoint(f"{base}/param/{spec.name}", name, spec)
        yield norm_endpoint(f"{base}/norm/{spec.name}", name, spec)
        if spec.name in MIXER_NAMES:
            yield param_endpoint(f"{base}/{spec.name.removesuffix('_db')}", name, spec)
        elif spec.name.startswith("fx."):
            _, place, attribute = spec.name.split(".", 2)
            yield param_endpoint(f"{base}/fx/{place}/{attribute}", name, spec)
        elif spec.name.startswith("latent."):
            yield param_endpoint(f"{base}/latent/{spec.name.removeprefix('latent.')}", name, spec)
        elif self._track.get("source") == "tape":
            yield param_endpoint(f"{base}/tape/{spec.name}", name, spec)

    def _option(self, spec: OptionSpec, crossfade_ms: float) -> Endpoint:
        wanted = "a word or line of text" if isinstance(spec.default, str) else "a number"
        standing = self._track.get("option_values", {}).get(spec.name, spec.default)

        def accept(call: Call) -> list[Action]:
            count(call.args, 1, 2, f"{wanted} and, if wanted, a crossfade in ms")
            given = text(call.args, 0, wanted) if isinstance(spec.default, str) else number(call.args)
            fade_ms = _fade_ms(call, 1, crossfade_ms)
            value = spec.checked(given)
            return [SetOption(self._name, spec.name, value, fade_ms, call.at_sample, call.origin)]

        return Endpoint(
            f"{self._base}/model/{spec.name}",
            f"{spec.doc} (the model is built anew and crossfaded in)",
            "s[f]" if isinstance(spec.default, str) else "f[f]",
            accept,
            minimum=spec.minimum,
            maximum=spec.maximum,
            read=lambda _: standing,
        )

    def _latent_and_clips(self) -> Iterator[Endpoint]:
        vector = latent_endpoint(self._base, self._name, self._specs)
        if vector is not None:
            yield vector
        bands = self._track.get("clip_bands")
        if bands is not None:
            yield from clip_endpoints(self._base, self._name, int(bands))

    def _tape(self) -> Iterator[Endpoint]:
        yield self._load("load", "a")
        yield self._load("load_b", "b")

    def _load(self, verb: str, slot: str) -> Endpoint:
        def accept(call: Call) -> list[Action]:
            count(call.args, 1, 1, "the path of a sound file")
            path = self._sounds(text(call.args, 0, "a sound file"))
            return [LoadTape(self._name, slot, path, call.at_sample, call.origin)]

        about = f"put a sound file on the tape, slot {slot}"
        return Endpoint(f"{self._base}/tape/{verb}", about, "s", accept)

    def _macro(self, macro: Mapping[str, Any]) -> Endpoint:
        key = macro_key(self._name, macro["name"])

        def accept(call: Call) -> list[Action]:
            count(call.args, 1, 1, "one number (0 to 1)")
            place = min(max(number(call.args), 0.0), 1.0)
            moved = [self._moved(target, place, call) for target in macro["targets"]]
            return [MoveMacro(self._name, macro["name"], place), *moved]

        address = f"{self._base}/macro/{macro['name']}"
        return Endpoint(
            address, macro.get("about", ""), "f", accept, "", 0.0, 1.0, lambda values: values[key], (key,)
        )

    def _moved(self, target: Mapping[str, Any], place: float, call: Call) -> SetParam:
        low, high = float(target["from"]), float(target["to"])
        value = low + place * (high - low)
        spec = self._specs.get(target["param"])
        if spec is not None:
            value = spec.clamp(value)
        return SetParam(self._name, target["param"], value, call.at_sample, call.origin)

    def _preset(self, crossfade_ms: float) -> Iterator[Endpoint]:
        def accept(call: Call) -> list[Action]:
            count(call.args, 1, 2, "a preset's name and, if wanted, a crossfade in ms")
            name = text(call.args, 0, "a preset's name")
            fade_ms = _fade_ms(call, 1, crossfade_ms)
            body = self._presets(name)
            return [LoadPreset(self._name, name, body, fade_ms, call.at_sample, call.origin)]

        yield Endpoint(
            f"{self._base}/preset",
            "change to a preset: prepared first, then crossfaded",
            "s[f]",
            accept,
            read=lambda _: str(self._track.get("preset") or ""),
        )

    def _cue(self, crossfade_ms: float) -> Iterator[Endpoint]:
        def cue(call: Call) -> list[Action]:
            count(call.args, 1, 1, "a preset's name")
            name = text(call.args, 0, "a preset's name")
            return [CuePreset(self._name, name, self._presets(name), call.at_sample, call.origin)]

        def commit(call: Call) -> list[Action]:
            count(call.args, 0, 1, "nothing or a crossfade in ms")
            return [CommitCue(self._name, _fade_ms(call, 0, crossfade_ms), call.at_sample, call.origin)]

        def drop(call: Call) -> list[Action]:
            count(call.args, 0, 1, "no argument")
            return [DropCue(self._name, call.at_sample, call.origin)]

        base = f"{self._base}/cue"
        about = "audition a preset on the cue bus, under the track's live controls"
        yield Endpoint(base, about, "s", cue, read=lambda _: str(self._track.get("cue") or ""))
        yield Endpoint(f"{base}/commit", "crossfade the track to the cued preset", "[f]", commit)
        yield Endpoint(f"{base}/drop", "forget the cued preset", "", drop)


def _fade_ms(call: Call, at: int, default_ms: float) -> float:
    if len(call.args) <= at:
        return default_ms
    return min(max(number(call.args, at), 0.0), _MAX_CROSSFADE_MS)
