"""A stage for the whole host: tiny models, presets and sets in a temporary home, run as a person runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from synthhost.families.hifigan import tensor_names
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.library.shelves import import_model

_HYPER: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 6]],
}
_MEL = {
    "num_mels": 80,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
}
_PRESET = """
synthhost: preset/1
name: {name}
about: For tests.
model: {model}
source: {{kind: {kind}{tape}, params: {params}}}
chain: {chain}
macros: [{{name: drift, value: 0.0, targets: [{{param: brightness, from: 0.0, to: 6.0}}]}}]
gain_db: {gain_db}
"""
_SET = """
synthhost: set/1
name: {name}
seed: 7
block_samples: 256
chunk_frames: 2
tracks: {tracks}
"""
_START_LIMIT_S = 90.0


@dataclass
class Stage:
    """A home with models and a folder with presets, and the environment that makes a host use them."""

    home: Path
    presets: Path
    env: dict[str, str]

    def add_preset(
        self,
        name: str,
        model: str,
        params: str,
        *,
        chain: str = "[]",
        kind: str = "tape",
        gain_db: float = 0.0,
    ) -> None:
        tape = ", tape: tone.wav" if kind == "tape" else ""
        text = _PRESET.format(
            name=name, model=model, params=params, chain=chain, kind=kind, tape=tape, gain_db=gain_db
        )
        (self.presets / f"{name}.yaml").write_text(text)

    def add_model(self, name: str, checkpoint: Path) -> None:
        """Import a published checkpoint into the home."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SYNTHHOST_HOME", str(self.home))
            import_model(checkpoint, None, name)

    def add_set(self, name: str, tracks: str) -> None:
        (self.presets / "sets" / f"{name}.yaml").write_text(_SET.format(name=name, tracks=tracks))

    def run(
        self, *arguments: str, timeout_s: float = 120.0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        command = [sys.executable, "-m", "synthhost", *arguments]
        return subprocess.run(
            command,
            env=env or self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd=self.home,
        )


@dataclass
class Live:
    """A running host."""

    process: subprocess.Popen[str]
    log: Path
    port: int = 0
    take: Path = Path()  # where it records, if a test says so
    socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def send(self, address: str, *args: Any) -> None:
        """Send one OSC message over UDP."""
        self.socket.sendto(message(address, *args), ("127.0.0.1", self.port))

    def hear(self, timeout_s: float = 5.0) -> OscMessage | None:
        """Return the next answer, or None."""
        self.socket.settimeout(timeout_s)
        try:
            return OscMessage(self.socket.recv(65536))
        except (TimeoutError, BlockingIOError):
            return None

    def ask(self, address: str, *args: Any, expect: str, timeout_s: float = 20.0) -> list[Any]:
        """Send a message and return the arguments of the answer at an address."""
        end_s = time.monotonic() + timeout_s
        self.send(address, *args)
        while time.monotonic() < end_s:
            answer = self.hear(0.5)
            if answer is not None and answer.address == expect:
                return list(answer.params)
        raise AssertionError(f"no {expect} to {address}; the host said:\n{self.said()}")

    def sync(self, token: int = 1) -> None:
        """Wait until everything sent before has been taken."""
        assert self.ask("/sync", token, expect="/synced") == [token]

    def status(self) -> dict[str, float]:
        """Return what /status answers."""
        values = self.ask("/status", expect="/status/reply")
        return dict(zip(values[::2], values[1::2], strict=True))

    def until(self, address: str, wanted: Any, timeout_s: float = 60.0) -> None:
        """Wait until a query answers with a value."""
        end_s = time.monotonic() + timeout_s
        while self.ask(f"/q{address}", expect=address) != [wanted]:
            assert time.monotonic() < end_s, f"{address} never became {wanted!r}:\n{self.said()}"
            time.sleep(0.05)

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
        """Wait until a condition gives something true, and return that."""
        end_s = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < end_s, f"waited for {what} in vain; the host said:\n{self.said()}"
            time.sleep(0.02)
        return found

    def answers(self) -> bool:
        """Say whether the host's control side answers now."""
        self.drain()
        self.send("/heartbeat")
        answer = self.hear(0.2)
        return answer is not None and answer.address == "/heartbeat"

    def errors_to(self, packet: bytes) -> list[list[Any]]:
        """Send raw bytes as a new client and return the arguments of every /error that comes back."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5.0)
            client.sendto(packet, ("127.0.0.1", self.port))
            client.sendto(message("/sync", 77), ("127.0.0.1", self.port))
            answers = []
            while (answer := OscMessage(client.recv(65536))).address != "/synced":
                answers.append(answer)
            return [list(answer.params) for answer in answers if answer.address == "/error"]

    def drain(self) -> list[OscMessage]:
        """Return every answer that has arrived."""
        found: list[OscMessage] = []
        while (answer := self.hear(0.0)) is not None:
            found.append(answer)
        return found

    def child(self, name: str) -> int:
        """Return the process id of the host's "engine", "control" or "sink"; 0 when there is none."""
        wanted = f"synthhost.host.{name}_process"
        return next((pid for pid, module in children_of(self.process.pid) if module == wanted), 0)

    def send_signal(self, name: str, number: int) -> None:
        """Send a signal to one of the host's processes, which must be there: 0 is one's own process group."""
        process = self.child(name)
        assert process > 0, f"there is no {name} process"
        os.kill(process, number)

    def children(self) -> list[int]:
        """Return the process ids of all the host's processes."""
        return [pid for pid, _ in children_of(self.process.pid)]

    def said(self) -> str:
        """Return everything the host has printed."""
        return self.log.read_text()

    def stop(self, timeout_s: float = 30.0) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end(timeout_s)

    def end(self, timeout_s: float = 60.0) -> int:
        """Wait for the host to end by itself and return the exit code."""
        return self.process.wait(timeout_s)


def message(address: str, *args: Any) -> bytes:
    """Return one OSC message made by python-osc."""
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    return bytes(builder.build().dgram)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Two tiny models under the names small-a and small-b, presets for them, and sets."""
    root = tmp_path_factory.mktemp("stage")
    home, presets = root / "home", root / "presets"
    (presets / "sets").mkdir(parents=True)
    home.mkdir()
    env = {
        **os.environ,
        "SYNTHHOST_HOME": str(home),
        "SYNTHHOST_PRESETS": str(presets),
        "OMP_NUM_THREADS": "1",
    }
    made = Stage(home, presets, env)
    for number, name in enumerate(("small-a", "small-b")):
        made.add_model(name, _write_model(root / name, seed=number))
    _write_tone(presets / "tone.wav")
    reverb = "[{effect: Reverb, params: {wet_level: 0.2}}, {effect: Delay, params: {delay_seconds: 0.1}}]"
    made.add_preset("one", "small-a", "{speed: 1.0}", chain=reverb)
    made.add_preset("two", "small-b", "{speed: 0.5, pitch: 3.0}")
    made.add_preset("three", "small-a", "{speed: -0.7, wander: 0.2}", chain=reverb)
    made.add_preset("plain", "small-a", "{speed: 1.0}")
    made.add_preset("frames", "small-a", "{}", kind="frames")
    made.add_set("solo", "[{name: voice, preset: one}]")
    made.add_set("plain", "[{name: voice, preset: plain}]")
    made.add_set("pair", "[{name: voice, preset: one}, {name: feed, preset: frames, gain_db: -3, pan: 0.5}]")
    return made


def children_of(parent: int) -> list[tuple[int, str]]:
    """Return the process ids of the running processes that a process started, and which part each plays."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if int(ppid) == parent and state != "Z":
            found.append((int(folder.name), words[3].decode() if len(words) > 3 else ""))
    return found


@pytest.fixture
def start(stage: Stage, tmp_path: Path) -> Iterator[Any]:
    """Return a function that starts a host and waits until sound runs."""
    with _hosts(stage, tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def start_once(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return the same function for hosts that the tests of a file share."""
    with _hosts(stage, tmp_path_factory.mktemp("shared")) as begin:
        yield begin


@contextmanager
def _hosts(stage: Stage, folder: Path) -> Iterator[Any]:
    running: list[Live] = []

    def begin(*arguments: str, env: dict[str, str] | None = None, sink: str = "null") -> Live:
        log = folder / f"host-{len(running)}.log"
        command = [
            sys.executable,
            "-m",
            "synthhost",
            "live",
            "--osc-port",
            "0",
            "--sink",
            sink,
            *arguments,
        ]
        with log.open("w") as file:
            process = subprocess.Popen(
                command, env=env or stage.env, stderr=file, stdout=file, text=True, cwd=folder
            )
        live = Live(process, log)
        running.append(live)
        _wait_until_playing(live)
        return live

    try:
        yield begin
    finally:
        for live in running:
            if live.process.poll() is None:
                live.process.kill()
                live.process.wait(10)
            live.socket.close()


def _wait_until_playing(live: Live) -> None:
    end_s = time.monotonic() + _START_LIMIT_S
    while "Ctrl-C stops" not in live.said():
        assert live.process.poll() is None, f"the host ended:\n{live.said()}"
        assert time.monotonic() < end_s, f"the host did not start:\n{live.said()}"
        time.sleep(0.05)
    found = re.search(r"port (\d+)", live.said())
    assert found is not None
    live.port = int(found[1])


def _write_model(folder: Path, seed: int, hyper: dict[str, Any] = _HYPER) -> Path:
    """Write a checkpoint in the published layout, with random weights that keep the level up."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in tensor_names(HifiganHyper.from_json(hyper)).items():
        if name.endswith("bias"):
            tensors[name] = 0.01 * torch.randn(shape, generator=generator)
        else:
            inputs = shape[0] * 2 if name.startswith("ups") else shape[1] * shape[2]
            tensors[name] = torch.randn(shape, generator=generator) * float(inputs) ** -0.5
    checkpoint = folder / "g_00000001"
    torch.save({"generator": tensors}, checkpoint)
    (folder / "config.json").write_text(json.dumps({**hyper, **_MEL}))
    return checkpoint


def _write_tone(path: Path) -> None:
    """Write four seconds of a chord that swells, so that every moment of it is different."""
    time_s = np.arange(4 * 22050) / 22050
    chord = sum(np.sin(2 * np.pi * hz * time_s + hz) for hz in (220.0, 277.2, 329.6, 1244.5))
    noise = np.random.default_rng(3).standard_normal(time_s.shape) * 0.05
    sound = (chord * (0.1 + 0.05 * np.sin(2 * np.pi * 0.7 * time_s)) + noise).astype(np.float32)
    soundfile.write(path, sound, 22050, subtype="PCM_16")


@pytest.fixture(scope="session")
def slow_model(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that takes longer than real time on any processor of today, by its name."""
    hyper = {**_HYPER, "upsample_initial_channel": 1024, "resblock_kernel_sizes": [11, 11]}
    checkpoint = _write_model(tmp_path_factory.mktemp("slow") / "slow", seed=9, hyper=hyper)
    stage.add_model("slow", checkpoint)
    return "slow"


@dataclass
class JackServer:
    """A JACK server on the dummy driver, which can be killed and started again under its name."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client to it."""
        return {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }

    def start(self) -> None:
        """Start it and wait until it takes clients."""
        env = {**os.environ, **self.environment}
        command = ["jackd", "-S", "--no-realtime", "-d", "dummy", "-r", "48000", "-p", "512"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        ready = subprocess.run(["jack_wait", "-w", "-t", "20"], env=env, capture_output=True, check=False)
        assert ready.returncode == 0, self.log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, or with SIGKILL let it die."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None


@pytest.fixture
def jack_servers(needs: Any, tmp_path: Path) -> Iterator[Callable[[], JackServer]]:
    """Return a function that starts JACK servers of the test's own."""
    needs("jackd", "jack_wait")
    servers: list[JackServer] = []

    def begin() -> JackServer:
        name = f"synthhost-live-{os.getpid()}-{len(servers)}"
        servers.append(JackServer(name, tmp_path / f"jackd-{len(servers)}.log"))
        servers[-1].start()
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def needs() -> Any:
    """Return a function that skips the test when a program is missing, and says which."""

    def check(*programs: str) -> None:
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")

    return check
