"""Two processes that torchrun starts learn as one that sees both batches, and one of them tells and saves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from synthhost.train import spread
from synthhost.train.draws import rng_of

STEPS, RATE = 12, 0.05

_PROCESS = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
from test_loop import Line, Silent, recipe_of
from synthhost.train import spread
from synthhost.train.loop import Place, train

class Spread(Line):
    def __init__(self, recipe):
        super().__init__(recipe)
        self.optimisers = {{"line": torch.optim.SGD(self.network.parameters(), lr=1.0)}}
        self.shared = spread.shared(self.network, "cpu")

    def learn(self, batch, step):
        loss = (self.shared(batch["x"]) - batch["y"]).square().mean()
        self.optimisers["line"].zero_grad()
        loss.backward()
        self.optimisers["line"].step()
        return {{"loss": float(loss.detach())}}

torch.set_num_threads(1)
with spread.joined("cpu"):
    recipe = recipe_of(steps={steps}, warm_up_steps=0, final_rate=1.0, learning_rate={rate})
    reporter = Silent()
    task = Spread(recipe)
    train(task, recipe, Place(Path({folder!r}), workers=0), reporter)
    assert bool(task.shown) == spread.is_first(), "one process shows"
"""


def test_two_processes_learn_as_one_with_both_batches(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    here = str(Path(__file__).parent)
    script.write_text(_PROCESS.format(tests=here, folder=str(tmp_path / "run"), steps=STEPS, rate=RATE))
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["done"] == STEPS
    for name, learned in _alone().state_dict().items():
        torch.testing.assert_close(state["networks"]["line"][name], learned, rtol=1e-5, atol=1e-6)


def _alone() -> nn.Module:
    """Return what one process learns from the batches of both."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE)
    for step in range(STEPS):
        loss = torch.zeros(())
        for rank in range(2):
            rng = np.random.default_rng([0, step, rank, 0])
            x = rng.standard_normal((8, 3)).astype(np.float32)
            y = x.sum(1, keepdims=True) + 0.1 * rng.standard_normal((8, 1)).astype(np.float32)
            loss = loss + 0.5 * (network(torch.from_numpy(x)) - torch.from_numpy(y)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network


def test_alone_nothing_is_shared() -> None:
    network = nn.Linear(1, 1)
    assert (spread.rank(), spread.count(), spread.is_first()) == (0, 1, True)
    assert spread.shared(network, "cpu") is network
    assert rng_of(1, 2).random() == np.random.default_rng([1, 2, 0, 0]).random()
