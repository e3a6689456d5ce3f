"""SampleRNN (Mehri et al. 2017): recurrent tiers at falling rates condition a perceptron that draws samples.

Layers and their names follow deepsound-project/samplernn-pytorch. `forward` is the network in torch, for
training and as the oracle; it is played by a compiled loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.core.errors import FeatureError
from synthhost.core.options import FLOAT32, PRECISION, OptionValue, precision_option
from synthhost.families.family import SEED, TEMPERATURE, Family
from synthhost.families.samplernn_hyper import HOP_SAMPLES, SampleRnnHyper
from synthhost.families.weights import fill_parameters
from synthhost.native.compiled import compiled
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.repeat import Repeat

if TYPE_CHECKING:  # it may not have been compiled
    from synthhost.native._loops import SampleRnnLoop


class SampleRnn(Autoregressive):
    """The whole network. Ids 0 to q_levels - 1 are levels `2 * id / q_levels - 1`, before a mu-law or none.

    A recurrent tier works in bursts, at every sample its span divides: in the published shape every 16th
    sample multiplies about seven times as much as usual ones, every 64th twelve times. A hop holds all
    of them there, so whole hops cost alike; a tier whose span exceeds the hop makes some hops dearer.
    """

    def __init__(self, hyper: SampleRnnHyper) -> None:
        super().__init__()
        self.hyper = hyper
        self.conditioner = Repeat(HOP_SAMPLES)
        tiers = zip(hyper.spans, hyper.frame_sizes, strict=True)
        self._tiers = tuple(FrameTier(hyper, span, size) for span, size in tiers)
        self.frame_level_rnns = nn.ModuleList(self._tiers)
        self.sample_level_mlp = SampleMlp(hyper)

    def forward(self, ids: Tensor, hidden: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Return the log-probabilities of the samples that follow, and what continues from there.

        Args:
            ids: `[batch, look_back_samples + samples - 1]`; the first `look_back_samples` come before what
                is predicted, and `samples` is a multiple of that.
            hidden: Of each tier, the lowest first, `[n_rnn, batch, dim]`, as returned; None begins anew.

        Returns:
            `[batch, samples, q_levels]`, and the hidden states.

        Raises:
            FeatureError: So many ids fill no whole frames.
        """
        look_back = self.hyper.look_back_samples
        if ids.shape[1] < 2 * look_back - 1 or (ids.shape[1] + 1) % look_back:
            raise FeatureError(
                f"{ids.shape[1]} ids; give {2 * look_back - 1}, or {look_back}, {2 * look_back} ... more."
            )
        condition: Tensor | None = None
        after: list[Tensor] = []
        for place in reversed(range(len(self._tiers))):
            frames = self._frames(ids, self.hyper.spans[place])
            before = None if hidden is None else hidden[place]
            condition, state = self._tiers[place](frames, condition, before)
            after.insert(0, state)
        recent = ids[:, look_back - self.hyper.frame_sizes[0] :]
        predicted: Tensor = self.sample_level_mlp(recent, condition)
        return predicted, after

    def loop(self, *, precision: str = "", level: str = "") -> SampleRnnLoop:
        """Lay the weights out for the compiled loop; again after weights changed."""
        tiers, mlp = self._tiers, self.sample_level_mlp
        loop: SampleRnnLoop = compiled().SampleRnnLoop(
            inputs=[_array(tier.input_expand.weight[:, :, 0]) for tier in tiers],
            input_biases=[_array(tier.input_expand.bias) for tier in tiers],
            from_inputs=[tier.of_all_layers("weight_ih") for tier in tiers],
            from_input_biases=[tier.of_all_layers("bias_ih") for tier in tiers],
            from_hiddens=[tier.of_all_layers("weight_hh") for tier in tiers],
            from_hidden_biases=[tier.of_all_layers("bias_hh") for tier in tiers],
            starts=[_array(tier.h0) for tier in tiers],
            upsamplings=[_array(tier.upsampling.conv_t.weight.permute(2, 1, 0)) for tier in tiers],
            upsampling_biases=[_array(tier.upsampling.bias.T) for tier in tiers],
            taps=mlp.table(),
            hidden=_array(mlp.hidden.weight[:, :, 0]),
            hidden_bias=_array(mlp.hidden.bias),
            output=_array(mlp.output.weight[:, :, 0]),
            output_bias=_array(mlp.output.bias),
            companding=self.hyper.companding,
            precision=precision or FLOAT32,
            level=level,
        )
        return loop

    def _frames(self, ids: Tensor, span: int) -> Tensor:
        """Return what a tier sees, `[batch, frames, span]`, in -2 to 2: the published scale."""
        seen = ids[:, self.hyper.look_back_samples - span : ids.shape[1] - span + 1]
        levels = 2.0 * (2.0 * seen.to(self.sample_level_mlp.output.weight.dtype) / self.hyper.q_levels - 1.0)
        return levels.reshape(ids.shape[0], -1, span)


class SampleRnnVoice(Autoregressive):
    """A network as it is played, its weights stored in some precision."""

    def __init__(self, network: SampleRnn, precision: str) -> None:
        super().__init__()
        self.network = network
        self.conditioner = network.conditioner
        self.precision = precision

    def loop(self, *, precision: str = "", level: str = "") -> SampleRnnLoop:
        """Lay the weights out for the recurrence; again after weights changed."""
        return self.network.loop(precision=precision or self.precision, level=level)


