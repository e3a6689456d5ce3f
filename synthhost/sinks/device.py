"""The device sink: a PortAudio stream (JACK through PortAudio included) fed from the shared ring.

PortAudio can hang or abort the process when a device or server goes away, so this runs in a process of its
own: nothing here may be called in the process that renders.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import sounddevice

from synthhost.core.board import StatusPage
from synthhost.core.errors import DeviceError
from synthhost.sinks.playback import Playback

_FLAGS = (("input_underflow", 1), ("input_overflow", 2), ("output_underflow", 4), ("output_overflow", 8))


@dataclass(frozen=True, slots=True)
class OutputDevice:
    """An output that exists now."""

    index: int
    name: str
    host_api: str
    channels: int
    default_rate: int
    is_default: bool


def output_devices() -> list[OutputDevice]:
    """List the outputs PortAudio sees."""
    apis = sounddevice.query_hostapis()
    default = _default_index()
    return [
        OutputDevice(
            index,
            str(device["name"]),
            str(apis[device["hostapi"]]["name"]),
            int(device["max_output_channels"]),
            int(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_output_channels"] > 0
    ]


def _default_index() -> int:
    """Prefer a running JACK server to PortAudio's own choice: who starts one means it."""
    for api in sounddevice.query_hostapis():
        if "JACK" in api["name"] and api["default_output_device"] >= 0:
            return int(api["default_output_device"])
    index = sounddevice.default.device[1]
    return int(index) if index is not None and index >= 0 else -1


def find_device(wanted: str | None) -> OutputDevice:
    """Return the device named, numbered, or the default one.

    Raises:
        DeviceError: There is none so called; the message lists what exists.
    """
    devices = output_devices()
    if not devices:
        raise DeviceError(
            "There is no audio output device. Start a JACK server, plug one in, or play on the null clock "
            "with --sink null."
        )
    listing = "; ".join(f"{one.index}: {one.name} ({one.host_api})" for one in devices)
    if wanted is None:
        return next((one for one in devices if one.is_default), devices[0])
    text = wanted.lower()
    for matches in (
        lambda one: text in (str(one.index), one.name.lower()),
        lambda one: text in one.name.lower(),
        lambda one: text in one.host_api.lower(),
    ):
        found = next(filter(matches, devices), None)
        if found is not None:
            return found
    raise DeviceError(f"No output device is called {wanted!r}. There are: {listing}.")


def choose_rate(device: OutputDevice, wanted_rate: int) -> int:
    """Return the wanted rate if the device takes it, else the device's own.

    Raises:
        DeviceError: The device takes neither, because it is busy or gone.
    """
    problem: Exception | None = None
    for rate in (wanted_rate, device.default_rate):
        try:
            sounddevice.check_output_settings(
                device=device.index, channels=min(device.channels, 2), samplerate=rate
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            problem = error
        else:
            return rate
    raise DeviceError(f"{device.name} cannot be opened: {problem}. Is another program using it?") from problem


class DeviceStream:
    """A running output stream. The callback copies one block from the shared ring, nothing else."""

    def __init__(
        self, device: OutputDevice, playback: Playback, status: StatusPage, sample_rate: int
    ) -> None:
        self._playback = playback
        self._status = status
        channels = 4 if device.channels >= 4 else min(device.channels, 2)
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=sample_rate,
                device=device.index,
                channels=channels,
                dtype="float32",
                latency="low",
                callback=self._callback,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"{device.name} cannot be opened: {error}. Is another program using it?"
            ) from error
        self.channels = channels

    def _callback(self, out: Any, _count: int, times: Any, flags: Any) -> None:
        if flags:
            for name, bit in _FLAGS:
                if getattr(flags, name):
                    self._status["device_flags"] |= bit
        lead = times.outputBufferDacTime - times.currentTime
        if 0.0 < lead < 2.0:  # some servers report nonsense
            self._status["device_latency_ms"] = 1000.0 * lead
        self._playback.fill(out)

    def close(self) -> None:
        """Stop the stream; errors of a device that is gone are not errors any more."""
        with contextlib.suppress(sounddevice.PortAudioError):
            self._stream.abort()
            self._stream.close()
