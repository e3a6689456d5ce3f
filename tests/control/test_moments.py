from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from synthhost.control.moments import HORIZON_S, Moments, TimeOptions
from synthhost.core.board import STATUS_FIELDS, StatusPage
from synthhost.core.errors import OscError
from synthhost.core.messages import NOW
from synthhost.core.region import Region
from synthhost.core.timebase import IMMEDIATELY, ClockMap, unix_to_ntp

RATE = 48_000
UNIX_S = 1.7e9


@dataclass
class Clocks:
    monotonic_s: float = 500.0

    def unix_s(self) -> float:
        return UNIX_S + self.monotonic_s


@pytest.fixture
def status(tmp_path: Path) -> StatusPage:
    page = StatusPage(Region.create(tmp_path / "status", STATUS_FIELDS.itemsize))
    page["sample"] = 9_000
    page["ahead_samples"] = 512
    return page


def moments(status: StatusPage, clocks: Clocks, options: TimeOptions | None = None) -> Moments:
    return Moments(
        status, ClockMap(RATE), options or TimeOptions(), lambda: clocks.monotonic_s, clocks.unix_s
    )


def with_sink(status: StatusPage, made: Moments, clocks: Clocks, sample: int) -> Moments:
    status["sink_sample"] = sample
    status["sink_clock_ns"] = int(clocks.monotonic_s * 1e9)
    made.observe()
    return made


def test_a_tag_lands_where_the_engine_renders_at_that_moment(status: StatusPage) -> None:
    clocks = Clocks()
    made = with_sink(status, moments(status, clocks), clocks, 24_000)
    tag = unix_to_ntp(clocks.unix_s() + 0.25)
    assert made.at_sample(tag, clocks.monotonic_s) == pytest.approx(24_000 + 512 + 12_000, abs=1)


def test_a_tag_in_the_past_keeps_its_sample_and_never_reads_as_now(status: StatusPage) -> None:
    clocks = Clocks()
    made = with_sink(status, moments(status, clocks), clocks, 24_000)
    tag = unix_to_ntp(clocks.unix_s() - 0.1)
    assert made.at_sample(tag, clocks.monotonic_s) == pytest.approx(24_000 + 512 - 4_800, abs=1)
    assert made.at_sample(unix_to_ntp(clocks.unix_s() - 100), clocks.monotonic_s) == 0 != NOW


def test_immediately_is_now(status: StatusPage) -> None:
    assert moments(status, Clocks()).at_sample(IMMEDIATELY, 500.0) == NOW


def test_an_arrival_delay_counts_from_the_arrival(status: StatusPage) -> None:
    clocks = Clocks()
    made = with_sink(status, moments(status, clocks, TimeOptions(arrival_delay_ms=10.0)), clocks, 24_000)
    assert made.at_sample(IMMEDIATELY, clocks.monotonic_s - 0.002) == 24_000 + 512 - 96 + 480


def test_ignored_tags_are_taken_as_immediate(status: StatusPage) -> None:
    clocks = Clocks()
    made = moments(status, clocks, TimeOptions(timetags="ignore"))
    assert made.at_sample(unix_to_ntp(clocks.unix_s() + 1e6), clocks.monotonic_s) == NOW


def test_an_hour_ahead_is_taken_and_beyond_the_horizon_is_not(status: StatusPage) -> None:
    clocks = Clocks()
    made = with_sink(status, moments(status, clocks), clocks, 0)
    ahead = made.at_sample(unix_to_ntp(clocks.unix_s() + 3600), clocks.monotonic_s)
    assert ahead == pytest.approx(3600 * RATE + 512, abs=1)
    with pytest.raises(OscError, match="clock right"):
        made.at_sample(unix_to_ntp(clocks.unix_s() + HORIZON_S + 1), clocks.monotonic_s)
    with pytest.raises(OscError, match="ahead"):
        made.at_sample((1 << 64) - 1, clocks.monotonic_s)


def test_without_a_sink_time_counts_from_where_the_engine_stands(status: StatusPage) -> None:
    clocks = Clocks()
    made = moments(status, clocks)
    assert made.at_sample(unix_to_ntp(clocks.unix_s() + 1.0), clocks.monotonic_s) == pytest.approx(
        57_000, abs=1
    )