class FrameTier(nn.Module):
    """One recurrent tier: from the samples of a frame and its place in the frame above to frames below."""

    def __init__(self, hyper: SampleRnnHyper, span: int, frame_size: int) -> None:
        super().__init__()
        self.h0 = nn.Parameter(torch.zeros(hyper.n_rnn, hyper.dim))
        self.input_expand = nn.Conv1d(span, hyper.dim, 1)
        self.rnn = nn.GRU(hyper.dim, hyper.dim, hyper.n_rnn, batch_first=True)
        self.upsampling = Upsampling(hyper.dim, frame_size)

    def forward(self, frames: Tensor, above: Tensor | None, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the conditions of the tier below, `[batch, frames * frame_size, dim]`, and the hidden state.

        Args:
            frames: `[batch, frames, span]`.
            above: Conditions from the tier above, `[batch, frames, dim]`; None for the highest.
            hidden: `[n_rnn, batch, dim]`; None begins anew.
        """
        x = self.input_expand(frames.transpose(1, 2)).transpose(1, 2)
        if above is not None:
            x = x + above
        if hidden is None:
            hidden = self.h0[:, None].expand(-1, frames.shape[0], -1).contiguous()
        y, hidden = self.rnn(x, hidden)
        assert hidden is not None
        return self.upsampling(y), hidden

    def of_all_layers(self, name: str) -> NDArray[np.float32]:
        """Return one of the recurrent layers' tensors, such as `weight_hh`, as `[n_rnn, 3 * dim, ...]`."""
        layers = range(self.rnn.num_layers)
        return _array(torch.stack([getattr(self.rnn, f"{name}_l{layer}") for layer in layers]))


class Upsampling(nn.Module):
    """Every frame becomes `size` frames, each by its own matrix and bias."""

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(dim, size))
        self.conv_t = nn.ConvTranspose1d(dim, dim, size, size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[batch, frames, dim]` into `[batch, frames * size, dim]`."""
        y: Tensor = self.conv_t(x.transpose(1, 2)) + self.bias.repeat(1, x.shape[1])
        return y.transpose(1, 2)


class SampleMlp(nn.Module):
    """The lowest tier: from the latest samples and a condition to the next one's log-probabilities."""

    def __init__(self, hyper: SampleRnnHyper) -> None:
        super().__init__()
        self.embedding = nn.Embedding(hyper.q_levels, hyper.q_levels)  # not `dim` wide
        self.input = nn.Conv1d(hyper.q_levels, hyper.dim, hyper.frame_sizes[0], bias=False)
        self.hidden = nn.Conv1d(hyper.dim, hyper.dim, 1)
        self.output = nn.Conv1d(hyper.dim, hyper.q_levels, 1)

    def forward(self, ids: Tensor, condition: Tensor) -> Tensor:
        """Return `[batch, samples, q_levels]`.

        Args:
            ids: `[batch, frame_size + samples - 1]`.
            condition: `[batch, samples, dim]`.
        """
        heard = self._looked_up(ids) if self.training else self._embedded(ids)
        x = _by_row(self.hidden, F.relu(heard + condition))
        return F.log_softmax(_by_row(self.output, F.relu(x)), dim=2)

    def _embedded(self, ids: Tensor) -> Tensor:
        heard: Tensor = self.input(self.embedding(ids).transpose(1, 2))
        return heard.transpose(1, 2)

    def _looked_up(self, ids: Tensor) -> Tensor:
        """Return what the first layer makes of ids: rows of its table added up, which learns a lot faster."""
        taps, levels = self.input.kernel_size[0], self.embedding.num_embeddings
        table = torch.einsum("dek,qe->kqd", self.input.weight, self.embedding.weight).flatten(0, 1)
        places = ids.unfold(1, taps, 1) + levels * torch.arange(taps, device=ids.device)
        rows = F.embedding_bag(places.flatten(0, 1), table, mode="sum")
        return rows.reshape(ids.shape[0], -1, rows.shape[1])

    def table(self) -> NDArray[np.float32]:
        """Return what an id at each place adds to the first layer, `[frame_size, q_levels, dim]`.

        Embedding and convolution together have no more numbers than the convolution alone.
        """
        rows = torch.einsum("dek,qe->kqd", self.input.weight.double(), self.embedding.weight.double())
        return _array(rows)


def build(hyper: SampleRnnHyper) -> SampleRnn:
    """Return the network with fresh random weights."""
    return SampleRnn(hyper)


def tensor_names(hyper: SampleRnnHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its published name, less the prefix `model.`, with its shape."""
    with torch.device("meta"):
        network = build(hyper)
    return {name: tuple(tensor.shape) for name, tensor in network.named_parameters()}


def load_weights(network: SampleRnn, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by those names; every tensor is used and every one of the network's is filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill_parameters(dict(network.named_parameters()), tensors)


def play(network: SampleRnn, options: Mapping[str, OptionValue]) -> SampleRnnVoice:
    """Return the network as it is played under options."""
    return SampleRnnVoice(network, str(options[PRECISION]))


def _by_row(layer: nn.Conv1d, rows: Tensor) -> Tensor:
    """Return what a convolution of one tap makes of `[batch, samples, channels]`, as one matrix product."""
    return F.linear(rows, layer.weight[:, :, 0], layer.bias)


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


FAMILY = Family(
    name="samplernn",
    title="SampleRNN",
    hyper_from_json=SampleRnnHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    controls=(TEMPERATURE, SEED),
    options=(precision_option("float16"),),
    play=play,
)
