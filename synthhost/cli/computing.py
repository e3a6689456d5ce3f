"""The options that say what computes models, the same for every command that plays or measures one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

BackendOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="native or torch, which is met or refused; auto takes native where it can, live the faster one."
    ),
]
ModelDeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Where models are computed: cpu, cuda or cuda:N (`live --device` is the sound device)."
    ),
]
DeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--device", "--model-device", help="Where models are computed: cpu, cuda or cuda:N."),
]
