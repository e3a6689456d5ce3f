"""Playback: the ring to the bit, gaps without a step, time that goes on, every loss counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.board import STATUS_FIELDS, StatusPage
from synthhost.core.region import Region
from synthhost.core.rings import AudioRing
from synthhost.sinks.playback import Playback

RATE = 8000
BLOCK, AHEAD = 64, 192
CAPACITY = 3 * RATE
OMEGA, LEVEL = 0.05, 0.8
FADE_SAMPLES = 256
OWN_STEP = LEVEL * OMEGA
LARGEST_STEP = OWN_STEP + 2 * LEVEL * np.pi / (2 * FADE_SAMPLES)  # of a fade out and a fade in at once


def material(first: int, samples: int) -> Audio:
    """Return the stream's samples, `[4, samples]`: sines, the right channel turned over."""
    sine = (LEVEL * np.sin(OMEGA * np.arange(first, first + samples))).astype(np.float32)
    return np.stack([sine, -sine, 0.5 * sine, np.zeros_like(sine)])


class Show:
    """An engine that writes when it is told to, and a sink that is called when it is told to."""

    def __init__(self, folder: Path, ready: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in ("audio", "status"):
            (folder / old).unlink(missing_ok=True)
        Region.create(folder / "audio", AudioRing.size_bytes(4, CAPACITY))
        Region.create(folder / "status", STATUS_FIELDS.itemsize)
        self.ring = AudioRing(Region.open(folder / "audio"), 4)
        self.status = StatusPage(Region.open(folder / "status"))
        self.status["ahead_samples"] = AHEAD
        self.status["engine_ready"] = ready
        self.playback = self.sink()

    def sink(self) -> Playback:
        return Playback(self.ring, self.status, RATE)

    def write(self, samples: int) -> None:
        for at in range(0, samples, BLOCK):
            count = min(BLOCK, samples - at)
            self.ring.write(material(self.ring.write_sample, count))

    def keep_ahead(self) -> None:
        """Write as the engine does: up to `AHEAD` before the sink."""
        while self.ring.write_sample + BLOCK <= self.ring.read_sample + AHEAD:
            self.write(BLOCK)

    def play(self, samples: int, channels: int = 4) -> Audio:
        """Return what one call of the sink gives, `[channels, samples]`."""
        out = np.full((samples, channels), 9.0, dtype=np.float32)
        self.playback.fill(out)
        return out.T.copy()

    def counts(self) -> tuple[int, int, int]:
        """Return underruns, concealed samples and resyncs."""
        return tuple(int(self.status[name]) for name in ("underruns", "concealed_samples", "resyncs"))


@pytest.fixture
def show(tmp_path: Path) -> Show:
    return Show(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    return Path(tmp_path_factory.mktemp("rings"))


def largest_step(sound: Audio) -> float:
    return float(np.abs(np.diff(sound, axis=1)).max())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, AHEAD - BLOCK), min_size=1, max_size=30))
def test_without_gaps_the_output_is_the_ring_from_its_first_sample(folder: Path, calls: list[int]) -> None:
    show = Show(folder)
    heard = []
    for samples in calls:
        show.keep_ahead()
        heard.append(show.play(samples))
    whole = np.concatenate(heard, axis=1)
    np.testing.assert_array_equal(whole, material(0, whole.shape[1]))
    assert show.counts() == (0, 0, 0)
    assert show.ring.read_sample == show.status["sink_sample"] == whole.shape[1]


def test_before_the_engine_is_ready_there_is_silence_and_no_time(tmp_path: Path) -> None:
    show = Show(tmp_path, ready=0)
    show.write(AHEAD)
    assert not show.play(100).any()
    assert show.ring.read_sample == 0
    assert not show.playback.begun
    show.status["engine_ready"] = 1
    np.testing.assert_array_equal(show.play(100), material(0, 100))
    assert show.playback.begun
    assert show.counts() == (0, 0, 0)


