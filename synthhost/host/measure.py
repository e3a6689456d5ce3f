"""Measures a model's cost in a process of its own, so that a playing engine is not disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import torch

from synthhost.backends.cost import StepCost
from synthhost.core.errors import ProcessError, SynthhostError
from synthhost.host.chunking import Choice, choose_chunk
from synthhost.host.realtime import go_with_others
from synthhost.library.shelves import load_model

_LIMIT_S = 120.0


def measure_apart(reference: str, share: float, fixed: int | None, threads: int) -> Choice:
    """Return the chunk choice for a model, measured by a process of its own.

    Raises:
        ProcessError: The measuring process failed; the message holds its last words.
    """
    command = [
        sys.executable,
        "-m",
        "synthhost.host.measure",
        reference,
        str(share),
        str(fixed or 0),
        str(threads),
    ]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ProcessError(
            f"{reference}: measuring took more than {_LIMIT_S:.0f} s. Is the machine busy?"
        ) from error
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()
        raise ProcessError(said[-1] if said else f"{reference}: the measuring process died.")
    plain = json.loads(answer.stdout)
    return Choice(plain["chunk_frames"], StepCost(**plain["cost"]), plain["keeps_up"])


def main(arguments: list[str]) -> int:
    """Print the choice for MODEL SHARE FIXED THREADS as JSON."""
    reference, share, fixed, threads = arguments
    go_with_others()  # the engine that asks may go before them
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    try:
        choice = choose_chunk(load_model(reference).runner, float(share), int(fixed) or None)
    except SynthhostError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(choice)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
