"""What oscillators are told where they sound alike always: the excitation of a network that plays notes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synthhost.core.note_frames import AIR, GAIN, OSCILLATOR_CHANNELS, TILT
from synthhost.streaming.channels import ChannelWise

SILENT_NATS = -30.0
"""The logarithm of an amplitude that nobody hears."""

_SET = ((GAIN, 1.0), (TILT, 0.0), (AIR, 1.0))


class FixedLevels(ChannelWise):
    """The oscillators' channels of frames, with hands taken off them, and fixed levels beside.

    Pitch and place go through to the bit, so what follows sounds at the pitch of the frames, whatever level,
    tilt and air they say.

    Attributes:
        weight: `[OSCILLATOR_CHANNELS]`: 1 where a channel goes through, 0 where it is set.
        bias: `[OSCILLATOR_CHANNELS]`: what it is set to.
        levels: `[harmonics + bands]`: logarithms of amplitudes.
    """

    weight: Tensor
    bias: Tensor
    levels: Tensor

    def __init__(self, harmonics: tuple[float, ...], bands: tuple[float, ...]) -> None:
        """Take the amplitudes of harmonics and the root mean squares of bands, 0 for what is silent."""
        super().__init__()
        weight, bias = torch.ones(OSCILLATOR_CHANNELS), torch.zeros(OSCILLATOR_CHANNELS)
        for channel, value in _SET:
            weight[channel], bias[channel] = 0.0, value
        told = [math.log(one) if one > 0.0 else SILENT_NATS for one in (*harmonics, *bands)]
        self.in_channels, self.out_channels = OSCILLATOR_CHANNELS, OSCILLATOR_CHANNELS + len(told)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.register_buffer("levels", torch.tensor(told), persistent=False)

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Return the frames. [render thread]"""
        weight, bias, levels = (
            one[:, None] if channel_axis == 1 else one for one in (self.weight, self.bias, self.levels)
        )
        shape = list(x.shape)
        shape[channel_axis] = levels.shape[0]
        own = x * weight + bias
        return torch.cat((own, levels.to(x.dtype).expand(shape)), channel_axis)
