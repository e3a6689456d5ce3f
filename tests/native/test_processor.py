"""The processor's level: the best by itself, another when it is asked for, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.native import _loops
from synthhost.native._loops import processor_level, processor_levels
from synthhost.native.processor import processor_in_use

ASKED = "SYNTHHOST_PROCESSOR"
SAID = "from synthhost.native.processor import processor_in_use; print(processor_in_use())"


def said(level: str) -> subprocess.CompletedProcess[str]:
    """Ask a fresh process for its level."""
    environment = {**os.environ, ASKED: level}
    return subprocess.run([sys.executable, "-c", SAID], env=environment, capture_output=True, text=True)


def test_the_plainest_level_runs_everywhere() -> None:
    levels = processor_levels()
    assert levels == [name for name in ("baseline", "x86-64-v3", "x86-64-v4") if name in levels]
    assert levels[0] == "baseline"


def test_what_is_asked_for_is_used_and_else_the_best() -> None:
    assert processor_level() == processor_in_use() == (os.environ.get(ASKED) or processor_levels()[-1])


@pytest.mark.parametrize("level", ["", *processor_levels()])
def test_a_process_uses_the_level_its_environment_names(level: str) -> None:
    assert said(level).stdout.strip() == (level or processor_levels()[-1])


def test_an_unknown_level_is_refused_with_what_there_is() -> None:
    ended = said("sse9")
    assert ended.returncode
    assert "ConfigError: SYNTHHOST_PROCESSOR: this processor and build run no level 'sse9'" in ended.stderr
    assert f"they run {', '.join(processor_levels())}." in ended.stderr


def test_what_the_module_refuses_becomes_a_sentence_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise ValueError("not here.")

    monkeypatch.setattr(_loops, "processor_level", refuse)
    with pytest.raises(ConfigError, match="not here"):
        processor_in_use()