@pytest.mark.parametrize("gap_samples", [1, 30, 255, 256, 1000, 3900])
@pytest.mark.parametrize("call_samples", [17, 64, 700])
def test_a_gap_has_no_step_and_shifts_nothing(show: Show, gap_samples: int, call_samples: int) -> None:
    show.write(1000)
    heard = [show.play(1000), show.play(gap_samples)]
    show.write(gap_samples + 3000)
    heard += [show.play(call_samples) for _ in range(3000 // call_samples)]
    whole = np.concatenate(heard, axis=1)
    assert largest_step(whole) <= LARGEST_STEP
    assert np.abs(whole).max() <= LEVEL
    np.testing.assert_array_equal(whole[:, :1000], material(0, 1000))
    back = 1000 + gap_samples + FADE_SAMPLES
    after = slice(back, whole.shape[1])
    np.testing.assert_array_equal(whole[:, after], material(0, whole.shape[1])[:, after])
    assert not whole[:, 1000 + FADE_SAMPLES : 1000 + gap_samples].any()
    assert show.counts() == (1, gap_samples, 0)


def test_what_conceals_a_gap_begins_with_what_was_played(show: Show) -> None:
    show.write(1000)
    show.play(1000)
    tail = show.play(100)
    mirrored = material(0, 1000)[:, ::-1][:, :100]
    assert np.abs(tail - mirrored).max() < LEVEL * 100**2 * (np.pi / FADE_SAMPLES) ** 2 / 4 + 1e-6
    assert np.abs(tail[0, 20:]).max() > 0.3


def test_a_gap_within_the_fades_of_another_has_no_step(show: Show) -> None:
    show.write(500)
    heard = [show.play(500)]
    for pause, samples in ((40, 30), (5, 100), (1, 1), (300, 260), (10, 2000)):
        heard.append(show.play(pause))
        show.write(show.playback._position - show.ring.write_sample + samples)
        heard.append(show.play(samples))
    whole = np.concatenate(heard, axis=1)
    assert largest_step(whole) <= LARGEST_STEP
    assert np.abs(whole).max() <= LEVEL
    assert show.counts() == (5, 356, 0)


def test_a_long_gap_is_taken_up_once_where_the_engine_then_stands(show: Show) -> None:
    show.write(1000)
    heard = [show.play(1000)]
    heard += [show.play(100) for _ in range(60)]  # three quarters of a second
    assert show.counts()[::2] == (1, 1)
    assert show.ring.read_sample == 1000
    show.write(AHEAD - 1)
    assert not show.play(100).any()
    show.write(65)
    heard.append(show.play(200))
    show.write(2000)
    heard.append(show.play(1000))
    whole = np.concatenate(heard, axis=1)
    assert largest_step(whole) <= LARGEST_STEP
    np.testing.assert_array_equal(heard[-1][:, 56:], material(1200, 1000)[:, 56:])
    assert show.counts()[::2] == (1, 1)
    assert show.ring.read_sample == 2200


@pytest.mark.parametrize("stood_still_samples", [RATE, 2 * CAPACITY])
def test_a_sink_that_stood_still_catches_up_once(show: Show, stood_still_samples: int) -> None:
    show.write(1000)
    heard = [show.play(900)]
    show.write(stood_still_samples)
    heard.append(show.play(100))
    assert show.ring.read_sample == 1000 + stood_still_samples - AHEAD + 100
    show.write(2000)
    heard.append(show.play(1000))
    assert show.counts() == (0, 0, 1)
    assert largest_step(np.concatenate(heard, axis=1)) <= LARGEST_STEP
    begun = stood_still_samples + 1100 - AHEAD
    np.testing.assert_array_equal(heard[-1][:, 156:], material(begun, 1000)[:, 156:])


def test_the_end_of_the_stream_is_no_gap(show: Show) -> None:
    show.write(1000)
    show.status["engine_ready"] = 2
    whole = np.concatenate([show.play(300) for _ in range(40)], axis=1)
    np.testing.assert_array_equal(whole[:, :1000], material(0, 1000))
    assert largest_step(whole) <= LARGEST_STEP
    assert not whole[:, 1000 + FADE_SAMPLES :].any()
    assert show.counts()[:2] == (0, 0)


def test_a_sink_started_again_fades_in_near_the_engine(show: Show) -> None:
    show.write(2000)
    show.play(1900)
    show.write(1500)
    show.playback = show.sink()
    assert not show.playback.begun
    heard = show.play(150)
    assert abs(heard[0, 0]) <= 2 * np.pi / FADE_SAMPLES
    assert largest_step(heard) <= LARGEST_STEP
    show.write(600)
    np.testing.assert_array_equal(show.play(300)[:, 106:], material(3500 - AHEAD + 150, 300)[:, 106:])
    assert show.counts() == (0, 0, 0)


def test_a_first_sink_that_comes_late_does_not_play_the_past(show: Show) -> None:
    show.write(2 * CAPACITY)
    show.playback = show.sink()
    show.play(64)
    assert show.ring.read_sample == 2 * CAPACITY - AHEAD + 64


def test_any_number_of_device_channels_is_served(show: Show) -> None:
    show.write(500)
    np.testing.assert_array_equal(show.play(50, 2), material(0, 50)[:2])
    wide = show.play(50, 6)
    np.testing.assert_array_equal(wide[:4], material(50, 50))
    assert not wide[4:].any()
    mono = show.play(50, 1)
    assert not mono.any()  # left and right cancel in this material
    assert show.play(50, 3).shape == (3, 50)
    assert show.ring.read_sample == 200


def test_one_channel_hears_both_sides(show: Show) -> None:
    show.ring.write(np.tile(np.float32([[0.5], [0.25], [0], [0]]), 64))
    np.testing.assert_array_equal(show.play(64, 1), np.float32(0.375))


@pytest.mark.parametrize("samples", [0, 1, 16384, 20_000])
def test_a_call_may_have_any_size(show: Show, samples: int) -> None:
    show.write(20_000)
    show.status["ahead_samples"] = 20_000
    np.testing.assert_array_equal(show.play(samples), material(0, samples))
    assert show.counts() == (0, 0, 0)


turns = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 3000)),
        st.tuples(st.just("play"), st.integers(0, 3000)),
        st.tuples(st.just("play"), st.integers(1, 90)),
        st.tuples(st.just("keep"), st.just(0)),
        st.tuples(st.just("reach"), st.integers(1, 120)),
        st.tuples(st.just("reach and play"), st.integers(1, 120)),
        st.tuples(st.just("stall"), st.integers(1, 9 * RATE)),
        st.tuples(st.just("again"), st.just(0)),
        st.tuples(st.just("end"), st.just(0)),
    ),
    min_size=12,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(turns)
