"""Noise schedules of diffusions: lists of variances (betas), which is played, what is kept of a signal.

After step n of a schedule the fraction `kept[n] = (1 - beta[0]) ... (1 - beta[n])` of a signal's energy is
left (alpha bar in Ho, Jain, Abbeel 2020); the rest is noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthhost.core.errors import ConfigError

Betas: TypeAlias = tuple[float, ...]
"""Variances of noise, the least noisy step first, each above 0 and below 1."""

MAX_STEPS = 1000
TRAINING, FAST = "training", "fast"

_EDGE = 1e-9  # how far outside the trained range, relative to the noise there, rounding may carry a step
_FEW_STEPS = 6


@dataclass(frozen=True, slots=True)
class Schedules:
    """The schedules that are known of one model.

    Attributes:
        training: It was trained with this one.
        own: A short one that was published with the model, or none.
        fast: Short ones that were published with the method, the preferred first.
    """

    training: Betas
    own: Betas
    fast: tuple[Betas, ...]

    def chosen(self, schedule: str, steps: int) -> Betas:
        """Return the betas to play.

        Args:
            schedule: "training", "fast", or betas with commas between them.
            steps: How many; 0: as many as the schedule has. With "fast" a published list of that many is
                taken, if there is one, that of training included. Any other number spreads its levels evenly
                along the schedule, from its least noise to its most.

        Raises:
            ConfigError: The text is no schedule, or cannot be spread.
        """
        listed = self._listed(schedule)
        if not steps:
            return listed[0]
        same = next((one for one in listed if len(one) == steps), None)
        return respaced(listed[0], steps) if same is None else same

    def _listed(self, schedule: str) -> tuple[Betas, ...]:
        if schedule == TRAINING:
            return (self.training,)
        if schedule == FAST:
            return self._short()
        return (betas_from_text(schedule),)

    def _short(self) -> tuple[Betas, ...]:
        if self.own:
            return (self.own, *self.fast, self.training)
        least = kept(self.training)[-1]
        reached = tuple(one for one in self.fast if kept(one)[-1] >= least)
        few = respaced(self.training, min(_FEW_STEPS, len(self.training)))
        return (*(reached or (few,)), self.training)


def kept(betas: Betas) -> NDArray[np.float64]:
    """Return the fraction of a signal's energy that is left after each step, `[steps]`, in float64."""
    return np.asarray(np.cumprod(1.0 - np.asarray(betas)), dtype=np.float64)


def linear(first: float, last: float, count: int) -> Betas:
    """Return betas evenly spaced, as models are trained with."""
    return tuple(np.linspace(first, last, count).tolist())


def respaced(betas: Betas, steps: int) -> Betas:
    """Return a schedule of another number of steps along the same course from least to most noise.

    The ratio of noise to signal, in dB, is read evenly along the old steps; one step alone stands at the end.

    Raises:
        ConfigError: One step is no course.
    """
    if len(betas) < 2 and steps > 1:
        raise ConfigError(f"schedule: one step cannot be spread over {steps}; give at least two betas.")
    energy = kept(betas)
    course = np.log1p(-energy) - np.log(energy)
    places = np.linspace(0, len(betas) - 1, steps) if steps > 1 else np.array([len(betas) - 1.0])
    left = 1.0 / (1.0 + np.exp(np.interp(places, np.arange(len(betas)), course)))
    return tuple((1.0 - left / np.concatenate(([1.0], left[:-1]))).tolist())


def trained_steps(betas: Betas, training: Betas) -> NDArray[np.float64]:
    """Return the training step, a fraction between two, at which a signal is as noisy as after each step.

    "Fast sampling" of DiffWave (Kong and others 2021, appendix B): the place between two training steps is
    that of the root of the energy kept.

    Raises:
        ConfigError: A step is less noisy than the first training step, or noisier than the last.
    """
    trained, wanted = kept(training), kept(betas)
    most, least = (1.0 - trained[0]) * _EDGE, (1.0 - trained[-1]) * _EDGE
    for step, energy in enumerate(wanted):
        if not trained[-1] - least <= energy <= trained[0] + most:
            _out_of_reach(step, betas, (energy, trained[-1], trained[0]))
    roots = np.sqrt(trained)
    places = np.interp(-np.sqrt(wanted), -roots, np.arange(len(training)))
    return np.asarray(places, dtype=np.float64)


def check_reach(betas: Betas, training: Betas) -> None:
    """Refuse a schedule that is somewhere noisier than a model ever heard.

    Raises:
        ConfigError: With the step at fault.
    """
    least, wanted = kept(training)[-1], kept(betas)
    for step, energy in enumerate(wanted):
        if energy < least * (1.0 - _EDGE):
            _out_of_reach(step, betas, (energy, least, 1.0))


def betas_from_text(text: str) -> Betas:
    """Return the betas of a text like "1e-4, 1e-3, 0.05".

    Raises:
        ConfigError: It holds anything else.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"schedule: {text[:60]!r} is no schedule. Write '{TRAINING}', '{FAST}', betas with commas "
            "between them, or name a .npy or .pt file of betas."
        ) from None
    return checked_betas(numbers, "schedule")


def checked_betas(numbers: Sequence[object], place: str) -> Betas:
    """Return numbers as a schedule.

    Args:
        numbers: The betas.
        place: What messages call them.

    Raises:
        ConfigError: There are none or too many, or one is no number above 0 and below 1.
    """
    if not 1 <= len(numbers) <= MAX_STEPS:
        raise ConfigError(f"{place}: {len(numbers)} betas; give 1 to {MAX_STEPS}.")
    betas = []
    for step, number in enumerate(numbers):
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0.0 < number < 1.0:
            raise ConfigError(
                f"{place}: beta {step} is {str(number)[:40]}; each must be a number above 0 and below 1."
            )
        betas.append(float(number))
    return tuple(betas)


def betas_as_json(betas: Betas) -> Any:
    """Return a plain value that `betas_from_json` reads back: evenly spaced ones by their ends."""
    if len(betas) > 2 and betas == linear(betas[0], betas[-1], len(betas)):
        return {"first": betas[0], "last": betas[-1], "count": len(betas)}
    return list(betas)


def betas_from_json(plain: Any, place: str) -> Betas:
    """Read what `betas_as_json` wrote, or a list of betas.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(plain, Mapping):
        unknown = sorted(str(key) for key in plain if key not in ("first", "last", "count"))
        if unknown:
            raise ConfigError(f"{place}: {unknown[0][:64]!r} is not known. Known: first, last, count.")
        first, last = checked_betas([plain.get("first"), plain.get("last")], place)
        count = plain.get("count")
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_STEPS:
            raise ConfigError(f"{place}: count is {count!r}; give 1 to {MAX_STEPS}.")
        return linear(first, last, count)
    if not isinstance(plain, list | tuple):
        raise ConfigError(f"{place}: expected a list of betas, got {str(plain)[:60]}.")
    return checked_betas(plain, place)


def _out_of_reach(step: int, betas: Betas, energies: tuple[float, float, float]) -> NoReturn:
    found, least, most = (math.sqrt(energy) for energy in energies)
    raise ConfigError(
        f"schedule: after beta {step} ({betas[step]:g}) the signal level is {found:.6g}, outside the "
        f"{least:.6g} to {most:.6g} that the model was trained with. Change the betas, or take '{TRAINING}'."
    )
