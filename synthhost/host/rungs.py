"""On which rung of its ladder every track begins: the first on which all keep up together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.core.options import model_of, options_of, usable_rungs
from synthhost.host.admission import Admission
from synthhost.host.chunking import FULL, ROOM, Choice
from synthhost.host.factory import VoiceFactory
from synthhost.host.fitting import crowded
from synthhost.host.plan import Plan
from synthhost.host.verdicts import began_below


@dataclass(slots=True)
class Rungs:
    """One track's ladder: what its model costs on each rung from the top, and where it stands."""

    choices: list[Choice]
    rung: int = 0

    @property
    def now(self) -> Choice:
        """Return what it costs where it stands."""
        return self.choices[self.rung]

    @property
    def below(self) -> int | None:
        """Return the next rung down that takes less, or keeps up where the present one does not."""
        below = range(self.rung + 1, len(self.choices))
        return next((rung for rung in below if _burden(self.choices[rung]) < _burden(self.now)), None)

    @property
    def least(self) -> float:
        """Return what the cheapest rung from here on takes of a core."""
        return min(choice.real_time_factor for choice in self.choices[self.rung :])


def _burden(choice: Choice) -> tuple[bool, float]:
    return crowded(choice), choice.real_time_factor


def step_down_until_all_fit(tracks: Mapping[str, Rungs], room: float = ROOM) -> None:
    """Take rungs until every model keeps up and all together fit, or no rung helps.

    First whoever does not keep up by itself, then the dearest. Where not even all lowest rungs fit, nobody
    gives anything up for the others.
    """
    while True:
        able = [one for one in tracks.values() if one.below is not None]
        alone = [one for one in able if crowded(one.now)]
        together = sum(one.now.real_time_factor for one in tracks.values())
        in_vain = sum(one.least for one in tracks.values()) > FULL
        if not alone and (not able or together <= room or in_vain):
            return
        dearest = max(alone or able, key=lambda one: one.now.real_time_factor)
        assert dearest.below is not None
        dearest.rung = dearest.below


def begin_on_rungs(plan: Plan, factory: VoiceFactory, admission: Admission) -> tuple[Plan, dict[str, str]]:
    """Return the plan with every preset on its rung, and why, by track; nothing sounds yet.

    All rungs are measured, so that a step while playing need not wait for it. A set without ladders is left
    as it is, and its models are measured when they are built.

    Raises:
        SynthhostError: A model cannot be loaded as its preset says.
    """
    bodies = plan.bodies()
    if not any(body.get("ladder") for body in bodies.values()):
        return plan, {}
    factory.keep(sum(len(body.get("ladder") or ()) + 1 for body in bodies.values()))
    for track in plan.set["tracks"]:
        name, body = track["name"], bodies[track["name"]]
        bodies[name] = {**body, "ladder": _usable(body, factory)}
        if len(bodies[name]["ladder"]) < len(track["preset"].get("ladder") or ()):
            admission.notes.append(
                f"{name}: its model lacks options that its preset's ladder names, see `presets check`"
            )
    tracks = {name: Rungs(_measured(name, body, factory, admission)) for name, body in bodies.items()}
    step_down_until_all_fit(tracks)
    reasons = {name: _reason(bodies[name], one) for name, one in tracks.items() if one.rung}
    admission.notes += [f"{name} begins on {reason}" for name, reason in reasons.items()]
    return _placed(plan, bodies, tracks), reasons


def _usable(body: dict[str, Any], factory: VoiceFactory) -> list[dict[str, Any]]:
    return list(usable_rungs(body.get("ladder") or (), factory.model(model_of(body, 0)).option_specs))


def _measured(name: str, body: dict[str, Any], factory: VoiceFactory, admission: Admission) -> list[Choice]:
    """Return what a preset's model costs on each rung; the ladder ends where one cannot be had."""
    choices = []
    for rung in range(len(body["ladder"]) + 1):
        reference = model_of(body, rung)
        try:
            choices.append(admission.measured(reference, factory.model(reference).runner))
        except ConfigError as error:
            if rung == 0:
                raise
            admission.notes.append(f"{name}: rung {rung} of its ladder cannot be taken: {error}")
            del body["ladder"][rung - 1 :]
            break
    return choices


def _reason(body: dict[str, Any], track: Rungs) -> str:
    rungs = len(track.choices) - 1
    return began_below(track.rung, rungs, options_of(body, track.rung), track.choices[0], track.now)


def _placed(plan: Plan, bodies: Mapping[str, dict[str, Any]], tracks: Mapping[str, Rungs]) -> Plan:
    placed = []
    for track in plan.set["tracks"]:
        name = track["name"]
        stands = {"ladder": bodies[name]["ladder"], "rung": tracks[name].rung}
        placed.append({**track, "preset": {**track["preset"], **stands}})
    return replace(plan, set={**plan.set, "tracks": placed}, on_rungs=True)