def test_no_schedule_makes_a_step_or_an_error(folder: Path, script: list[tuple[str, int]]) -> None:
    show = Show(folder)
    show.write(600)
    heard = [show.play(500)]
    for what, samples in script:
        if what == "play":
            heard.append(show.play(samples))
        elif what == "write":
            show.write(samples)
        elif what.startswith("reach"):  # a little beyond where the sink stands
            show.write(max(show.ring.read_sample + samples - show.ring.write_sample, 0))
            if what == "reach and play":
                heard.append(show.play(samples))
        elif what == "stall":
            show.write(samples)
        elif what == "keep":
            show.keep_ahead()
        elif what == "end":
            show.status["engine_ready"] = 2
        else:
            check(heard)
            heard = []  # another process: what was in the air at its death is cut
            show.playback = show.sink()
    check(heard)


def check(heard: list[Audio]) -> None:
    """Assert that what one sink played has no step and is no louder than the material."""
    if heard:
        whole = np.concatenate((np.zeros((4, 1), dtype=np.float32), *heard), axis=1)
        assert np.isfinite(whole).all()
        assert np.abs(whole).max() <= LEVEL * (1 + 1e-6)
        assert whole.shape[1] == 1 or largest_step(whole) <= LARGEST_STEP


class Watched:
    """A status page that notes what a reader sees of the sink's clock after every single write."""

    def __init__(self, page: StatusPage) -> None:
        self.page = page
        self.seen: list[tuple[int, int]] = []

    def __getitem__(self, name: str) -> Any:
        return self.page[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.page[name] = value
        self.seen.append((int(self.page["sink_clock_ns"]), int(self.page["sink_sample"])))


def test_a_clock_is_never_seen_with_another_calls_sample(show: Show) -> None:
    watched = Watched(show.status)
    playback = Playback(show.ring, watched, RATE)  # type: ignore[arg-type]
    for _ in range(5):
        show.keep_ahead()
        playback.fill(np.zeros((BLOCK, 4), dtype=np.float32))
    samples_of: dict[int, set[int]] = {}
    for clock_ns, sample in watched.seen:
        samples_of.setdefault(clock_ns, set()).add(sample)
    samples_of.pop(0)  # says itself that the two do not belong together
    assert len(samples_of) == 5
    assert all(len(samples) == 1 for samples in samples_of.values())
