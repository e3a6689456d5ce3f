"""Asks PortAudio what there is, in a process that may hang or die without harm."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from synthhost.core.errors import DeviceError
from synthhost.sinks.device import choose_rate, find_device, output_devices


def main(arguments: list[str]) -> int:
    """Print one JSON object: the chosen device with its rate, or with `list` all of them."""
    try:
        if arguments == ["list"]:
            found: dict[str, object] = {"devices": [asdict(device) for device in output_devices()]}
        else:
            device = find_device(arguments[1] if len(arguments) > 1 else None)
            rate = choose_rate(device, int(arguments[0]))
            found = {"name": device.name, "sample_rate": rate, "channels": device.channels}
    except DeviceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
