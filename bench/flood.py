"""A sender of OSC at an even pace, in a process of its own.

`python -m bench.flood PORT MESSAGES_A_SECOND SECONDS ADDRESS...`; the addresses take turns, with a number
that swings between 0.3 and 0.7.
"""

from __future__ import annotations

import json
import math
import socket
import sys
from collections.abc import Sequence
from time import monotonic, sleep

from pythonosc.osc_message_builder import OscMessageBuilder

_TURN = 64  # values of one swing


def packet(address: str, value: float) -> bytes:
    """Return one message with one number as an OSC packet."""
    builder = OscMessageBuilder(address)
    builder.add_arg(value, OscMessageBuilder.ARG_TYPE_FLOAT)
    dgram: bytes = builder.build().dgram
    return dgram


def packets(addresses: Sequence[str]) -> list[bytes]:
    """Return one swing of every address, by turns, as OSC packets."""
    made = []
    for step in range(_TURN):
        value = 0.5 + 0.2 * math.sin(2.0 * math.pi * step / _TURN)
        made += [packet(address, value) for address in addresses]
    return made


def flood(port: int, rate_hz: float, seconds: float, addresses: Sequence[str]) -> dict[str, float]:
    """Send to this machine at a steady rate; return what was sent and how far the pace slipped."""
    ring = packets(addresses)
    wanted = round(rate_hz * seconds)
    worst_slip_s = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        begun_s = monotonic()
        for number in range(wanted):
            wait_s = begun_s + number / rate_hz - monotonic()
            if wait_s > 0.0:
                sleep(wait_s)
            worst_slip_s = max(worst_slip_s, -wait_s)
            sender.send(ring[number % len(ring)])
        spent_s = monotonic() - begun_s
    return {"sent": wanted, "seconds": spent_s, "worst_slip_ms": 1000.0 * worst_slip_s}


def main(arguments: Sequence[str]) -> None:
    """Send as told and print what came of it as one JSON object."""
    port, rate_hz, seconds, *addresses = arguments
    sys.stdout.write(json.dumps(flood(int(port), float(rate_hz), float(seconds), addresses)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
