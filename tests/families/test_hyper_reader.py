"""Hyper-parameters are read by name and range and refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.emphasis import Emphasis
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.mel_fitting import MelFitting
from synthhost.families.mel_input import MelPitch
from synthhost.families.noise_schedule import betas_from_json
from synthhost.families.note_input import NoteInput
from synthhost.families.wavenet_parts import Conditioning, Output

PLAIN: dict[str, Any] = {"n": 3, "list": [1, 2], "x": 0.5, "yes": True, "word": "b", "none": None}


def test_values_are_read_as_they_are_and_defaults_where_none_is() -> None:
    read = HyperReader("Net", PLAIN)
    assert (read.whole("n", 1, 9), read.whole("m", 1, 9, 7)) == (3, 7)
    assert read.wholes("list", 4, 1, 9) == (1, 2)
    assert (read.real("x", 0, 1), read.real("n", 0, 9), read.real("y", 0, 1, 0.25)) == (0.5, 3.0, 0.25)
    assert (read.flag("yes", False), read.flag("no", False)) == (True, False)
    assert (read.word("word", ("a", "b"), "a"), read.word("other", ("a", "b"), "a")) == ("b", "a")


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda read: read.whole("gone", 1, 9), r"Net gone: missing"),
        (lambda read: read.whole("none", 1, 9), r"Net none: missing"),
        (lambda read: read.whole("n", 4, 9), r"n: 3 lies outside 4 to 9"),
        (lambda read: read.whole("x", 0, 9), r"x: expected a whole number, got 0\.5"),
        (lambda read: read.whole("yes", 0, 9), r"yes: expected a whole number, got True"),
        (lambda read: read.wholes("list", 1, 1, 9), r"expected a list of 1 to 1 whole numbers"),
        (lambda read: read.wholes("n", 4, 1, 9), r"expected a list"),
        (lambda read: read.wholes("list", 4, 2, 9), r"list: 1 lies outside 2 to 9"),
        (lambda read: read.real("word", 0, 1), r"word: expected a number, got 'b'"),
        (lambda read: read.real("x", 0.6, 1), r"x: 0\.5 lies outside 0\.6 to 1"),
        (lambda read: read.flag("n", True), r"n: expected true or false, got 3"),
        (lambda read: read.word("word", ("a",), "a"), r"word: expected one of a, got 'b'"),
    ],
)
def test_what_cannot_be_used_is_refused(ask: Callable[[HyperReader], Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ask(HyperReader("Net", PLAIN))


def test_a_part_holds_no_other_keys_than_its_own() -> None:
    HyperReader("net part:", {"rounds": 3}, ("rounds", "hop"))
    with pytest.raises(ConfigError, match=r"net part: 'roundz' is not known\. Did you mean 'rounds'\?"):
        HyperReader("net part:", {"roundz": 3}, ("rounds", "hop"))
    with pytest.raises(ConfigError, match=r"net part: 'a+' is not known\. Known: hop, rounds\."):
        HyperReader("net part:", {"a" * 10**5: 3}, ("rounds", "hop"))


@pytest.mark.parametrize(
    ("read", "title"),
    [
        (NoteInput.from_json, "notes:"),
        (MelPitch.from_json, "pitch:"),
        (MelFitting.from_json, "fit:"),
        (Conditioning.from_json, "WaveNet conditioning:"),
        (Output.from_json, "WaveNet output:"),
        (lambda plain: Emphasis.from_json({"emphasis": plain}, "X"), "X emphasis:"),
        (lambda plain: betas_from_json(plain, "X betas"), "X betas:"),
    ],
)
def test_every_part_of_a_network_refuses_a_key_that_nothing_reads(
    read: Callable[[Any], Any], title: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{title} 'zzz' is not known"):
        read({"zzz": 1})


MONSTERS = [10**6000, float("nan"), float("inf"), [1] * 10**5, "x" * 10**5]


@pytest.mark.parametrize("value", MONSTERS, ids=["digits", "nan", "inf", "list", "text"])
def test_a_monstrous_value_makes_a_short_sentence(value: Any) -> None:
    read = HyperReader("Net", {"n": value})
    for ask in (read.whole, read.real):
        with pytest.raises(ConfigError) as refused:
            ask("n", 1, 9)
        assert len(str(refused.value)) < 200
