"""Checks of a preset against what is installed: models, source parameters, effects and their ranges."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from synthhost.core.errors import ConfigError, suggestion
from synthhost.core.params import ParamSpec
from synthhost.schema.preset import Macro, PlacedPreset, Preset, is_path
from synthhost.schema.sentences import unknown_name

EffectParams = Mapping[str, Mapping[str, ParamSpec]]


def check_preset(
    preset: Preset,
    *,
    source_params: Mapping[str, ParamSpec],
    effect_params: EffectParams,
    models: Collection[str] | None,
) -> list[str]:
    """Return everything in a preset that cannot be played here, as `place: sentence`; empty when all is well.

    Args:
        preset: What to check.
        source_params: Parameters of the preset's kind of source, by name.
        effect_params: Parameters of every effect there is, by the effect's name, then by their own.
        models: Names of the known models; None leaves models unchecked. Paths are left unchecked too.
    """
    problems = []
    if models is not None and not is_path(preset.model) and preset.model not in models:
        problems.append(f"model: no model is named {preset.model!r}.{suggestion(preset.model, models)}")
    problems += _params("source.params", preset.source.params, source_params)
    for index, part in enumerate(preset.chain):
        if part.effect in effect_params:
            problems += _params(f"chain[{index}].params", part.params, effect_params[part.effect])
        else:
            problems.append(f"chain[{index}].effect: {unknown_name(part.effect, effect_params)}")
    targets = _targets(preset, source_params, effect_params)
    for index, macro in enumerate(preset.macros):
        problems += _macro(f"macros[{index}]", macro, targets, preset)
    return problems


def require_playable(
    placed: PlacedPreset,
    *,
    source_params: Mapping[str, ParamSpec],
    effect_params: EffectParams,
    models: Collection[str] | None,
) -> None:
    """Raise a ConfigError with all that `check_preset` finds, a line each."""
    problems = check_preset(
        placed.preset, source_params=source_params, effect_params=effect_params, models=models
    )
    if problems:
        raise ConfigError("\n".join(placed.told(problem) for problem in problems))


def range_problem(spec: ParamSpec, value: float) -> str:
    """Return why a parameter cannot stand at `value`, or an empty string."""
    if not spec.minimum <= value <= spec.maximum:
        unit = f" {spec.unit}" if spec.unit else ""
        return f"must be {spec.minimum:g} to {spec.maximum:g}{unit}, not {value:g}."
    if spec.kind == "int" and value != round(value):
        return f"must be a whole number, not {value:g}."
    if spec.kind == "bool" and value not in (0.0, 1.0):
        return f"must be true or false, not {value:g}."
    return ""


def _params(place: str, values: Mapping[str, float], known: Mapping[str, ParamSpec]) -> list[str]:
    problems = []
    for name, value in values.items():
        if name not in known:
            problems.append(f"{place}: {unknown_name(name, known)}")
        elif problem := range_problem(known[name], value):
            problems.append(f"{place}.{name}: {problem}")
    return problems


def _targets(
    preset: Preset, source_params: Mapping[str, ParamSpec], effect_params: EffectParams
) -> dict[str, ParamSpec]:
    targets = dict(source_params)
    for index, part in enumerate(preset.chain):
        specs = effect_params.get(part.effect, {})
        targets |= {f"fx.{index}.{name}": spec for name, spec in specs.items()}
    return targets


def _macro(place: str, macro: Macro, known: Mapping[str, ParamSpec], preset: Preset) -> list[str]:
    problems = []
    for index, target in enumerate(macro.targets):
        here = f"{place}.targets[{index}]"
        if target.param not in known:
            problems.append(
                f"{here}.param: {unknown_name(target.param, known)}{_chain_note(target.param, preset)}"
            )
            continue
        for key, value in (("from", target.from_value), ("to", target.to_value)):
            if problem := range_problem(known[target.param], value):
                problems.append(f"{here}.{key}: {problem}")
    return problems


def _chain_note(param: str, preset: Preset) -> str:
    if not param.startswith("fx."):
        return ""
    return f" The chain has {len(preset.chain)} effects, counted from fx.0."
