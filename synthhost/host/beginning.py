"""Where engine, control and sink of a run begin: all is imported at one go, then each plays its part.

The collector rests meanwhile: imports make hundreds of thousands of objects that all stay, and looking for
garbage among them takes a fifth of the engine's start (2.2 s to 1.7, medians of eight).
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Run a module's part in a run; return the exit code.

    Args:
        arguments: The module's name, and the run's folder; without one it is told on standard input, and
            there is nothing to do where nobody tells it.
    """
    gc.disable()
    module = importlib.import_module(arguments[0])
    gc.freeze()
    gc.enable()
    found = own_run(arguments[1:])
    return 0 if found is None else int(module.main(found))


def own_run(arguments: Sequence[str]) -> Path | None:
    """Return the folder of this process's run, from its arguments or once it is told; None: there is none."""
    if arguments:
        return Path(arguments[0])
    told = sys.stdin.buffer.read()
    return Path(os.fsdecode(told)) if told else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
