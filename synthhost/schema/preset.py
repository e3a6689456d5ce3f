"""A preset: one track's model, source, parameters, effects and macros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from synthhost.schema.patterns import LINE_PATTERN, SHA256_PATTERN, SLUG_PATTERN, TEXT_PATTERN
from synthhost.schema.reading import Document, Entry, read_text, refusal

MAX_EFFECTS = 16
MAX_MACROS = 8
MAX_TARGETS = 8
MAX_RUNGS = 8

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=64)]
About = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=500)]
Reference = Annotated[str, StringConstraints(pattern=LINE_PATTERN, min_length=1, max_length=1024)]
"""A name, or a path where it has a slash or a dot; relative to the file that says it."""

ParamName = Annotated[str, StringConstraints(pattern=LINE_PATTERN, min_length=1, max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
GainDb = Annotated[float, Field(ge=-60, le=12)]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, bool) else value  # switches may be written true and false


ParamValue = Annotated[float, BeforeValidator(_number)]
OptionText = Annotated[str, StringConstraints(pattern=LINE_PATTERN, max_length=1000)]
Options = Annotated[Mapping[ParamName, int | float | OptionText], Field(max_length=16)]
Rung = Annotated[Mapping[ParamName, int | float | OptionText], Field(min_length=1, max_length=16)]
Ladder = Annotated[tuple[Rung, ...], Field(max_length=MAX_RUNGS, strict=False)]
Params = Annotated[Mapping[ParamName, ParamValue], Field(max_length=64)]


class SourcePart(Entry):
    """What makes the stream a model eats.

    A sound file read as a tape, frames arriving over OSC, latent vectors, triggers for models that make
    clips, notes, or nothing for models that run by themselves.
    """

    kind: Literal["tape", "frames", "latent", "free", "clip", "notes"]
    tape: Reference | None = None
    tape_b: Reference | None = None
    tape_sha256: Sha256 | None = None  # of the sound file; written into journals, checked where present
    tape_b_sha256: Sha256 | None = None
    params: Params = Field(default_factory=dict)  # each in its own unit

    @model_validator(mode="after")
    def _check_sounds(self) -> Self:
        if self.kind == "tape" and self.tape is None:
            raise refusal("'tape' is missing: name the sound file to play.")
        if self.kind != "tape" and (self.tape is not None or self.tape_b is not None):
            raise refusal(
                f"a source of kind '{self.kind}' plays no tape: leave it out, or write 'kind: tape'."
            )
        for name in ("tape", "tape_b"):
            if getattr(self, f"{name}_sha256") is not None and getattr(self, name) is None:
                raise refusal(f"'{name}_sha256' is given without '{name}': leave it out.")
        return self


class EffectPart(Entry):
    """One effect of the chain, by its class name, with parameters in their own units."""

    effect: ParamName
    params: Params = Field(default_factory=dict)


class MacroTarget(Entry):
    """One parameter a macro moves: a source parameter's name, or `fx.I.NAME` for effect I of the chain."""

    param: ParamName
    from_value: float = Field(alias="from")  # in the parameter's unit, where the macro stands at 0
    to_value: float = Field(alias="to")  # where it stands at 1


class Macro(Entry):
    """One knob that moves several parameters along straight lines."""

    name: Slug
    about: About = ""
    value: Annotated[float, Field(ge=0, le=1)] = 0.0
    targets: Annotated[tuple[MacroTarget, ...], Field(min_length=1, max_length=MAX_TARGETS, strict=False)]

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        _refuse_doubles("targets", "param", [target.param for target in self.targets])
        return self


