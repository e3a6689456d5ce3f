"""A process of a run imports at one go, then learns which run is its own."""

from __future__ import annotations

import gc
import io
import sys
from pathlib import Path

import pytest

from synthhost.host.beginning import main, own_run

PART = """
import gc
COLLECTED = gc.isenabled()
def main(run_folder):
    (run_folder / "told").write_text(f"{COLLECTED} {gc.isenabled()} {gc.get_freeze_count() > 1000}")
    return 7
"""


class Told:
    """Standard input that tells something."""

    def __init__(self, told: bytes) -> None:
        self.buffer = io.BytesIO(told)


def test_a_process_knows_its_run_from_its_arguments_or_once_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert own_run([str(tmp_path)]) == tmp_path
    strange = tmp_path / "ümläut \udcff"
    for told, found in ((str(strange).encode("utf-8", "surrogateescape"), strange), (b"", None)):
        monkeypatch.setattr(sys, "stdin", Told(told))
        assert own_run([]) == found


def test_the_collector_rests_while_a_part_is_imported_and_not_when_it_plays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "part_of_a_run.py").write_text(PART)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert main(["part_of_a_run", str(tmp_path)]) == 7
    finally:
        gc.unfreeze()
    assert (tmp_path / "told").read_text() == "False True True"


def test_a_part_that_nobody_tells_a_run_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "silent_part.py").write_text(PART)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "stdin", Told(b""))
    try:
        assert main(["silent_part"]) == 0
    finally:
        gc.unfreeze()
    assert not (tmp_path / "told").exists()
