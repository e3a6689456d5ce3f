"""Loaders: every job is answered, and what is let go is freed beside the render thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.core.errors import SourceError, SynthhostError
from synthhost.engine.loading import Loaded, StemsJob, TapeJob, VoiceJob
from synthhost.host.loader import ImmediateLoader, ThreadedLoader, Workshop

PATIENCE_S = 20.0


class Factory:
    """Builds names instead of voices."""

    def __init__(self) -> None:
        self.streams: list[int] = []

    def build(
        self, body: dict[str, Any], stream: int, values: dict[str, float], *, kept: bool = False
    ) -> str:
        self.streams.append(stream)
        if "error" in body:
            raise body["error"]
        return f"voice {body['name']} at {values}"

    def details(self, prepared: str) -> dict[str, Any]:
        return {"made": prepared[:7]}

    def tape(self, path: str, mel: Any, sha256: str | None) -> str:
        return f"tape {path}"

    def sounds_of(self, path: str) -> dict[str, str]:
        return {path: "0" * 64}


class Thing:
    """Something that is closed when it is let go."""

    def __init__(self) -> None:
        self.closed_by: queue.Queue[str] = queue.Queue()

    def close(self) -> None:
        self.closed_by.put(threading.current_thread().name)


def open_stems(folder: str, format_name: str) -> Any:
    if folder == "/full":
        raise OSError("disk")
    return SimpleNamespace(folder=folder, format=format_name)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop(Factory(), open_stems)  # type: ignore[arg-type]


def test_each_job_comes_to_what_it_asked_for(workshop: Workshop) -> None:
    voice = workshop.carry_out(VoiceJob(3, {"name": "x"}, {"level": 0.5}))
    assert voice == Loaded(3, "voice x at {'level': 0.5}", None, {"made": "voice x"})
    tape = workshop.carry_out(TapeJob(4, None, "a.wav"))  # type: ignore[arg-type]
    assert tape == Loaded(4, "tape a.wav", None, {"sounds": {"a.wav": "0" * 64}})
    assert workshop.carry_out(StemsJob(5, "/takes/1", "flac")).result.format == "flac"


def test_what_goes_wrong_is_the_answer(workshop: Workshop) -> None:
    told = SourceError("a.wav: gone")
    assert workshop.carry_out(VoiceJob(1, {"error": told}, {})).error is told
    surprise = workshop.carry_out(VoiceJob(2, {"error": ZeroDivisionError("oh")}, {})).error
    assert isinstance(surprise, SynthhostError)
    assert "ZeroDivisionError" in str(surprise)
    assert "disk" in str(workshop.carry_out(StemsJob(3, "/full", "flac")).error)


def test_voices_of_different_tickets_draw_different_noise(workshop: Workshop) -> None:
    for ticket in (1, 2):
        workshop.carry_out(VoiceJob(ticket, {"name": "x"}, {}))
    streams = workshop.factory.streams  # type: ignore[attr-defined]
    assert len(set(streams)) == 2
    assert min(streams) > 32  # the set's own tracks come first


def test_the_immediate_loader_has_done_it_when_asked(workshop: Workshop) -> None:
    loader, thing = ImmediateLoader(workshop), Thing()
    assert loader.finished() is None
    for ticket in (1, 2):
        loader.ask(VoiceJob(ticket, {"name": "x"}, {}))
    assert [loader.finished().ticket, loader.finished().ticket] == [1, 2]  # type: ignore[union-attr]
    assert loader.finished() is None
    loader.retire(thing)
    assert thing.closed_by.get_nowait() == threading.current_thread().name


def wait_for_idle_turns(idle: threading.Event) -> None:
    """Return when every job asked for is done: the first turn may have begun before they were asked for."""
    for _ in range(2):
        idle.clear()
        assert idle.wait(PATIENCE_S)


def test_the_threaded_loader_answers_in_order(workshop: Workshop) -> None:
    idle = threading.Event()
    loader = ThreadedLoader(workshop, idle.set)
    for ticket in range(20):
        loader.ask(VoiceJob(ticket, {"name": "x"}, {}))
    wait_for_idle_turns(idle)
    done = []
    while (loaded := loader.finished()) is not None:
        done.append(loaded.ticket)
    loader.stop()
    assert done == list(range(20))


def test_the_threaded_loader_ends_with_the_job_it_is_at(workshop: Workshop) -> None:
    going_on, begun = threading.Event(), []
    loader = ThreadedLoader(workshop, lambda: None, lambda job: begun.append(job.ticket))
    held = Held(lambda: going_on.wait(PATIENCE_S))
    recording = Thing()
    recording.closed_by.put = lambda _: going_on.set()  # type: ignore[method-assign]
    loader.ask(VoiceJob(0, held, {}))  # type: ignore[arg-type]
    for ticket in range(1, 400):
        loader.ask(VoiceJob(ticket, {"name": "x"}, {}))
    assert held.going.wait(PATIENCE_S)
    loader.retire(recording)
    loader.stop()  # the job goes on until the recording is closed
    assert going_on.is_set()
    assert begun == [0]
    assert loader.finished() is None


def test_stems_that_nobody_fetched_are_closed_at_the_end() -> None:
    opening, stems = threading.Event(), Thing()

    def open_late(*_: str) -> Thing:
        opening.set()
        return stems

    loader = ThreadedLoader(Workshop(Factory(), open_late), lambda: None)  # type: ignore[arg-type]
    loader.ask(StemsJob(1, "/takes/1", "flac"))
    assert opening.wait(PATIENCE_S)
    loader.stop()  # waits for what is being opened
    assert stems.closed_by.qsize() == 1


def test_a_take_begins_while_a_voice_is_still_being_made() -> None:
    making, idle, opened = threading.Event(), threading.Event(), queue.SimpleQueue[str]()
    before = set(threading.enumerate())

    def open_and_tell(folder: str, format_name: str) -> Any:
        opened.put(threading.current_thread().name)
        return open_stems(folder, format_name)

    loader = ThreadedLoader(Workshop(Factory(), open_and_tell), idle.set)  # type: ignore[arg-type]
    slow = Held(lambda: making.wait(PATIENCE_S))
    loader.ask(VoiceJob(1, slow, {}))  # type: ignore[arg-type]
    assert slow.going.wait(PATIENCE_S)
    for ticket, folder in enumerate(("/full", "/takes/1", "/takes/2"), start=2):
        loader.ask(StemsJob(ticket, folder, "flac"))
    assert {opened.get(timeout=PATIENCE_S) for _ in range(3)} == {"stems-opener"}
    refused, take = loader.finished(), loader.finished()  # both were done before the third was begun
    assert refused is not None
    assert "disk" in str(refused.error)
    assert take is not None
    assert (take.ticket, take.result.folder) == (3, "/takes/1")
    making.set()
    wait_for_idle_turns(idle)
    done = [loader.finished(), loader.finished()]
    assert sorted(one.ticket for one in done if one is not None) == [1, 4]
    loader.stop()
    assert set(threading.enumerate()) <= before, "both threads have ended"


class Sulking:
    """Something that cannot be closed."""

    def close(self) -> None:
        raise OSError("disk")


def test_no_error_beside_a_job_ends_the_loader_and_each_is_told_once(workshop: Workshop) -> None:
    told: queue.Queue[str] = queue.Queue()
    turns: queue.Queue[None] = queue.Queue()

    def idle() -> None:
        turns.put(None)
        raise ZeroDivisionError("idle")

    def before(_job: Any) -> None:
        raise KeyError("before")

    loader = ThreadedLoader(workshop, idle, before, told.put)
    for _ in range(3):
        turns.get(timeout=PATIENCE_S)
    assert "ZeroDivisionError" in told.get(timeout=PATIENCE_S)
    assert told.empty(), "the same sentence is given once"
    loader.ask(VoiceJob(7, {"name": "x"}, {}))
    assert "KeyError" in told.get(timeout=PATIENCE_S)
    sulking, thing = Sulking(), Thing()
    loader.retire(sulking)
    loader.retire(thing)
    assert thing.closed_by.get(timeout=PATIENCE_S) == "loader"
    assert any("disk" in told.get(timeout=PATIENCE_S) for _ in range(2))
    loaded = loader.finished()
    loader.stop()
    assert loaded is not None
    assert loaded.ticket == 7


def test_what_is_retired_is_let_go_on_the_loaders_thread(workshop: Workshop) -> None:
    loader, things = ThreadedLoader(workshop, lambda: None), [Thing(), Thing()]
    loader.retire("what has nothing to close")
    loader.retire(things[0])
    assert things[0].closed_by.get(timeout=PATIENCE_S) == "loader"
    loader.retire(things[1])
    loader.stop()
    assert things[1].closed_by.qsize() == 1


class Held:
    """A preset whose building waits for something."""

    def __init__(self, wait: Callable[[], object]) -> None:
        self.wait = wait
        self.going = threading.Event()

    def __contains__(self, _key: str) -> bool:
        self.going.set()
        self.wait()
        return False

    def __getitem__(self, _key: str) -> str:
        return "held"


def test_a_flood_of_jobs_does_not_keep_retired_things_waiting(workshop: Workshop) -> None:
    retired, loader, thing, closed = threading.Event(), ThreadedLoader(workshop, lambda: None), Thing(), []
    first = Held(lambda: retired.wait(PATIENCE_S))
    last = Held(lambda: closed.append(thing.closed_by.qsize()))
    for ticket, body in enumerate((first, {"name": "x"}, {"name": "y"}, last)):
        loader.ask(VoiceJob(ticket, body, {}))  # type: ignore[arg-type]
    assert first.going.wait(PATIENCE_S)
    loader.retire(thing)
    retired.set()
    assert last.going.wait(PATIENCE_S)
    loader.stop()
    assert closed == [1]


def test_idle_turns_are_told(workshop: Workshop) -> None:
    turns: queue.Queue[str] = queue.Queue()
    loader = ThreadedLoader(workshop, lambda: turns.put(threading.current_thread().name))
    assert turns.get(timeout=PATIENCE_S) == "loader"
    loader.stop()
