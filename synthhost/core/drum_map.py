"""Which drum a key is, by General MIDI's percussion map, for models that make several kinds of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

DRUM_KEYS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "kick": (35, 36),
        "rim": (37,),
        "snare": (38, 40),
        "clap": (39,),
        "closed-hat": (42, 44),
        "open-hat": (46,),
        "tom": (41, 43, 45, 47, 48, 50),
        "crash": (49, 52, 55, 57),
        "ride": (51, 53, 59),
        "percussion": (54, 56, 58, *range(60, 82)),
    }
)
"""Keys of General MIDI's percussion map by kind of drum."""


def class_of_key(key: float, classes: Sequence[str]) -> int:
    """Return which of a model's classes a key plays: General MIDI's where it has it, else one by one."""
    place = round(key)
    for name, keys in DRUM_KEYS.items():
        if place in keys and name in classes:
            return classes.index(name)
    return place % len(classes)
