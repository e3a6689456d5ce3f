"""WaveNet is played by its loop as its graph gives it, whole and in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import measuring_frames
from synthhost.core.specs import MelSpec
from synthhost.families.note_input import NoteInput
from synthhost.families.registry import family
from synthhost.families.wavenet import Wavenet, WavenetVoice
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model
from synthhost.streaming.block import AnyBlock

BANDS, FRAMES = 6, 9
FREE = {"kind": "none", "channels": 0, "scales": [64]}
STRETCH = {"kind": "stretch", "channels": BANDS, "scales": [2, 3], "kernel_in": 3}
SOFTMAX = {"levels": 19.0, "companding": 19.0, "de_emphasis": 0.0, "gain": 1.0, "start": 9.0}
SOUND = {"levels": 255.0, "companding": 0.0, "de_emphasis": 0.85, "gain": 2.0, "start": 0.0}
NOTE_INPUT = {
    "sample_rate": 16000,
    "hop_samples": 6,
    "dimensions": 2,
    "release_s": 0.1,
    "lowest": 40.0,
    "highest": 80.0,
    "voices": 2,
    "harmonics": 9,
    "hidden": 11,
    "width": 4,
    "settled_s": 1.0,
}
NOTES = {
    "kind": "notes",
    "channels": NoteInput.from_json(NOTE_INPUT).notes.bands,
    "scales": [6],
    "notes": NOTE_INPUT,
}
PLAIN: dict[str, Any] = {
    "dilations": [1, 2, 4, 1, 2, 4],
    "kernel_size": 3,
    "residual_channels": 7,
    "gate_channels": 10,
    "skip_channels": 9,
    "head_channels": 8,
    "out_channels": 20,
    "scalar_input": False,
    "gate": "tanh-sigmoid",
    "residual_scale": 0.5**0.5,
    "skip": "root",
    "condition_bias": False,
    "conditioning": STRETCH,
    "output": {"distribution": "softmax", **SOFTMAX},
}
KINDS: dict[str, dict[str, Any]] = {
    "ids, smoothed frames": {},
    "ids, free": {"conditioning": FREE, "kernel_size": 2, "residual_scale": 1.0, "skip": "sum"},
    "mixture, three bands smoothed": {
        "scalar_input": True,
        "out_channels": 12,
        "conditioning": {**STRETCH, "neighbours": 3, "slope": 0.4, "statistics": True},
        "output": {"distribution": "logistics", **SOUND},
    },
    "normal, transposed": {
        "scalar_input": True,
        "out_channels": 2,
        "skip": "halving",
        "condition_bias": True,
        "conditioning": {**STRETCH, "kind": "transposed", "kernel_in": 0, "neighbours": 3, "slope": 0.0},
        "output": {"distribution": "normal", **SOUND},
    },
    "amplitudes, rectifier": {
        "scalar_input": True,
        "gate": "relu",
        "head_channels": 0,
        "conditioning": FREE,
        "output": {"distribution": "softmax", **SOFTMAX, "start": 0.0},
    },
    "ids, windows, speakers": {
        "conditioning": {"kind": "window", "channels": BANDS, "scales": [5], "window": 17},
        "gin_channels": 3,
        "n_speakers": 4,
        "condition_bias": True,
    },
    "ids, frames repeated": {"conditioning": {"kind": "repeat", "channels": BANDS, "scales": [4]}},
    "ids, notes": {"conditioning": NOTES},
}
CONDITIONED = [name for name, change in KINDS.items() if change.get("conditioning") is not FREE]
Array = NDArray[Any]


def package(name: str) -> Package:
    """Make a small model with loud random weights."""
    plain = {**PLAIN, **KINDS[name]}
    hyper = WavenetHyper.from_json(plain)
    torch.manual_seed(8)
    tensors = {
        key: torch.randn(shape) * (1.5 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1)
        for key, shape in family("wavenet").tensor_names(hyper).items()
    }
    if "scaler.scale" in tensors:
        tensors["scaler.scale"] = tensors["scaler.scale"].abs() + 1.0
    mel = MelSpec("r9y9", 16000, 64, hyper.hop_samples, 32, BANDS, 0.0, 8000.0, "log10", 1e-10)
    conditions = mel if hyper.bands == BANDS else None
    read = ReadModel("test", "wavenet", hyper.as_json(), conditions, tensors, 16000)
    return Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors)


@pytest.fixture(scope="module")
def models() -> Callable[[str], Model]:
    made: dict[str, Model] = {}

    def of(name: str) -> Model:
        if name not in made:
            made[name] = Model(package(name))
        return made[name]

    return of


def frames(model: Model, count: int = FRAMES) -> Array:
    if model.spec.notes is not None:
        return measuring_frames(model.spec.notes, 16000, model.spec.hop_samples, count)
    return np.random.default_rng(count).standard_normal((model.spec.bands, count)).astype(np.float32)


def network_of(model: Model) -> Wavenet:
    assert isinstance(model.playable, WavenetVoice)
    return model.playable.network


def looped(model: Model, temperature: float) -> tuple[Tensor | None, Array, Array, Array, Array]:
    """Return conditions, uniforms, normals, sound and values of the loop run by itself."""
    network = network_of(model)
    with torch.inference_mode():
        up = network.conditioner(torch.from_numpy(frames(model))[None])
    samples = up.shape[2]
    condition = np.ascontiguousarray(up[0].numpy().T)
    loop = model.playable.loop()
    draw = np.random.default_rng(1)
    uniforms = draw.random((samples, loop.uniforms))
    normals = draw.standard_normal((samples, loop.normals)).astype(np.float32)
    out, values = np.empty(samples, np.float32), np.empty(samples, np.float32)
    loop.run(condition, uniforms, normals, temperature, loop.new_state(), out, values)
    return up if model.spec.bands else None, uniforms, normals, out, values


def heard_by(network: Wavenet, out: Array, values: Array) -> Tensor:
    """Return what a voice heard that drew these values."""
    start = network.hyper.output.start
    if not network.hyper.scalar_input:
        return torch.from_numpy(np.concatenate(([start], values[:-1])).astype(np.int64))[None]
    amplitudes = out if network.hyper.output.distribution == "softmax" else values
    return torch.from_numpy(np.concatenate(([start], amplitudes[:-1])).astype(np.float32))[None]


def drawn(kind: str, last: Array, uniforms: Array, normals: Array) -> Array:
    """Draw by the published rules, temperature 1, from outputs `[samples, outputs]`."""
    if kind == "softmax":
        powers = np.exp(last - last.max(axis=1, keepdims=True))
        return np.asarray(((powers.cumsum(1) / powers.sum(1, keepdims=True)) <= uniforms).sum(axis=1))
    if kind == "normal":
        return np.asarray(np.clip(last[:, 0] + np.exp(last[:, 1]) * normals[:, 0], -1.0, 1.0))
    mixtures, u = last.shape[1] // 3, uniforms
    best = (last[:, :mixtures] - np.log(-np.log(u[:, :mixtures]))).argmax(axis=1)[:, None]
    mean, scale = (np.take_along_axis(last, best + n * mixtures, 1)[:, 0] for n in (1, 2))
    noise = np.log(u[:, mixtures]) - np.log(1.0 - u[:, mixtures])
    return np.asarray(np.clip(mean + np.exp(scale) * noise, -1.0, 1.0))


@pytest.mark.parametrize("name", KINDS)
def test_the_loop_draws_from_what_the_graph_gives(models: Callable[[str], Model], name: str) -> None:
    model = models(name)
    network = network_of(model)
    up, uniforms, normals, out, values = looped(model, 1.0)
    with torch.inference_mode():
        last = network(heard_by(network, out, values), up)[0].T.double().numpy()
    expected = drawn(network.hyper.output.distribution, last, uniforms, normals)
    np.testing.assert_allclose(values, expected, atol=2e-5, rtol=0)
    assert len(set(values)) > 5


@pytest.mark.parametrize("name", KINDS)
def test_predictions_under_what_was_heard_are_the_graphs(models: Callable[[str], Model], name: str) -> None:
    model = models(name)
    network, loop = network_of(model), model.playable.loop()
    up, _, _, out, values = looped(model, 1.0)
    condition = np.zeros((len(out), 0), np.float32) if up is None else np.ascontiguousarray(up[0].numpy().T)
    predicted, state = np.empty((len(out), loop.outputs), np.float32), loop.new_state()
    for first, last in ((0, 1), (1, 20), (20, len(out))):
        loop.predict(condition[first:last], values[first:last], state, predicted[first:last])
    with torch.inference_mode():
        expected = network(heard_by(network, out, values), up)[0].T.numpy()
    np.testing.assert_allclose(predicted, expected, atol=5e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_temperature_0_takes_the_likeliest(models: Callable[[str], Model], name: str) -> None:
    model = models(name)
    network = network_of(model)
    up, _, _, out, values = looped(model, 0.0)
    with torch.inference_mode():
        last = network(heard_by(network, out, values), up)[0].T.numpy()
    kind, mixtures = network.hyper.output.distribution, last.shape[1] // 3
    if kind == "softmax":
        np.testing.assert_array_equal(values, last.argmax(axis=1))
        return
    best = (
        last[:, :mixtures].argmax(axis=1)[:, None] + mixtures
        if kind == "logistics"
        else np.zeros((1, 1), int)
    )
    means = np.take_along_axis(last, np.broadcast_to(best, (len(last), 1)), 1)[:, 0]
    np.testing.assert_allclose(values, means.clip(-1.0, 1.0), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_a_render_is_the_loop_over_the_whole_conditions(models: Callable[[str], Model], name: str) -> None:
    model = models(name)
    up, uniforms, normals, out, _ = looped(model, 1.0)
    given = {"features": frames(model)} if up is not None else {"samples": len(out)}
    tapes = {name: tape for name, tape in (("uniforms", uniforms), ("noise", normals)) if tape.size}
    sound = model.render(**given, **tapes)
    np.testing.assert_allclose(sound, out, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(list(KINDS)),
    cuts=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any),
    chunk_frames=st.integers(1, 4),
)
def test_any_chunking_gives_the_same_samples(
    models: Callable[[str], Model], name: str, cuts: list[int], chunk_frames: int
) -> None:
    model = models(name)
    whole = np.concatenate([(stream := model.stream(seed=3)).push(frames(model, sum(cuts))), stream.flush()])
    assert whole.size == sum(cuts) * model.spec.hop_samples
    stream = model.stream(chunk_frames, seed=3)
    pieces = np.split(frames(model, sum(cuts)), np.cumsum(cuts)[:-1], axis=1)
    sound = np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()])
    np.testing.assert_array_equal(sound, whole)


@pytest.mark.parametrize("name", ["mixture, three bands smoothed", "ids, free"])
def test_a_copied_state_goes_on_as_the_first_would_have(models: Callable[[str], Model], name: str) -> None:
    runner, hop = models(name).runner, models(name).spec.hop_samples
    given, out = frames(models(name), 12)[None], np.zeros((1, 12 * hop), np.float32)
    whole, state = np.zeros_like(out), runner.new_state()
    runner.step(given, state, whole)
    state = runner.new_state()
    begun = runner.step(given[:, :, :7], state, out)
    copied = state.copy()
    runner.step(given[:, :, 2:7], state, out)  # must not disturb the copy
    count = runner.step(given[:, :, 7:], copied, out)
    np.testing.assert_array_equal(out[:, :count], whole[:, begun : begun + count])


@pytest.mark.parametrize("name", ["ids, smoothed frames", "normal, transposed", "ids, free"])
def test_three_voices_in_one_batch_sound_as_three_alone(models: Callable[[str], Model], name: str) -> None:
    runner, hop = models(name).runner, models(name).spec.hop_samples
    given = np.stack([frames(models(name)), frames(models(name))[:, ::-1], 0.5 * frames(models(name))])

    def played(voices: Array, seeds: tuple[int, ...]) -> Array:
        out = np.zeros((len(seeds), FRAMES * hop), np.float32)
        state = runner.new_state(len(seeds), SeededDraws(seeds))
        begun = runner.step(voices, state, out)
        runner.flush(state, out[:, begun:])
        return out

    together = played(given, (1, 2, 3))
    alone = [played(given[n : n + 1], (n + 1,))[0] for n in range(3)]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5, rtol=0)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_seed_plays_again_what_it_played_and_another_does_not(models: Callable[[str], Model]) -> None:
    model = models("ids, free")
    sounds = [model.render(samples=300, seed=seed) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert (sounds[0] != sounds[2]).any()
    stream = model.stream(seed=5)
    nothing = np.zeros((0, 2), np.float32)
    first = stream.push(nothing)
    stream.set_control("seed", 6)
    other = stream.push(nothing)
    stream.set_control("seed", 0)  # the performance's own
    last = stream.push(nothing)
    assert (np.concatenate((first, other)) != sounds[0][:256]).any()
    assert last.shape == (128,)


@pytest.mark.parametrize("name", KINDS)
def test_look_ahead_measured_by_disturbing_is_the_derived_one(
    models: Callable[[str], Model], name: str
) -> None:
    model = models(name)
    assert look_ahead_by_disturbance(model) == model.spec.look_ahead_samples
    if "windows" in name or "free" in name or "repeated" in name or "rectifier" in name:
        assert model.spec.look_ahead_samples == 0


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(CONDITIONED), cuts=st.lists(st.integers(0, 4), max_size=6))
def test_conditions_in_pieces_are_the_whole_at_once(
    models: Callable[[str], Model], name: str, cuts: list[int]
) -> None:
    model = models(name)
    block: AnyBlock = network_of(model).conditioner
    x = torch.from_numpy(frames(model, sum(cuts) + 1))[None]
    state, sent, outputs = block.new_state(), 0, []
    with torch.inference_mode():
        for length in [*cuts, 1]:
            outputs.append(block.step(x[:, :, sent : sent + length].transpose(1, 2), state))
            sent += length
            assert sum(y.shape[1] for y in outputs) == block.ready(sent)
        whole = block(x)
        pieces = torch.cat([*outputs, block.flush(state)], 1).transpose(1, 2)
    assert (pieces - whole).abs().max() <= 1e-5


def test_smoothing_is_a_nearest_stretch_and_a_picture_convolved(models: Callable[[str], Model]) -> None:
    network = network_of(models("mixture, three bands smoothed"))
    tensors = network.named_tensors()
    x = torch.from_numpy(frames(models("mixture, three bands smoothed")))[None]
    with torch.inference_mode():
        y = (x - tensors["scaler.mean"][:, None]) / tensors["scaler.scale"][:, None]
        y = F.conv1d(F.pad(y, (1, 1), mode="replicate"), tensors["upsample_net.conv_in.weight"])[:, None]
        for index, scale in enumerate((2, 3)):
            weight = tensors[f"upsample_net.upsample.up_layers.{2 * index + 1}.weight"][:, None]
            y = F.interpolate(y, scale_factor=(1.0, float(scale)), mode="nearest")
            y = F.leaky_relu(F.conv2d(y, weight, padding=(1, scale)), 0.4)
        assert (network.conditioner(x) - y[:, 0]).abs().max() <= 1e-5


def test_transposed_pictures_meet_their_neighbours_backwards(models: Callable[[str], Model]) -> None:
    network = network_of(models("normal, transposed"))
    tensors = network.named_tensors()
    x = torch.from_numpy(frames(models("normal, transposed")))[None]
    with torch.inference_mode():
        y = x[:, None]
        for index, scale in enumerate((2, 3)):
            published = tensors[f"upsample_conv.{2 * index}.weight"].flip(0).transpose(0, 1)[None]
            bias = tensors[f"upsample_conv.{2 * index}.bias"]
            y = F.relu(F.conv_transpose2d(y, published, bias, stride=(1, scale), padding=(1, 0)))
        assert (network.conditioner(x) - y[:, 0]).abs().max() <= 1e-5


def test_skips_that_halve_at_every_addition(models: Callable[[str], Model]) -> None:
    hyper = network_of(models("normal, transposed")).hyper
    total = 0.0
    for layer in range(6):
        total = 1.0 if layer == 0 else (total + 1.0) * 0.5**0.5
    assert sum(hyper.skip_scale(layer) for layer in range(6)) == pytest.approx(total)


def test_every_speaker_has_a_voice_of_their_own(models: Callable[[str], Model]) -> None:
    model = models("ids, windows, speakers")
    sounds = [model.with_options(speaker=n).render(frames(model), temperature=0.0) for n in range(4)]
    assert all((sounds[0] != other).any() for other in sounds[1:])
    network = network_of(model)
    with torch.inference_mode():
        up = network.conditioner(torch.from_numpy(frames(model))[None])
        third = model.with_options(speaker=2).playable
        assert isinstance(third, WavenetVoice)
        loop, samples = third.loop(), up.shape[2]
        out, values = np.empty(samples, np.float32), np.empty(samples, np.float32)
        condition, normals = np.ascontiguousarray(up[0].T.numpy()), np.zeros((samples, 0), np.float32)
        loop.run(condition, np.zeros((samples, 1)), normals, 0.0, loop.new_state(), out, values)
        last = network(heard_by(network, out, values), up, speaker=2)[0]
    np.testing.assert_array_equal(values, last.argmax(dim=0).numpy())


def test_a_speaker_who_is_not_there_is_refused(models: Callable[[str], Model]) -> None:
    with pytest.raises(ConfigError, match="there is no 4; there are 4, 0 to 3"):
        models("ids, windows, speakers").with_options(speaker=4)
    with pytest.raises(ConfigError, match="this model has none; leave 0"):
        models("ids, free").with_options(speaker=1)


def test_a_constant_offset_is_taken_away_and_the_network_does_not_hear_it() -> None:
    made = package("ids, free")
    output = {**made.manifest.hyper["output"], "dc_pole": 0.95}
    manifest = made.manifest.model_copy(update={"hyper": {**made.manifest.hyper, "output": output}})
    even, leaning = Model(Package(manifest, made.tensors)), Model(made)
    (*_, sound, ids), (*_, expected, same_ids) = (looped(one, 1.0) for one in (even, leaning))
    np.testing.assert_array_equal(ids, same_ids)
    last = before = 0.0
    for place, value in enumerate(expected.ravel()):
        last, before = value - before + 0.95 * last, value
        assert sound.ravel()[place] == pytest.approx(last, abs=1e-5)
    assert np.abs(sound - expected).max() > 0.01


def test_loading_weights_again_changes_the_sound() -> None:
    kind, hyper = family("wavenet"), WavenetHyper.from_json(PLAIN)
    network = kind.build(hyper)
    before = {name: tensor.clone() for name, tensor in network.named_tensors().items()}
    kind.load_weights(network, {name: 2.0 * tensor for name, tensor in before.items()})
    assert all(torch.equal(tensor, 2.0 * before[name]) for name, tensor in network.named_tensors().items())
