"""What runs beside a host while it is measured: another busy process, a listener to its meters, a scale."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pythonosc.osc_message_builder import OscMessageBuilder

from synthhost.core.errors import ProcessError

_BUSY = """
import numpy
while True:
    numpy.linalg.svd(numpy.random.default_rng(0).standard_normal((200, 200)))
    sum(number * number for number in range(200_000))
"""
_METERS_HZ = 30.0
_SUBSCRIBED_S = 60.0


@contextmanager
def busy_process() -> Iterator[None]:
    """Let another program compute as fast as it can, at the priority that programs have.

    Raises:
        ProcessError: It ended before it was told to.
    """
    with subprocess.Popen([sys.executable, "-c", _BUSY]) as process:
        try:
            yield
            if process.poll() is not None:
                raise ProcessError(f"The busy process ended by itself (exit {process.returncode}).")
        finally:
            process.kill()


class Meters:
    """A panel that shows meters: it subscribes to them again and again, and reads what comes."""

    def __init__(self, port: int) -> None:
        self.asked = 0  # messages of its own
        self.heard = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._due_s = 0.0

    def look(self, now_s: float) -> None:
        """Read what has come; renew the subscription before it ends."""
        if now_s >= self._due_s:
            self._due_s = now_s + _SUBSCRIBED_S / 2.0
            own_port = self._socket.getsockname()[1]
            builder = OscMessageBuilder("/subscribe")
            for value in (own_port, "/", _METERS_HZ, _SUBSCRIBED_S):
                builder.add_arg(value)
            self.asked += 1
            self._socket.send(builder.build().dgram)
        while True:
            try:
                self._socket.recv(65536)
            except BlockingIOError:
                return
            self.heard += 1

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def memory_mb(process_ids: Sequence[int]) -> list[float]:
    """Return how much memory each process has in use, in MB; nothing where the system does not tell."""
    found = []
    for process_id in process_ids:
        status = Path(f"/proc/{process_id}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        sizes = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        found += [int(size) / 1024.0 for size in sizes]
    return found
