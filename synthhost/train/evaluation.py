"""What measuring a trained model gives, and how much of it is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """How long a model that goes on by itself is listened to.

    Attributes:
        seeds: How many times, each by another chance.
        minutes: Of sound each time.
    """

    seeds: int = 20
    minutes: int = 10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        name: Of the model.
        figures: Sentences for people.
        failures: Gates that do not hold, in sentences.
    """

    name: str
    figures: tuple[str, ...]
    failures: tuple[str, ...]
