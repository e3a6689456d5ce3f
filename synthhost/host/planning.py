"""From what a person asks for to a plan: set, presets, device and rate looked up and written out."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthhost.core.errors import ConfigError, DeviceError, RecordingError
from synthhost.core.options import OptionValue, without_options
from synthhost.host.places import written_out
from synthhost.host.plan import ADMISSIONS, WARN, Plan, SinkPlan
from synthhost.host.recording import check_take_folder, new_take
from synthhost.library.finding import find_model, home
from synthhost.schema.preset_library import PresetLibrary
from synthhost.schema.set import Set
from synthhost.sinks.clocked import MASTER_ENDINGS

_PROBE_S = 20.0
_CHANNELS_WITH_CUE = 4
_SESSIONS_KEPT = 8
LONGEST_AHEAD_MS = 2000.0  # the ring between engine and sink holds three seconds


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line; None leaves it to the set."""

    set_reference: str = "default"
    sink: str | None = None  # "device", "null" or "file"; None takes a device if there is one
    device: str | None = None
    out: Path | None = None
    osc_host: str | None = None
    osc_port: int | None = None
    record: Path | None = None
    seconds: float | None = None
    threads: int | None = None
    ahead_ms: float | None = None
    timetags: str = "follow"
    backend: str | None = None
    model_device: str | None = None
    admission: str = WARN
    ladder: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what to tell the person about how it came about."""

    plan: Plan
    notes: list[str] = field(default_factory=list)


def written_set(library: PresetLibrary, reference: str) -> Set:
    """Return a set that means the same from anywhere.

    Raises:
        ConfigError: The set or one of its presets cannot be read.
        SourceError: A sound cannot be read.
        ModelNotFoundError: A model is not there.
    """
    placed = library.load_set(reference)
    presets = {name: written_out(one) for name, one in library.presets_of(placed).items()}
    for preset in presets.values():
        find_model(preset.model)
    return placed.set.with_presets(presets)


def make_plan(wishes: Wishes) -> Planned:
    """Return the plan of a live run.

    Raises:
        SynthhostError: Something asked for is not there.
    """
    _check_numbers(wishes)
    parts = written_set(PresetLibrary.of_this_machine(), wishes.set_reference)
    parts = parts.computed_by(wishes.backend, wishes.model_device).with_ladder(read_ladder(wishes.ladder))
    sink, rate, notes = _choose_sink(wishes, parts.sample_rate)
    block = parts.block_samples
    ahead_ms = wishes.ahead_ms if wishes.ahead_ms is not None else parts.ahead_ms
    if ahead_ms is not None and ahead_ms > LONGEST_AHEAD_MS:
        raise ConfigError(f"ahead_ms {ahead_ms:g}: the engine can be {LONGEST_AHEAD_MS:g} ms ahead at most.")
    if wishes.record is not None:
        check_take_folder(wishes.record)
    journal_folder = wishes.record.absolute() if wishes.record is not None else _session_folder()
    plan = Plan(
        set=parts.as_json(),
        sample_rate=rate,
        block_samples=block,
        seed=parts.seed,
        sink=sink,
        osc_host=wishes.osc_host or parts.osc.host,
        osc_port=parts.osc.port if wishes.osc_port is None else wishes.osc_port,
        arrival_delay_ms=parts.arrival_delay_ms,
        timetags=wishes.timetags,
        threads=wishes.threads or 1,
        ahead_samples=0 if ahead_ms is None else max(-(-int(ahead_ms * rate / 1000.0) // block), 2) * block,
        stop_sample=0 if wishes.seconds is None else max(round(wishes.seconds * rate), 1),
        record_folder=None if wishes.record is None else str(wishes.record.absolute()),
        record_format=parts.record.format,
        takes_folder=str(Path("takes").absolute()),
        journal_folder=str(journal_folder),
        fixed_chunk=_fixed_chunk(parts),
        admission=wishes.admission,
        most_threads=wishes.threads or 0,
    )
    return Planned(plan, notes)


def offline_plan(
    set_reference: str, threads: int, backend: str | None = None, device: str | None = None
) -> Plan:
    """Return the plan for rendering a set without a clock; back end and device, where given, for all of it.

    Raises:
        SynthhostError: Something in the set is not there.
    """
    parts = written_set(PresetLibrary.of_this_machine(), set_reference).computed_by(backend, device)
    return Plan(
        set=parts.as_json(),
        sample_rate=parts.sample_rate,
        block_samples=parts.block_samples,
        seed=parts.seed,
        threads=threads,
        record_format=parts.record.format,
        fixed_chunk=_fixed_chunk(parts),
    )


def read_ladder(said: str | None) -> list[dict[str, OptionValue]] | None:
    """Return the rungs of `--ladder`, such as `precision=int8,steps=6&schedule=fast`; None of nothing.

    Raises:
        ConfigError: A rung is no options.
    """
    if said is None:
        return None
    rungs = [without_options(f"model?{rung.strip()}")[1] for rung in said.split(",") if rung.strip()]
    if not all(rungs):
        raise ConfigError(f"--ladder {said}: write rungs as precision=int8,steps=6&schedule=fast.")
    return rungs


@dataclass(frozen=True, slots=True)
class Found:
    """An output device and the rate it will run at."""

    name: str
    sample_rate: int
    channels: int


def probe_device(device: str | None, sample_rate: int) -> Found:
    """Return an output device by what it was called, or the default one.

    Raises:
        DeviceError: There is no such device; the message lists what exists.
    """
    return Found(**_ask_portaudio(str(sample_rate), *([device] if device else [])))


def list_devices() -> list[dict[str, Any]]:
    """Return every output device as a mapping.

    Raises:
        DeviceError: The audio system does not answer.
    """
    devices: list[dict[str, Any]] = _ask_portaudio("list")["devices"]
    return devices


def _ask_portaudio(*arguments: str) -> dict[str, Any]:
    """Ask in a process of its own: PortAudio can hang or abort."""
    command = [sys.executable, "-m", "synthhost.host.probe", *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"The audio system did not answer within {_PROBE_S:.0f} s. Restart it, or use --sink null."
        ) from error
    if answer.returncode != 0:
        if "PortAudio library not found" in answer.stderr:
            raise DeviceError("PortAudio is not installed: sudo apt-get install libportaudio2.")
        said = answer.stderr.strip().splitlines()
        raise DeviceError(said[-1] if said else "PortAudio failed. Restart the audio system.")
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _choose_sink(wishes: Wishes, sample_rate: int) -> tuple[SinkPlan, int, list[str]]:
    kind = wishes.sink or ("file" if wishes.out is not None else None)
    if kind == "file" and wishes.out is None:
        raise ConfigError("--sink file needs a file to write: add --out FILE.wav.")
    if kind == "file" and wishes.out is not None:
        _check_master(wishes.out)
        return SinkPlan("file", out=str(wishes.out.absolute())), sample_rate, []
    if kind == "null":
        return SinkPlan("null"), sample_rate, []
    if kind not in (None, "device"):
        raise ConfigError(f"--sink {kind}: there are device, null and file.")
    try:
        found = probe_device(wishes.device, sample_rate)
    except DeviceError as error:
        if kind == "device" or wishes.device is not None:
            raise
        return SinkPlan("null"), sample_rate, [f"{error} Playing on the null clock: nothing is heard."]
    notes = []
    if found.sample_rate != sample_rate:
        notes.append(f"{found.name} runs at {found.sample_rate} Hz, so the engine does too.")
    if found.channels < _CHANNELS_WITH_CUE:
        notes.append(f"{found.name} has {found.channels} outputs: the cue bus is heard in its stem only.")
    return SinkPlan("device", wishes.device, found.name), found.sample_rate, notes


def _check_master(out: Path) -> None:
    """Refuse a place for the file sink before anything starts."""
    if out.suffix.lower() not in MASTER_ENDINGS:
        raise ConfigError(f"--out {out}: the sound is written as WAV or FLAC. Let it end in .wav or .flac.")
    if out.exists():
        raise RecordingError(f"--out {out}: exists already and is never overwritten. Choose another name.")


def _fixed_chunk(parts: Set) -> int:
    return 0 if parts.chunk_frames == "auto" else int(parts.chunk_frames)


def _session_folder() -> Path:
    """Make the folder of a new session's journal; of those before only the last few are kept.

    Raises:
        RecordingError: It cannot be made.
    """
    sessions = home() / "sessions"
    try:
        sessions.mkdir(parents=True, exist_ok=True)
        for old in sorted(sessions.glob("take-*"))[: -_SESSIONS_KEPT + 1]:
            shutil.rmtree(old, ignore_errors=True)
        while True:
            folder = new_take(sessions)
            with contextlib.suppress(FileExistsError):  # another host began in the same second
                folder.mkdir()
                return folder
    except OSError as error:
        raise RecordingError(
            f"{sessions}: the session's journal cannot be written there ({error.strerror}). "
            "Set SYNTHHOST_HOME to a folder that can be written."
        ) from error


def _check_numbers(wishes: Wishes) -> None:
    for option, value in (("--for", wishes.seconds), ("--ahead-ms", wishes.ahead_ms)):
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{option} {value}: give a number.")
    if wishes.admission not in ADMISSIONS:
        raise ConfigError(f"--admission {wishes.admission}: there are {' and '.join(ADMISSIONS)}.")
    if wishes.timetags not in ("follow", "ignore"):
        raise ConfigError(f"--timetags {wishes.timetags}: there are follow and ignore.")
    if wishes.osc_port is not None and not 0 <= wishes.osc_port <= 65_535:
        raise ConfigError(f"--osc-port {wishes.osc_port}: ports go from 1 to 65535; 0 takes a free one.")
