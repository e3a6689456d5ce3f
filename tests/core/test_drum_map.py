"""Keys are drums by General MIDI's map where a model has them, and every key is some class."""

from __future__ import annotations

import pytest

from synthhost.core.drum_map import DRUM_KEYS, class_of_key

CLASSES = ("kick", "snare", "closed-hat")


@pytest.mark.parametrize(("key", "name"), [(36, "kick"), (35.0, "kick"), (38, "snare"), (42.2, "closed-hat")])
def test_a_key_is_the_drum_that_it_is_in_general_midi(key: float, name: str) -> None:
    assert CLASSES[class_of_key(key, CLASSES)] == name


def test_every_key_is_some_class_and_no_key_is_two_drums() -> None:
    assert {class_of_key(key, CLASSES) for key in range(128)} == {0, 1, 2}
    keys = [key for each in DRUM_KEYS.values() for key in each]
    assert len(set(keys)) == len(keys)
