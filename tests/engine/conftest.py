"""Voices of exactly known sound: a sine per model, levels per frame, an echo that glides once a block."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.errors import SourceError
from synthhost.core.messages import Event
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.engine.buses import Bus
from synthhost.engine.clip_voice import ClipVoice
from synthhost.engine.loading import Job, Loaded, Prepared, StemsJob, TapeJob, VoiceJob
from synthhost.engine.renderer import Renderer
from synthhost.engine.sounding import RateConverter
from synthhost.engine.track import Track
from synthhost.engine.voice import Voice
from synthhost.schedule.queue import EventQueue
from synthhost.sources.clip import ClipSource

RATE = 8000
HOP = 5
LEVEL = ParamSpec("level", "", 0.0, 1.0, 0.5, "Amplitude of the sine.")
GAIN = ParamSpec("fx.0.gain", "", 0.0, 2.0, 1.0, "Gain before the echo.")
ECHO_SAMPLES = 700


def mel_spec(bands: int) -> MelSpec:
    return MelSpec("fake", RATE, 16, HOP, 16, bands, 0.0, RATE / 2, "ln", 1e-5)


class Tape:
    """A tape that is one number, added to the level."""

    def __init__(self, path: str) -> None:
        self.value = (sum(path.encode()) % 7) / 20.0


class Source:
    """Frames whose first band is the level, in steps, and whose second is a pushed one."""

    kind = "fake"
    params = (LEVEL,)

    def __init__(self, bands: int) -> None:
        self.tapes: dict[str, Tape | None] = {"a": Tape("first"), "b": None}
        self.level = LEVEL.default
        self.frame = 0
        self.pushed: deque[Features] = deque()

    @property
    def place(self) -> float:
        return self.frame / 1e4

    def set_param(self, name: str, value: float) -> None:
        assert name == "level"
        self.level = value

    jump_param = set_param

    def put_tape(self, slot: str, tape: Tape) -> None:
        self.tapes[slot] = tape

    def push(self, index: int | None, frames: Features) -> None:
        self.pushed.extend(frames[:, at] for at in range(frames.shape[1]))

    def counters(self) -> dict[str, int]:
        return {"missing": 1, "starved": 2}

    def next_frames(self, out: Features) -> None:
        tape = self.tapes["a"]
        assert tape is not None
        for at in range(out.shape[1]):
            pushed = float(self.pushed.popleft()[0]) if self.pushed else 0.0
            out[:, at] = min(self.level + tape.value + pushed, 1.0)
            self.frame += 1


class Runner:
    """A sine whose amplitude is the frame's first band; `look_ahead` samples are held back.

    Nothing comes before frame `starts_at` is there, as where a network mirrors its first frames.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        bands, self.look_ahead = model.get("bands", 2), model.get("look_ahead", 7)
        self.omega = model.get("omega", 0.05)
        self.bad_from = model.get("bad_from", -1)
        self.starts_at = model.get("starts_at", 0)
        burst = max(0, (self.starts_at - 1) * HOP - self.look_ahead)
        facts = (RATE, HOP, bands, self.look_ahead, 3, mel_spec(bands), "0" * 64, burst)
        self.spec = ModelSpec(str(model), "fake", *facts)

    controls: tuple[ParamSpec, ...] = ()

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> dict[str, Any]:
        return {"made": 0, "waiting": np.zeros(0, dtype=np.float32)}

    def step(self, frames: Features, state: dict[str, Any], out: Audio) -> int:
        fresh = self.sound(state["made"], np.repeat(frames[0, 0], HOP))
        state["made"] += fresh.size
        state["waiting"] = np.concatenate((state["waiting"], fresh))
        started = state["made"] >= self.starts_at * HOP
        ready = max(state["waiting"].size - self.look_ahead, 0) if started else 0
        out[0, :ready] = state["waiting"][:ready]
        state["waiting"] = state["waiting"][ready:]
        return ready

    def sound(self, first: int, levels: Audio) -> Audio:
        n = np.arange(first, first + levels.size)
        sine = (levels * np.sin(self.omega * n)).astype(np.float32)
        if self.bad_from >= 0:
            sine[(n >= self.bad_from) & (n < self.bad_from + 10)] = np.nan
        return sine


