"""An installation without the compiled part: everything loads, torch plays, and what is lost is said."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["synthhost.native._loops"] = sys.modules["synthhost.native._plan"] = None
import torch
from synthhost.backends.choice import choose
from synthhost.backends.runners import make_runner
from synthhost.cli import app, certify_cmd, live_cmd, models_cmd, render_cmd
from synthhost.core.errors import ConfigError
from synthhost.families import samplernn, wavenet, wavenet_loop
from synthhost.families.registry import family
from synthhost.families.samplernn_hyper import SampleRnnHyper
from synthhost.streaming.conv import Conv

print(choose("small", Conv(2, 1, 3)))
network = samplernn.build(SampleRnnHyper((4,), n_rnn=1, dim=12, q_levels=16))
for attempt in (lambda: choose("loops", network), network.loop):
    try:
        attempt()
    except ConfigError as error:
        print(error)
"""


def test_torch_plays_and_sample_loops_are_refused_with_the_way_out() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True)
    missing = "synthhost was installed without its compiled part"
    way_out = "install a C++ compiler and reinstall."
    assert ran.stdout.splitlines() == [
        f"torch on cpu ({missing})",
        f"loops: autoregressive models need the compiled loops, and {missing}: {way_out}",
        f"the compiled loops are needed, and {missing}: {way_out}",
    ]
