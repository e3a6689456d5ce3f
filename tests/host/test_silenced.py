"""Samples that are no numbers: each place where they come up is told once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.host.silenced import Silenced


def renderer(voice: int = 0, lead: int = 0, master: int = 0) -> Any:
    """Give a renderer that has silenced so many samples."""
    tracks = [
        SimpleNamespace(name="voice", bad_samples=voice),
        SimpleNamespace(name="lead", bad_samples=lead),
    ]
    buses = [SimpleNamespace(limiter=SimpleNamespace(bad_samples=count)) for count in (master, 0)]
    return SimpleNamespace(tracks=tracks, master=buses[0], cue=buses[1], bad_samples=voice + lead + master)


def test_a_track_is_told_of_at_its_first_silenced_samples_only() -> None:
    silenced = Silenced()
    assert silenced.news(renderer()) is None
    assert str(silenced.news(renderer(voice=3))).startswith("voice: ")
    assert silenced.news(renderer(voice=3)) is None
    assert silenced.news(renderer(voice=9)) is None
    assert str(silenced.news(renderer(voice=9, lead=1))).startswith("lead: ")


@pytest.mark.parametrize(
    ("counts", "places"), [({"voice": 1, "lead": 1}, "voice, lead"), ({"master": 2}, "master")]
)
def test_all_places_of_one_block_are_told_together(counts: dict[str, int], places: str) -> None:
    assert str(Silenced().news(renderer(**counts))).startswith(f"{places}: samples that are not finite")