class Preset(Document):
    """One track's sound, as its file says it."""

    kind: ClassVar[str] = "preset"

    synthhost: str = "preset/1"
    name: Slug
    about: About = ""
    model: Reference
    options: Options = Field(default_factory=dict)  # of the model, such as the steps of a diffusion
    ladder: Ladder = ()  # rungs to step down when the machine is too slow, each adding to those above it
    rung: Annotated[int, Field(ge=0, le=MAX_RUNGS)] = 0  # taken already; written into journals
    source: SourcePart
    chain: Annotated[tuple[EffectPart, ...], Field(max_length=MAX_EFFECTS, strict=False)] = ()
    macros: Annotated[tuple[Macro, ...], Field(max_length=MAX_MACROS, strict=False)] = ()
    gain_db: GainDb = 0.0

    @model_validator(mode="after")
    def _check_macros(self) -> Self:
        _refuse_doubles("macros", "name", [macro.name for macro in self.macros])
        return self

    @model_validator(mode="after")
    def _check_rung(self) -> Self:
        if self.rung > len(self.ladder):
            raise refusal(f"'rung' is {self.rung}, and 'ladder' has {len(self.ladder)}: leave it out.")
        return self


@dataclass(frozen=True, slots=True)
class PlacedPreset:
    """A preset and where it came from: relative paths in it are looked up from `folder`."""

    preset: Preset
    folder: Path
    place: str  # what messages call the file, such as "presets/choir.yaml"
    inside: str = ""  # where in that file it stands, such as "tracks[1].preset"

    def told(self, problem: str) -> str:
        """Return a problem found at a place in the preset with the place of the preset before it."""
        return f"{self.place}: {self.inside}.{problem}" if self.inside else f"{self.place}: {problem}"

    def sound_paths(self) -> dict[str, Path]:
        """Return the absolute path of each sound the preset names, by key: `tape`, `tape_b`."""
        source = self.preset.source
        given = {"tape": source.tape, "tape_b": source.tape_b}
        return {key: placed_path(path, self.folder) for key, path in given.items() if path is not None}

    def model_reference(self) -> str:
        """Return the model's name as given, or its absolute path where it is a path."""
        model = self.preset.model
        return str(placed_path(model, self.folder)) if is_path(model) else model

    def absolute(self, sha256: Mapping[str, str] | None = None) -> Preset:
        """Return the preset with absolute paths, to be played from anywhere, such as out of a journal.

        Args:
            sha256: Digests of the sound files in hexadecimal, by the keys of `sound_paths`.
        """
        plain = self.preset.as_json()
        plain["model"] = self.model_reference()
        for key, path in self.sound_paths().items():
            plain["source"][key] = str(path)
            plain["source"][f"{key}_sha256"] = (sha256 or {}).get(key, plain["source"][f"{key}_sha256"])
        return Preset.from_json(plain, self.told(self.preset.name))


def load_preset(path: Path) -> PlacedPreset:
    """Read a preset file.

    Raises:
        ConfigError: It cannot be read or says something that cannot be played.
    """
    return PlacedPreset(Preset.from_yaml(read_text(path), str(path)), path.absolute().parent, str(path))


def placed_path(given: str, folder: Path) -> Path:
    """Return the absolute path of `given` as seen from `folder`; `~/` is the user's home."""
    path = Path(given).expanduser() if given.startswith("~/") else Path(given)
    return (folder / path).absolute()


def is_path(reference: str) -> bool:
    """Return whether a reference is a path and no name: it has a slash or a dot."""
    return any(letter in reference for letter in "/\\.")


def macro_values(macro: Macro, value: float) -> dict[str, float]:
    """Return what a macro at `value` (0..1, clipped) sets, by parameter, each in its own unit."""
    place = min(max(value, 0.0), 1.0)
    return {target.param: _between(target.from_value, target.to_value, place) for target in macro.targets}


def start_values(preset: Preset) -> dict[str, float]:
    """Return every parameter the preset sets, as it begins, in its own unit.

    Source parameters go by name, effect parameters as `fx.I.NAME`. Macros come last and win, in their order.
    """
    values = dict(preset.source.params)
    for index, part in enumerate(preset.chain):
        values |= {f"fx.{index}.{name}": value for name, value in part.params.items()}
    for macro in preset.macros:
        values |= macro_values(macro, macro.value)
    return values


def _between(start: float, end: float, place: float) -> float:
    value = start * (1.0 - place) + end * place
    return min(max(value, min(start, end)), max(start, end))  # rounding must not leave the parameter's range


def _refuse_doubles(listed: str, key: str, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise refusal(f"{listed} name the same {key} twice: {doubled[0]!r}. Keep one.")
