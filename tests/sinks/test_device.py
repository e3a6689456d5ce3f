"""The device sink: found by name, opened or explained, its callback a copy from the ring."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sounddevice

from synthhost.core.arrays import Audio
from synthhost.core.board import STATUS_FIELDS, StatusPage
from synthhost.core.errors import DeviceError
from synthhost.core.region import Region
from synthhost.sinks.device import DeviceStream, OutputDevice, choose_rate, find_device, output_devices

APIS = [{"name": "ALSA", "default_output_device": 1}, {"name": "JACK Audio Connection Kit"}]
DEVICES = [
    {"name": "HDMI 1", "hostapi": 0, "max_output_channels": 8, "default_samplerate": 44100.0},
    {"name": "Speakers", "hostapi": 0, "max_output_channels": 2, "default_samplerate": 48000.0},
    {"name": "Microphone", "hostapi": 0, "max_output_channels": 0, "default_samplerate": 48000.0},
    {"name": "system", "hostapi": 1, "max_output_channels": 4, "default_samplerate": 96000.0},
]


class Stream:
    """A stream that runs when it is told to."""

    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def abort(self) -> None:
        self.calls.append("abort")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Four devices under two systems, JACK not running; streams that are opened are kept."""
    shown = SimpleNamespace(devices=DEVICES, jack_default=-1, default=1, streams=[], rates={44100, 48000})

    def apis() -> list[dict[str, Any]]:
        return [APIS[0], {**APIS[1], "default_output_device": shown.jack_default}]

    def check(device: int, channels: int, samplerate: int) -> None:
        if samplerate not in shown.rates:
            raise sounddevice.PortAudioError("Invalid sample rate")

    def open_stream(**asked: Any) -> Stream:
        shown.streams.append(Stream(**asked))
        return shown.streams[-1]

    monkeypatch.setattr(sounddevice, "query_hostapis", apis)
    monkeypatch.setattr(sounddevice, "query_devices", lambda: shown.devices)
    monkeypatch.setattr(sounddevice, "default", SimpleNamespace(device=(-1, shown.default)))
    monkeypatch.setattr(sounddevice, "check_output_settings", check)
    monkeypatch.setattr(sounddevice, "OutputStream", open_stream)
    return shown


@pytest.fixture
def status(tmp_path: Path) -> StatusPage:
    Region.create(tmp_path / "status", STATUS_FIELDS.itemsize)
    return StatusPage(Region.open(tmp_path / "status"))


class Ones:
    """Plays ones."""

    def fill(self, out: Audio) -> None:
        out[:] = 1.0


def test_only_outputs_are_listed_with_the_default_marked(portaudio: SimpleNamespace) -> None:
    assert [(one.index, one.is_default) for one in output_devices()] == [(0, False), (1, True), (3, False)]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 1), ("1", 1), ("0", 0), ("hdmi", 0), ("SPEAKERS", 1), ("jack", 3), ("system", 3), ("HDMI 1", 0)],
)
def test_a_device_is_found_by_number_name_or_system(
    portaudio: SimpleNamespace, wanted: str | None, index: int
) -> None:
    assert find_device(wanted).index == index


def test_a_running_jack_server_is_preferred(portaudio: SimpleNamespace) -> None:
    portaudio.jack_default = 3
    assert find_device(None).index == 3


def test_a_device_that_is_not_there_is_answered_with_those_that_are(portaudio: SimpleNamespace) -> None:
    with pytest.raises(DeviceError, match=r"'loud'.*0: HDMI 1 \(ALSA\); 1: Speakers"):
        find_device("loud")
    portaudio.devices = [DEVICES[2]]
    with pytest.raises(DeviceError, match="--sink null"):
        find_device(None)


def test_the_wanted_rate_is_taken_or_the_devices_own(portaudio: SimpleNamespace) -> None:
    device = find_device("speakers")
    assert choose_rate(device, 44100) == 44100
    assert choose_rate(device, 22050) == 48000
    portaudio.rates = set()
    with pytest.raises(DeviceError, match=r"Speakers cannot be opened: Invalid sample rate"):
        choose_rate(device, 44100)


@pytest.mark.parametrize(("has", "opened"), [(1, 1), (2, 2), (3, 2), (4, 4), (32, 4)])
def test_a_stream_has_master_and_cue_where_the_device_has_room(
    portaudio: SimpleNamespace, status: StatusPage, has: int, opened: int
) -> None:
    device = OutputDevice(7, "Speakers", "ALSA", has, 48000, True)
    stream = DeviceStream(device, Ones(), status, 48000)  # type: ignore[arg-type]
    assert stream.channels == portaudio.streams[0].asked["channels"] == opened
    stream.close()
    assert portaudio.streams[0].calls == ["start", "abort", "close"]


def test_the_callback_copies_a_block_and_notes_what_the_device_says(
    portaudio: SimpleNamespace, status: StatusPage
) -> None:
    DeviceStream(find_device(None), Ones(), status, 48000)  # type: ignore[arg-type]
    callback = portaudio.streams[0].asked["callback"]
    flags = SimpleNamespace(
        input_underflow=False, input_overflow=False, output_underflow=True, output_overflow=False
    )
    out = np.zeros((16, 2), dtype=np.float32)
    callback(out, 16, SimpleNamespace(outputBufferDacTime=5.010, currentTime=5.0), flags)
    assert (out == 1.0).all()
    assert status["device_flags"] == 4
    assert status["device_latency_ms"] == pytest.approx(10.0)
    callback(out, 16, SimpleNamespace(outputBufferDacTime=0.0, currentTime=5.0), None)
    assert status["device_latency_ms"] == pytest.approx(10.0)  # nonsense is not believed


def test_a_device_that_does_not_open_is_told_and_one_that_is_gone_closes(
    portaudio: SimpleNamespace, status: StatusPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Stream) -> None:
        self.calls.append("refused")
        raise sounddevice.PortAudioError("Device unavailable")

    gone = DeviceStream(find_device(None), Ones(), status, 48000)  # type: ignore[arg-type]
    monkeypatch.setattr(Stream, "abort", refuse)
    gone.close()
    monkeypatch.setattr(Stream, "start", refuse)
    with pytest.raises(DeviceError, match=r"Speakers cannot be opened: Device unavailable"):
        DeviceStream(find_device(None), Ones(), status, 48000)  # type: ignore[arg-type]