class ClipRunner(Runner):
    """Clips of so many frames whose sines begin anew with each; what is held back comes at the end.

    A frame's first band is the level, so a clip is its vector's first number times the sine.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        super().__init__(model)
        self.steps: list[int] = []  # frames of each, 0 for an end
        frames = model.get("frames", 6)
        self.spec = replace(self.spec, mel=None, receptive_frames=3, clip_frames=frames, prior="uniform")

    def step(self, frames: Features, state: dict[str, Any], out: Audio) -> int:
        self.steps.append(frames.shape[2])
        return super().step(frames, state, out)

    def flush(self, state: dict[str, Any], out: Audio) -> int:
        self.steps.append(0)
        waiting = state.pop("waiting")
        out[0, : waiting.size] = waiting
        return int(waiting.size)


class Straight:
    """A rate converter between equal rates."""

    delay_ms = 0.0

    def needed(self, n_out: int) -> int:
        return n_out

    def take(self, n_out: int, samples: Audio) -> Audio:
        return samples

    def reset(self) -> None:
        """There is nothing to forget."""

    def copy(self) -> Straight:
        return self


class Echo:
    """`y[n] = g x[n] + 0.5 x[n - 700]`; the gain goes half of its way once a block."""

    latency_samples = 0

    def __init__(self, with_gain: bool = True) -> None:
        self.params = (GAIN,) if with_gain else ()
        self.gain = self.target = 1.0
        self.resets = 0
        self.past = np.zeros((2, ECHO_SAMPLES), dtype=np.float32)

    def set_param(self, name: str, value: float) -> None:
        assert name == "fx.0.gain"
        self.target = value

    def process(self, block: Audio) -> Audio:
        self.gain += 0.5 * (self.target - self.gain)
        heard = np.concatenate((self.past, block), axis=1)
        self.past = heard[:, block.shape[1] :].copy()
        return np.float32(self.gain) * block + np.float32(0.5) * heard[:, : block.shape[1]]

    def reset(self) -> None:
        self.past[:] = 0.0
        self.resets += 1


class Dry(Echo):
    """No effects at all."""

    def __init__(self) -> None:
        super().__init__(with_gain=False)

    def process(self, block: Audio) -> Audio:
        return block


class Through:
    """A limiter that leaves everything as it is."""

    latency_samples = 0
    bad_samples = 0
    reduction_db = 0.0

    def process(self, block: Audio) -> Audio:
        return block


class Stems:
    """Stems kept in memory."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.drops = 0
        self.error: str | None = None
        self.begun = self.ended = -1
        self.closed = False
        self.blocks: dict[str, list[Audio]] = {}

    def begin(self, start_sample: int) -> None:
        self.begun = start_sample

    def write(self, name: str, block: Audio) -> None:
        self.blocks.setdefault(name, []).append(block.copy())

    def end(self, end_sample: int) -> None:
        self.ended = end_sample

    def close(self) -> None:
        self.closed = True

    def whole(self, name: str) -> Audio:
        return np.concatenate(self.blocks[name], axis=1)


def prepare(
    body: dict[str, Any], live: dict[str, float] | None = None, converter: RateConverter | None = None
) -> Prepared:
    """Build a voice: `{"name", "model": {...}, "level", "echo": bool, "chunk"}`, of clips with `"clips"`."""
    if "clips" in body:
        return prepare_clips(body, live, converter)
    source = Source(body.get("model", {}).get("bands", 2))
    values = {"level": LEVEL.default, **(live or {})} | ({"level": body["level"]} if "level" in body else {})
    source.set_param("level", values["level"])
    effects = Echo() if body.get("echo") else Dry()
    voice = Voice(
        source, Runner(body.get("model", {})), body.get("chunk", 3), converter or Straight(), effects
    )
    specs = {spec.name: spec for spec in voice.params}
    kept = {name: spec.default for name, spec in specs.items()} | {"level": values["level"]}
    if live is not None:
        voice.warm_up(64)
    return Prepared(body["name"], body, voice, kept, specs)


