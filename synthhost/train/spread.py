"""Training on several GPUs or machines: what torchrun started is joined, and gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that torchrun started, for as long as the block lasts; nothing where it did not."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return which of the processes this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process tells, saves and shows."""
    return rank() == 0


def local_device(device: str) -> str:
    """Return the device of this process: with several on one machine each takes a GPU of its own."""
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        return f"cuda:{int(os.environ['LOCAL_RANK']) % max(torch.cuda.device_count(), 1)}"
    return device


def shared(network: nn.Module, device: str) -> nn.Module:
    """Return a network whose gradients are those of all processes together; itself where there is one."""
    if not distributed.is_initialized():
        return network
    return DistributedDataParallel(network, device_ids=[device] if device.startswith("cuda") else None)
