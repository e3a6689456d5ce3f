"""Measures a model's cost in a process of its own, so that a playing engine is not disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from time import monotonic

import torch

from synthhost.backends.cost import StepCost
from synthhost.core.errors import ProcessError, SynthhostError
from synthhost.host.chunking import Choice, choose_chunk
from synthhost.host.realtime import go_with_others
from synthhost.library.shelves import load_model

_LIMIT_S = 120.0
_LOOK_S = 0.1  # how often it is asked whether the measurement is still wanted


def measure_apart(
    reference: str, share: float, fixed: int | None, threads: int, stopped: Callable[[], bool]
) -> Choice:
    """Return the chunk choice for a model, measured by a process of its own.

    Raises:
        ProcessError: The measuring process failed, and the message holds its last words; or it was ended
            because it took too long or because `stopped` said so.
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
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            answer, complaint = _await(process, reference, stopped)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        said = complaint.strip().splitlines()
        raise ProcessError(said[-1] if said else f"{reference}: the measuring process died.")
    plain = json.loads(answer.splitlines()[-1])  # a model that is a program may print something before
    return Choice(plain["chunk_frames"], StepCost(**plain["cost"]), plain["keeps_up"])


def _await(process: subprocess.Popen[str], reference: str, stopped: Callable[[], bool]) -> tuple[str, str]:
    """Return what a process put out and what it complained of, once it has ended."""
    limit_s = monotonic() + _LIMIT_S
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)
        except subprocess.TimeoutExpired as error:
            if stopped():
                raise ProcessError(f"{reference}: not measured, the show is over.") from error
            if monotonic() > limit_s:
                raise ProcessError(
                    f"{reference}: measuring took more than {_LIMIT_S:.0f} s. Is the machine busy?"
                ) from error


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
    sys.stdout.write(f"\n{json.dumps(asdict(choice))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
