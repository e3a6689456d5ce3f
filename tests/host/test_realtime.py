"""The place of the engine's threads among others: before them, or a note that says why not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthhost.host import realtime

PROGRAM = """
import os, threading
from synthhost.host.realtime import go_before_others, go_with_others

def niceness():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(os.getpriority(os.PRIO_PROCESS, 0)))
    thread.start()
    thread.join()
    return seen[0]

before = niceness()
notes = go_before_others()
after = niceness()
go_with_others()
print(before, after, niceness(), len(notes))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives threads a niceness each")
def test_threads_begun_later_go_before_others_or_a_note_says_why_not() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    before, after, back, notes = map(int, said.stdout.split())
    assert (after < before) == (notes == 0)
    assert back == max(after, 0)


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_which: int, _who: int, _niceness: int) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(os, "setpriority", refuse)
    assert realtime.go_before_others() == [
        "no preference over others (not yours): loading may make blocks late on a busy machine"
    ]
