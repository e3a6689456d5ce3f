"""Small TorchScript programs with the interface nn~ reads, written for these tests."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from synthhost.library import finding
from synthhost.library.model import Model
from synthhost.library.shelves import load_model

LATENTS, HOP, RATE = 3, 4, 16_000


class Codec(nn.Module):
    """A streaming decoder: a causal convolution over vectors, then each becomes four samples."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv1d(LATENTS, HOP, 4)
        self.register_buffer("past", torch.zeros(1, LATENTS, 3))
        self.register_buffer("decode_params", torch.tensor([LATENTS, HOP, 1, 1]))
        self.register_buffer("weights_params", torch.tensor([1, 2, 3, 4]))  # no method, for all its name
        self.gain: tuple[float] = (1.0,)
        self.tilt: tuple[int, float, str] = (2, -0.5, "hard")
        self.hold: tuple[bool] = (False,)
        self.register_buffer("gain_params", torch.tensor([2]))
        self.register_buffer("tilt_params", torch.tensor([1, 2, 3]))
        self.register_buffer("hold_params", torch.tensor([0]))
        self.register_buffer("none_params", torch.tensor([2]))
        self.attributes = ["gain", "tilt", "hold", "none"]

    def shaped(self, z: Tensor) -> Tensor:
        heard = torch.cat([self.past, z], dim=-1)
        self.past = heard[..., heard.shape[-1] - 3 :]
        y = self.conv(heard).transpose(1, 2).reshape(z.shape[0], 1, -1)
        return torch.tanh(y * self.gain[0] + self.tilt[0] * self.tilt[1])

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.shaped(z)

    def forward(self, z: Tensor) -> Tensor:
        return z

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["decode", "forward"]

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        return self.attributes

    @torch.jit.export
    def get_gain(self) -> float:
        return self.gain[0]

    @torch.jit.export
    def set_gain(self, gain: float) -> int:
        if gain > 1.5:
            return -1
        self.gain = (gain,)
        return 0

    @torch.jit.export
    def get_tilt(self) -> tuple[int, float, str]:
        return self.tilt

    @torch.jit.export
    def set_tilt(self, steps: int, slope: float, kind: str) -> int:
        self.tilt = (steps, slope, kind)
        return 0

    @torch.jit.export
    def get_hold(self) -> tuple[bool]:
        return self.hold

    @torch.jit.export
    def set_hold(self, hold: bool) -> int:
        if hold:
            raise ValueError("nothing can be held")
        return 0


class Rated(Codec):
    """One that says its rate."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = RATE

    @torch.jit.export
    def get_sample_rate(self) -> int:
        return self.rate


class Old(Rated):
    """An older export: type codes and shapes are floats."""

    def __init__(self) -> None:
        super().__init__()
        self.decode_params = self.decode_params.float()
        self.gain_params = self.gain_params.float()
        self.attributes = ["gain"]


class Noisy(Rated):
    """One that draws."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.shaped(z + torch.randn_like(z))


class Cut(Rated):
    """One that was not made for pieces: it pads every call on both sides."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        y = self.conv(nn.functional.pad(z, (1, 2))).transpose(1, 2)
        return y.reshape(z.shape[0], 1, -1)


class Keeper(nn.Module):
    """Remembers in a list, and says itself how it is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = [torch.zeros(1)]

    def forward(self, level: Tensor) -> Tensor:
        self.heard.append(level.reshape(1))
        return torch.stack(self.heard).sum()

    @torch.jit.export
    def __getstate__(self) -> tuple[list[Tensor], bool]:
        return (self.heard, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[list[Tensor], bool]) -> None:
        self.heard = state[0]
        self.training = state[1]


class Listed(Rated):
    """One that remembers in the list of a part."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper = Keeper()

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.shaped(z) + self.keeper(z.mean())


class Fragile(Rated):
    """One that fails on large numbers."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        if bool((z > 9.0).any()):
            raise ValueError("too large for me")
        return self.shaped(z)


class Short(Rated):
    """One that gives less than it promised."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.shaped(z)[..., 1:]


class Stereo(Rated):
    """One of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.decode_params = torch.tensor([LATENTS, HOP, 2, 1])

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        y = self.shaped(z)
        return torch.cat([y, 3 * y], dim=1)


class Both(Rated):
    """One with an encoder: of every four samples the mean, the first and some chance."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("encode_params", torch.tensor([1, 1, LATENTS, HOP]))

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        fours = x.reshape(x.shape[0], -1, 4)
        drawn = torch.randn(fours.shape[:2])
        return torch.stack([fours.mean(dim=-1), fours[..., 0], drawn], dim=1)

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["encode", "decode", "forward"]


class Effect(nn.Module):
    """An effect: sound in, sound out."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("forward_params", torch.tensor([1, 1, 1, 1]))

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return ["forward"]


class Plain(nn.Module):
    """Any other module."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Bait(nn.Module):
    """One that writes a file when it is loaded, and when asked for its methods."""

    def __init__(self, target: Path) -> None:
        super().__init__()
        self.target = str(target)

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def get_methods(self) -> list[str]:
        torch.save(torch.zeros(1), self.target)
        return ["decode"]

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return (self.target, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.target = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), self.target)


MODULES = (Codec, Rated, Old, Noisy, Cut, Listed, Fragile, Short, Stereo, Both, Effect, Plain)


def saved(module: nn.Module, path: Path) -> Path:
    """Save a module as its own exporter would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.jit as a whole
        torch.jit.save(torch.jit.script(module.eval()), path)
    return path


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give a file of every module above, by the class's name."""
    folder = tmp_path_factory.mktemp("exports")
    return {kind.__name__: saved(kind(), folder / f"{kind.__name__.lower()}.ts") for kind in MODULES}


@pytest.fixture
def make(exports: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Put an export into the test's own folder and give its path."""

    def copy(name: str) -> Path:
        if name == "Bait":
            return saved(Bait(tmp_path / "owned"), tmp_path / "bait.ts")
        return Path(shutil.copy(exports[name], tmp_path))

    return copy


@pytest.fixture
def load(make: Callable[[str], Path]) -> Callable[[str], Model]:
    """Load a module as a model, allowed for once."""
    return lambda name: load_model(make(name), allow_code=True)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(finding, "_SHIPPED", tmp_path / "shipped")
