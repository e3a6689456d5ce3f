"""The GPUs that a run computes on: what is computed there is equal to the bit on the same kind only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from synthhost.core.computing import CPU, DEVICE
from synthhost.host.plan import Plan


def gpus_in(plan: Plan) -> list[str]:
    """Return the names of this machine's GPUs if a track of a plan is computed on one, or none."""
    if not any(_device_of(track) != CPU for track in plan.set.get("tracks", ())):
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _device_of(track: Mapping[str, Any]) -> str:
    preset = track.get("preset")
    options = preset.get("options") if isinstance(preset, Mapping) else None
    return str((options or {}).get(DEVICE.name, track.get("device", CPU)))
