"""The executor on 64-bit ARM, compiled for it and run by an emulator: `make arm` installs what that needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synthhost.native import compiled as compiled_module
from synthhost.streaming.conv import Conv
from synthhost.streaming.parallel import Residual
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.transposed import ConvTranspose

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
HEADERS_OF_ARM = "/usr/aarch64-linux-gnu"
SOURCES = (
    *("plan", "conv_nodes", "conv_kernels", "conv_baseline", "crew", "int8_kernels", "int8_baseline"),
    *("quantise_node", "row_products", "kernels", "kernels_baseline", "processor"),
    *("value_nodes", "moving_nodes"),
)
BOUND = 1e-5  # of the peak
pytestmark = pytest.mark.arm

for needed in (COMPILER, EMULATOR):
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not here; `make arm` installs it", allow_module_level=True)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the executor with a network to run, compiled for ARM."""
    native = Path(compiled_module.__file__).parent
    made = tmp_path_factory.mktemp("arm") / "plan_check"
    sources = [str(native / f"{name}.cpp") for name in SOURCES]
    command = [
        COMPILER,
        "-std=c++20",
        "-O2",
        "-ffp-contract=fast",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{native}",
    ]
    own = Path(__file__).with_name("plan_check.cpp")
    subprocess.run([*command, str(own), *sources, "-o", str(made), "-pthread"], check=True, timeout=600)
    return made


def network() -> Sequence:
    """Return the network of plan_check.cpp."""
    torch.manual_seed(2)
    dilated = Conv(36, 36, 3, dilation=3, padding=(3, 3), edge="reflect")
    body = Sequence({"bend": LeakyReLU(0.1), "dilated": dilated, "narrow": Conv(36, 36, 1)})
    parts = {
        "in": Conv(5, 36, 3, padding=(1, 1)),
        "residual": Residual(body),
        "up": ConvTranspose(36, 40, 5, 2, padding=1, output_padding=-1),
        "wide": Conv(40, 32, 5, padding=(2, 2)),
        "out": Conv(32, 1, 3, padding=(1, 1)),
    }
    return Sequence(parts).eval()


def run(program: Path, precision: str, block: Sequence, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    layers = [one for one in block.modules() if isinstance(one, Conv | ConvTranspose)]
    arrays = [part.detach().numpy() for one in layers for part in (one.weight, one.bias)]
    given = b"".join(np.ascontiguousarray(one, np.float32).tobytes() for one in (*arrays, frames.T))
    command = [EMULATOR, "-L", HEADERS_OF_ARM, str(program), precision]
    made = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, timeout=300).stdout
    return np.frombuffer(made, np.float32)


def test_arm_computes_what_torch_computes(program: Path) -> None:
    block, frames = network(), np.random.default_rng(0).standard_normal((5, 50)).astype(np.float32)
    with torch.inference_mode():
        expected = block(torch.from_numpy(frames)[None])[0, 0].numpy()
    heard = run(program, "float32", block, frames)
    assert heard.shape == expected.shape
    assert np.abs(heard - expected).max() < BOUND * np.abs(expected).max()


def test_8_bit_integers_on_arm_stay_close_to_float32(program: Path) -> None:
    block, frames = network(), np.random.default_rng(0).standard_normal((5, 50)).astype(np.float32)
    exact, heard = (run(program, precision, block, frames) for precision in ("float32", "int8"))
    error = heard - exact
    assert 25.0 < 10.0 * np.log10(np.sum(exact**2) / np.sum(error**2)) < 60.0