def prepare_clips(
    body: dict[str, Any], live: dict[str, float] | None = None, converter: Any = None
) -> Prepared:
    """Build a voice of clips; `"clips"` holds what its parameters stand at."""
    runner = ClipRunner(body.get("model", {}))
    rate_in, rate_out = (getattr(converter, name, RATE) for name in ("rate_in", "rate_out"))
    runner.spec = replace(runner.spec, sample_rate=rate_in)
    source = ClipSource(runner.spec, seed=7)
    effects = Echo() if body.get("echo") else Dry()
    voice = ClipVoice(source, runner, body.get("chunk", 1), converter or Straight(), effects, rate_out)
    specs = {spec.name: spec for spec in voice.params}
    values = {name: spec.default for name, spec in specs.items()}
    values |= {name: value for name, value in (live or {}).items() if name in specs} | body["clips"]
    for param in source.params:
        source.jump_param(param.name, values[param.name])
    if live is not None:
        voice.warm_up(64)
    return Prepared(body["name"], body, voice, values, specs)


class Loader:
    """Does a job at once, or only after so many more calls of `finished`."""

    def __init__(self, patience: int = 0) -> None:
        self.patience = patience
        self.jobs: list[Job] = []
        self.retired: list[Any] = []
        self.stems: list[Stems] = []
        self._waiting: deque[tuple[Job, int]] = deque()
        self._calls = 0

    def ask(self, job: Job) -> None:
        self.jobs.append(job)
        self._waiting.append((job, self._calls))

    def finished(self) -> Loaded | None:
        self._calls += 1
        if not self._waiting or self._calls - self._waiting[0][1] <= self.patience:
            return None
        return self.carry_out(self._waiting.popleft()[0])

    def retire(self, thing: Any) -> None:
        self.retired.append(thing)

    def carry_out(self, job: Job) -> Loaded:
        if isinstance(job, StemsJob):
            self.stems.append(Stems(job.folder))
            return Loaded(job.ticket, self.stems[-1])
        if isinstance(job, TapeJob):
            return Loaded(job.ticket, Tape(job.path), None, {"sounds": {job.path: "1"}})
        assert isinstance(job, VoiceJob)
        if job.body.get("broken"):
            return Loaded(job.ticket, None, SourceError("the sound cannot be read"))
        return Loaded(job.ticket, prepare(job.body, job.values), None, {"model": job.body["name"]})


class Bench:
    """A renderer with everything around it at hand."""

    def __init__(
        self,
        bodies: dict[str, dict[str, Any]],
        *,
        patience: int = 0,
        self_activating: bool = True,
        block_samples: int = 64,
        capacity: int = 1000,
    ) -> None:
        self.loader = Loader(patience)
        self.events: list[Event] = []
        self.block_samples = block_samples
        self.queue = EventQueue(100_000, capacity)
        tracks = [
            Track(name, index, prepare(body), self.loader, RATE)
            for index, (name, body) in enumerate(bodies.items())
        ]
        self.renderer = Renderer(
            tracks,
            Bus(Through(), RATE, block_samples),
            Bus(Through(), RATE, block_samples),
            self.queue,
            self.loader,
            self.events.append,
            sample_rate=RATE,
            block_samples=block_samples,
            self_activating=self_activating,
        )

    def render(self, samples: int) -> Audio:
        """Return the next `[4, samples]`, a whole number of blocks."""
        assert samples % self.block_samples == 0
        blocks = []
        for _ in range(samples // self.block_samples):
            block = np.full((4, self.block_samples), 9.0, dtype=np.float32)
            self.renderer.render(block)
            blocks.append(block)
        return np.concatenate(blocks, axis=1)

    def send(self, *commands: Any) -> None:
        self.renderer.receive(commands)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def alone(self, body: dict[str, Any], samples: int) -> Audio:
        """Return what a voice sounds like from its first sample on, `[samples]`, before effects."""
        prepared = prepare(body)
        wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
        prepared.voice.render(wet, dry)
        return dry


@pytest.fixture(scope="session")
def bench() -> Callable[..., Bench]:
    """Give what makes a renderer of fake voices, by track name."""
    return Bench


@pytest.fixture(scope="session")
def make_voice() -> Callable[..., Prepared]:
    """Give what makes one fake voice."""
    return prepare


@pytest.fixture(scope="session")
def make_loader() -> Callable[..., Loader]:
    return Loader


@pytest.fixture(scope="session")
def largest_step() -> Callable[[Audio], float]:
    """Give the largest difference between neighbouring samples, `[..., samples]`."""
    return lambda sound: float(np.abs(np.diff(sound, axis=-1)).max())
