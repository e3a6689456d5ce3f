"""What the importers of WaveGAN's implementations share: weights taken one by one, models put together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from synthhost.checkpoints.layout import ReadModel, check_tensors
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.wavegan_layers import Norm, Upsampling, hyper_of, named
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

_STRIDES = MappingProxyType(
    {16384: (4,) * 5, 32768: (4,) * 5 + (2,), 65536: (4,) * 6}
)  # by the clip's samples
_DEFAULT_SAMPLE_RATE = 16000  # Hz, of both implementations
_LOWEST_RATE, _HIGHEST_RATE = 1000, 384_000


class Weights:
    """The tensors of one generator, each taken once.

    Attributes:
        place: What messages call the file.
        layout: What they call the implementation.
    """

    def __init__(self, place: str, layout: str, tensors: Mapping[str, Tensor]) -> None:
        self.place, self.layout = place, layout
        self._left = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, axes: int) -> Tensor:
        """Return a tensor in single precision.

        Raises:
            CheckpointError: It is missing, or has another number of axes or no numbers.
        """
        if name not in self._left:
            raise CheckpointError(f"{self.place}: {name} is missing. Fetch the checkpoint again.")
        tensor = self._left.pop(name)
        if tensor.ndim != axes or not tensor.is_floating_point() or not all(tensor.shape):
            raise self.misfit(name, tensor)
        return tensor.float()

    def norm(self, base: str, leaves: tuple[str, str, str, str], channels: int, epsilon: float) -> Norm:
        """Return a normalisation; `leaves` name its gamma, beta, mean and variance.

        Raises:
            CheckpointError: A part is missing or of another width.
        """
        parts = [self.take(f"{base}{leaf}", 1) for leaf in leaves]
        for part in parts:
            if part.shape[0] != channels:
                raise self.misfit(base, part)
        gamma, beta, mean, variance = parts
        return Norm(gamma, beta, mean, variance, epsilon)

    def misfit(self, name: str, tensor: Tensor) -> CheckpointError:
        """Return the error about a tensor of a shape that cannot be."""
        return CheckpointError(
            f"{self.place}: {name} of shape {list(tensor.shape)} fits no {self.layout} generator. "
            "The file holds another model."
        )

    def refuse_left_over(self) -> None:
        """Refuse tensors that nothing took.

        Raises:
            CheckpointError: There are some.
        """
        if self._left:
            listed = ", ".join(sorted(self._left)[:5])
            raise CheckpointError(
                f"{self.place}: no {self.layout} generator has {listed}. The file holds another model."
            )


def clip_strides(place: str, layers: int, settings: Settings, key: str, config: str) -> tuple[int, ...]:
    """Return the strides of the layers: by what the configuration says of a clip, else by their number.

    Args:
        place: What messages call the file.
        layers: How many there are.
        settings: The configuration, perhaps an empty one.
        key: Under which it tells the samples of a clip.
        config: The name it usually has.

    Raises:
        CheckpointError: The configuration does not fit the layers, or their number does not tell.
    """
    fitting = [length for length, strides in _STRIDES.items() if len(strides) == layers]
    if not fitting:
        raise CheckpointError(f"{place}: {layers} upsampling layers; a WaveGAN generator has 5 or 6.")
    if key in settings:
        length = settings.whole(key, 1, max(_STRIDES))
        if length not in fitting:
            raise settings.error(key, f"is {length}, but the weights have {layers} layers.")
        return _STRIDES[length]
    if len(fitting) > 1:
        raise CheckpointError(
            f"{place}: its {layers} layers make clips of {' or '.join(map(str, fitting))} samples, and the "
            f"weights do not show which. Put the training's {config} beside them or name it with --config."
        )
    return _STRIDES[fitting[0]]


def sample_rate(settings: Settings, key: str) -> int:
    """Return the sample rate in Hz, or both implementations' default where the configuration tells none.

    Raises:
        CheckpointError: It is none that can be played.
    """
    return settings.whole(key, _LOWEST_RATE, _HIGHEST_RATE) if key in settings else _DEFAULT_SAMPLE_RATE


def put_together(
    weights: Weights,
    dense: dict[str, Tensor],
    layers: list[Upsampling],
    post_filter: Tensor | None,
    prior: str,
    rate: int,
) -> ReadModel:
    """Return the whole model under the family's names.

    Args:
        weights: Of which nothing may be left.
        dense: The dense layer's tensors.
        layers: Those after it.
        post_filter: `[1, 1, taps]`, or None.
        prior: What latent vectors are drawn from.
        rate: In Hz.

    Raises:
        CheckpointError: Something is left over, or does not fit together.
    """
    weights.refuse_left_over()
    tensors = {**dense, **named(layers)}
    if post_filter is not None:
        tensors["pp_filt.weight"] = post_filter
    taps = 0 if post_filter is None else post_filter.shape[2]
    hyper = hyper_of(dense["z_project.weight"].shape[2], layers, taps, prior)
    kind = family("wavegan")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{weights.place}: {error}") from error
    check_tensors(weights.place, tensors, expected)
    return ReadModel(weights.layout, "wavegan", hyper, None, tensors, rate)
