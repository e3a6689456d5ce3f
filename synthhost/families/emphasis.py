"""Sound as a diffusion hears it: high tones lifted and all of it louder, so that its last noise lies low.

What a few steps leave of the noise is even over all tones, and music falls with them. A filter of one zero
evens it out before anything is learned (as speech coders do); what is played is filtered back, by a short
finite filter, which looks back only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.named_layers import looking_back
from synthhost.streaming.graph import GraphBuilder, Stream

_LEFT = 1e-3  # of the filter's response, where it is cut
_MOST_TAPS = 512


@dataclass(frozen=True, slots=True)
class Emphasis:
    """How sound is changed before it is learned.

    Attributes:
        coefficient: Sample n less this much of sample n - 1; 0: not at all.
        gain: Then this much louder.
    """

    coefficient: float
    gain: float

    def as_json(self) -> dict[str, float]:
        """Return a plain mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], title: str) -> Emphasis | None:
        """Read a network's `emphasis`, if it has any.

        Raises:
            ConfigError: One of its values is missing, of the wrong type or out of range, or not known.
        """
        own = plain.get("emphasis")
        if own is None:
            return None
        if not isinstance(own, Mapping):
            raise ConfigError(f"{title} emphasis: must hold a coefficient and a gain, not {own!r}.")
        read = HyperReader(f"{title} emphasis:", own, cls.__dataclass_fields__)
        return cls(read.real("coefficient", 0.0, 0.98), read.real("gain", 1e-3, 1e3))

    def lifted(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return sounds, `[..., samples]`, as they are learned; before their begin there is nothing."""
        before = np.concatenate((np.zeros_like(sound[..., :1]), sound[..., :-1]), -1)
        return np.asarray(self.gain * (sound - self.coefficient * before), np.float32)

    def lowered(self, sound: Tensor) -> Tensor:
        """Return sounds, `[batch, samples]`, as they were before they were lifted."""
        response = self._response().to(sound)
        padded = F.pad(sound[:, None], (response.shape[0] - 1, 0))
        return F.conv1d(padded, response[None, None])[:, 0]

    def lay_lowered(self, graph: GraphBuilder, stream: Stream, like: Tensor) -> Stream:
        """Lay what turns such a sound back, computed as `like` is; return it."""
        response = self._response()
        layer = looking_back(1, 1, response.shape[0]).to(like)
        with torch.no_grad():
            layer.weight.copy_(response[None, None])
            assert layer.bias is not None
            layer.bias.zero_()
        layer.requires_grad_(False)
        return graph.add("lowered", layer, stream)

    def _response(self) -> Tensor:
        """Return the filter that lowers, the oldest sample first, `[taps]`."""
        taps = 1
        if self.coefficient > 0.0:
            taps = min(1 + math.ceil(math.log(_LEFT) / math.log(self.coefficient)), _MOST_TAPS)
        return torch.tensor([self.coefficient**back / self.gain for back in range(taps - 1, -1, -1)])
