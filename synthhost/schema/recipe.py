"""What a model is trained from and how, as YAML beside the model."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from synthhost.schema.manifest import Line, Slug, Text
from synthhost.schema.reading import Document


class Recipe(Document):
    """`recipe.yaml` of a model: enough to train it again."""

    kind: ClassVar[str] = "recipe"

    synthhost: str
    name: Slug
    about: Text = ""
    task: Slug  # what is learned, and from what kind of material
    licence: Line = "CC0-1.0"
    source: Text = ""  # of the material, with its authors
    hyper: dict[str, Any] = Field(default_factory=dict)  # of the network; read by its family
    material: dict[str, Any] = Field(default_factory=dict)  # read by the task
    settings: dict[str, Any] = Field(default_factory=dict)  # of losses and the like; read by the task
    begins_from: Text = ""  # the model whose weights it begins with, by name or path; empty: fresh ones
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    steps: Annotated[int, Field(ge=1, le=10_000_000)]
    batch: Annotated[int, Field(ge=1, le=1_000_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    final_rate: Annotated[float, Field(gt=0, le=1)] = 0.05  # of the rate, where the cosine ends
    warm_up_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    most_gradient: Annotated[float, Field(gt=0)] = 5.0  # norm to which gradients are clipped
    save_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    show_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
