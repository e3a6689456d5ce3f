"""How far ahead the engine stays: long on an unknown machine, then as was needed, and longer before a gap."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from synthhost.host.costs import CostBook
from synthhost.host.lead import FIRST_HOLD_S, HOLD_S, LONGEST_MS, UNKNOWN_MS, Lead

BLOCK_MS = 5.0


class Show:
    """A lead that is followed, look by look."""

    def __init__(self, known_ms: float | None = None, least_ms: float = 20.0) -> None:
        self.least_ms = least_ms
        self.remembered: list[float] = []
        self.lead = Lead(lambda: self.least_ms, BLOCK_MS, known_ms, self.remembered.append)
        self.ahead_ms = self.lead.first_ms
        self.lengths = [self.ahead_ms]
        self.now_s = 0.0

    def play(self, seconds: float, used_ms: float) -> None:
        for _ in range(math.ceil(4 * seconds)):
            self.now_s += 0.25
            change = self.lead.look(self.now_s, self.ahead_ms, used_ms)
            if change is not None:
                self.ahead_ms = change[0]
                self.lengths.append(self.ahead_ms)


def test_an_unknown_machine_begins_long_and_settles_at_half_as_much_again_as_it_needed() -> None:
    show = Show()
    assert show.ahead_ms == UNKNOWN_MS
    show.play(FIRST_HOLD_S - 1.0, 12.0)
    assert show.ahead_ms == UNKNOWN_MS
    show.play(2.0, 20.0)
    assert show.ahead_ms == 40.0  # 1.5 times 20 and a block, in whole steps of 5
    show.play(20.0 * HOLD_S, 20.0)
    assert show.lengths == [UNKNOWN_MS, 40.0]


def test_what_nearly_did_not_fit_makes_it_longer_before_a_gap_is_heard() -> None:
    show = Show(known_ms=20.0)
    assert show.ahead_ms == 35.0
    show.play(0.25, 30.0)
    assert show.ahead_ms == 55.0
    show.play(HOLD_S - 2.0, 10.0)
    assert show.ahead_ms == 55.0


def test_a_late_block_makes_it_longer_by_twice_as_much_and_it_is_short_again_after_a_long_calm() -> None:
    show = Show(known_ms=20.0)
    show.play(0.25, 35.0 + 40.0)
    assert show.ahead_ms == 120.0
    show.play(10.0 * HOLD_S, 10.0)
    assert show.ahead_ms < 40.0
    assert show.lengths == [35.0, 120.0, *sorted(show.lengths[2:], reverse=True)]


def test_what_a_show_needed_is_known_to_the_next_and_forgotten_by_and_by() -> None:
    show = Show()
    show.play(FIRST_HOLD_S + 1.0, 60.0)
    assert show.remembered == [60.0]
    again = Show(known_ms=show.remembered[-1])
    assert again.ahead_ms == 95.0
    again.play(FIRST_HOLD_S + 1.0, 10.0)
    assert again.remembered == [pytest.approx(42.0)]


@pytest.mark.parametrize(
    "kept", ["NaN", "[]", "{}", '{"used_ms": null}', '{"used_ms": "NaN"}', '{"used_ms": -3}']
)
def test_what_is_no_length_is_not_remembered(tmp_path: Path, kept: str) -> None:
    book = CostBook(tmp_path / "costs.json")
    book.keep_lead(12.5)
    assert book.find_lead() == 12.5
    (name,) = json.loads((tmp_path / "costs.json").read_text())
    (tmp_path / "costs.json").write_text(f'{{"{name}": {kept}}}')
    assert book.find_lead() is None


def test_it_is_never_shorter_than_the_models_need_and_longer_at_once_when_they_need_more() -> None:
    show = Show(least_ms=150.0)
    show.play(10.0 * HOLD_S, 5.0)
    assert show.lengths == [150.0]
    show.least_ms = 180.0
    show.play(0.25, 5.0)
    assert show.lengths == [150.0, 180.0]


def test_it_grows_no_longer_than_hands_can_follow() -> None:
    show = Show(known_ms=20.0)
    show.play(0.25, 35.0 + 2.0 * LONGEST_MS)
    assert show.lengths == [35.0]
    for _ in range(20):
        show.play(2.0, min(0.9 * show.ahead_ms, LONGEST_MS))
    assert show.ahead_ms == LONGEST_MS
