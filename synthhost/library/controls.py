"""What a model's streams can be told, read off its manifest: nothing is loaded, and no program runs."""

from __future__ import annotations

from synthhost.core.params import ParamSpec
from synthhost.families.registry import family
from synthhost.families.torchscript import ScriptHyper
from synthhost.schema.manifest import Manifest


def controls_of(manifest: Manifest) -> tuple[ParamSpec, ...]:
    """Return the controls a model has, such as temperature; of a TorchScript program its attributes too.

    Whether a program draws at all is known once it is loaded; its `seed` is counted in.

    Raises:
        ConfigError: The manifest says something that cannot be a model.
    """
    kind = family(manifest.family)
    hyper = kind.hyper_from_json(manifest.hyper)
    own = hyper.controls if isinstance(hyper, ScriptHyper) else ()
    return (*(one.control().spec for one in own), *kind.controls)


def latent_dimensions(manifest: Manifest) -> int:
    """Return how many latent dimensions a model takes, 0 if it takes none.

    Raises:
        ConfigError: As `controls_of`.
    """
    if manifest.mel is not None:
        return 0
    return family(manifest.family).hyper_from_json(manifest.hyper).bands
