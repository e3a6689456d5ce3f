"""The sink process: where a restarted file sink goes on."""

from __future__ import annotations

from pathlib import Path

from synthhost.host.sink_process import _free_path


def test_a_restarted_sink_writes_beside_all_that_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert _free_path(out, 0) == out
    assert _free_path(out, 1) == tmp_path / "out-2.wav"
    (tmp_path / "out-2.wav").touch()
    assert _free_path(out, 1) == tmp_path / "out-3.wav"
