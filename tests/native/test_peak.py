"""What one core does at most: every level has its loops, and what a level cannot do is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from synthhost.native._loops import processor_levels, read_gb_per_second

MEASURED = """
import json
from synthhost.native._loops import float32_gflops, int8_gops, read_gb_per_second
print(json.dumps([float32_gflops(0.01), read_gb_per_second(64, 0.01), int8_gops(0.01)]))
"""


@pytest.mark.parametrize("level", processor_levels())
def test_every_level_multiplies_and_reads(level: str) -> None:
    environment = {**os.environ, "SYNTHHOST_PROCESSOR": level}
    ended = subprocess.run([sys.executable, "-c", MEASURED], env=environment, capture_output=True, text=True)
    multiplied, read, of_bytes = json.loads(ended.stdout)
    assert multiplied > 0.01
    assert read > 0.01
    assert of_bytes is None if level != "x86-64-v4" else of_bytes is None or of_bytes > 0.01


@pytest.mark.parametrize("kibibytes", [0, 1 << 23])
def test_an_array_that_cannot_be_meant_is_refused(kibibytes: int) -> None:
    with pytest.raises(ValueError, match="1 KiB to 4 GiB"):
        read_gb_per_second(kibibytes, 0.01)
