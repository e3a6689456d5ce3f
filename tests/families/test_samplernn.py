"""SampleRNN's compiled loop draws what the network in torch predicts, in pieces as in one go."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthhost.backends.loop_runner import LoopRunner
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.arrays import Audio
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import FeatureError
from synthhost.families import samplernn
from synthhost.families.samplernn import SampleRnn
from synthhost.families.samplernn_hyper import SampleRnnHyper
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model
from synthhost.native._loops import processor_levels
from synthhost.streaming.autoregressive import SampleLoop
from synthhost.streaming.timing import hop_samples, look_ahead_samples

TWO = SampleRnnHyper((4,), n_rnn=1, dim=12, q_levels=16)
THREE = SampleRnnHyper((4, 3), n_rnn=2, dim=20, q_levels=31)  # a span that no hop is a multiple of
FOUR = SampleRnnHyper((2, 2, 3), n_rnn=2, dim=33, q_levels=64)
WIDE = SampleRnnHyper((4,), n_rnn=1, dim=70, q_levels=80)  # more than a whole panel of weights
PLAIN = SampleRnnHyper((1,), n_rnn=1, dim=1, q_levels=2)
SHAPES = [TWO, THREE, FOUR, PLAIN]
COMPANDED = SampleRnnHyper((4,), n_rnn=1, dim=12, q_levels=16, companding=15.0)  # TWO, but for that


@cache
def network(hyper: SampleRnnHyper) -> SampleRnn:
    """Return a network of random weights, large enough that what it draws depends on all of them."""
    torch.manual_seed(3)
    made = samplernn.build(hyper)
    with torch.no_grad():
        for tensor in made.parameters():
            tensor.copy_(torch.randn(tensor.shape) * 1.5 / max(tensor[0].numel(), 1) ** 0.5)
    return made


@cache
def model(hyper: SampleRnnHyper) -> Model:
    """Return the same network as a model."""
    tensors = {name: tensor.detach() for name, tensor in network(hyper).named_parameters()}
    read = ReadModel("none", "samplernn", hyper.as_json(), None, tensors, 16000)
    return Model(Package(manifest_for(read, Origin("small", "CC0-1.0", "a test"), "0" * 64), tensors))


def made(loop: SampleLoop, levels: NDArray[np.float64], cuts: list[int], temperature: float = 1.0) -> Audio:
    """Run the loop over uniform values in pieces, and the rest."""
    out, state, first = np.zeros(len(levels), np.float32), loop.new_state(), 0
    for length in [*cuts, len(levels)]:
        piece = levels[first : first + length]
        run(loop, piece, state, out[first : first + length], temperature)
        first += len(piece)
    return out


def run(loop: SampleLoop, levels: NDArray[np.float64], state: Any, out: Audio, temperature: float) -> None:
    empty = np.zeros((len(levels), 0), np.float32)
    loop.run(empty, np.ascontiguousarray(levels[:, None]), empty, temperature, state, out)


def uniform(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(1e-9, 1 - 1e-9, count)


def ids_of(audio: Audio, hyper: SampleRnnHyper) -> NDArray[np.int64]:
    ids = (audio.astype(np.float64) + 1) * hyper.q_levels / 2
    assert np.abs(ids - np.rint(ids)).max() < 1e-4
    return np.rint(ids).astype(np.int64)


def predictions(hyper: SampleRnnHyper, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what torch predicts for each id from those before it, silence before them, in one pass."""
    silence = np.full(hyper.look_back_samples, hyper.q_levels // 2)
    heard = torch.from_numpy(np.concatenate([silence, ids[:-1]]))[None]
    with torch.inference_mode():
        return network(hyper)(heard)[0][0].double().numpy()


def drawn(log_p: NDArray[np.float64], levels: NDArray[np.float64], temperature: float) -> NDArray[np.int64]:
    """Draw from predictions: the first id whose cumulated probability exceeds the level."""
    p = np.exp((log_p - log_p.max(axis=1, keepdims=True)) / temperature)
    cumulated = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)
    return (cumulated <= levels[:, None]).sum(axis=1)


@pytest.mark.parametrize("hyper", SHAPES)
def test_greedy_samples_are_the_likeliest_that_torch_predicts(hyper: SampleRnnHyper) -> None:
    ids = ids_of(model(hyper).render(samples=240, temperature=0.0), hyper)
    log_p = predictions(hyper, ids)
    best_two = np.sort(log_p, axis=1)[:, -2:]
    clear = best_two[:, 1] - best_two[:, 0] > 1e-4
    assert (ids == log_p.argmax(axis=1))[clear].all()
    assert clear.mean() > 0.95


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("hyper", [*SHAPES, WIDE])
def test_every_level_of_processor_draws_what_torch_predicts(hyper: SampleRnnHyper, level: str) -> None:
    levels = uniform(240)
    ids = ids_of(made(network(hyper).loop(level=level), levels, [70]), hyper)
    assert (ids == drawn(predictions(hyper, ids), levels, 1.0)).all()


@pytest.mark.parametrize("level", processor_levels())
def test_a_mu_law_changes_how_ids_sound_and_not_which_are_drawn(level: str) -> None:
    levels = uniform(240)
    plain = made(network(TWO).loop(level=level), levels, [70]).astype(np.float64)
    companded = made(network(COMPANDED).loop(level=level), levels, [70])
    expanded = np.sign(plain) * (16.0 ** np.abs(plain) - 1.0) / 15.0
    np.testing.assert_allclose(companded, expanded, atol=1e-7, rtol=0)
    assert np.unique(companded).size > 8


@pytest.mark.parametrize("hyper", [*SHAPES, WIDE])
def test_predictions_under_what_was_heard_are_torchs(hyper: SampleRnnHyper) -> None:
    loop, ids = network(hyper).loop(), np.random.default_rng(2).integers(0, hyper.q_levels, 240)
    logits, state = np.empty((240, loop.outputs), np.float32), loop.new_state()
    nothing, heard = np.empty((240, 0), np.float32), ids.astype(np.float32)
    for first, last in ((0, 7), (7, 240)):
        loop.predict(nothing[first:last], heard[first:last], state, logits[first:last])
    log_p = torch.log_softmax(torch.from_numpy(logits).double(), 1).numpy()
    np.testing.assert_allclose(log_p, predictions(hyper, ids), atol=1e-4, rtol=0)


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("hyper", [THREE, FOUR, WIDE])
def test_float16_weights_are_those_rounded_to_nearest(hyper: SampleRnnHyper, level: str) -> None:
    rounded = copy.deepcopy(network(hyper))
    with torch.no_grad():
        rounded.sample_level_mlp.embedding.weight.copy_(
            torch.eye(hyper.q_levels)
        )  # the table is the convolution
        exact = copy.deepcopy(rounded)
        for name, tensor in rounded.named_parameters():
            if "bias" not in name and "h0" not in name:
                tensor.copy_(tensor.half().float())
    levels = uniform(150)
    halves = made(exact.loop(precision="float16", level=level), levels, [])
    np.testing.assert_array_equal(halves, made(rounded.loop(level=level), levels, []))
    assert halves.std() > 0.1
    cut = made(exact.loop(precision="float16", level=level), levels, [1, 40, 63])
    np.testing.assert_array_equal(cut, halves)


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("hyper", [THREE, WIDE])
def test_voices_together_sound_as_they_do_alone_to_the_bit(
    hyper: SampleRnnHyper, precision: str, level: str
) -> None:
    loop, voices, samples = network(hyper).loop(precision=precision, level=level), 10, 70
    levels = np.stack([uniform(samples, seed) for seed in range(voices)])
    alone = np.stack([made(loop, one, []) for one in levels])
    states, together = [loop.new_state() for _ in range(voices)], np.zeros((voices, samples), np.float32)
    for first, last in ((0, 5), (5, samples)):
        piece = np.ascontiguousarray(levels[:, first:last, None])
        empty = np.zeros((*piece.shape[:2], 0), np.float32)
        loop.run_together(empty, piece, empty, 1.0, states, together[:, first:last])
    np.testing.assert_array_equal(together, alone)
    assert (alone[0] != alone[1]).any()


def test_voices_out_of_step_are_refused() -> None:
    loop = network(THREE).loop()
    states, out = [loop.new_state(), loop.new_state()], np.zeros((2, 3), np.float32)
    run(loop, uniform(5), states[0], np.zeros(5, np.float32), 1.0)
    empty = np.zeros((2, 3, 0), np.float32)
    with pytest.raises(ValueError, match="made equally many samples"):
        loop.run_together(empty, np.zeros((2, 3, 1)), empty, 1.0, states, out)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("hyper", SHAPES)
def test_samples_are_drawn_from_what_torch_predicts(hyper: SampleRnnHyper, temperature: float) -> None:
    levels = uniform(360)
    ids = ids_of(model(hyper).render(samples=360, uniforms=levels, temperature=temperature), hyper)
    assert (ids == drawn(predictions(hyper, ids), levels, temperature)).all()
    assert len(np.unique(ids)) > min(hyper.q_levels // 4, 10)


def test_predictions_go_on_from_kept_hidden_states() -> None:
    look_back, net = THREE.look_back_samples, network(THREE)
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, THREE.q_levels, (2, 7 * look_back - 1)))
    with torch.inference_mode():
        whole, _ = net(ids)
        first, hidden = net(ids[:, : 4 * look_back - 1])
        second, _ = net(ids[:, 3 * look_back :], hidden)
    assert whole.shape == (2, 6 * look_back, THREE.q_levels)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-5, rtol=0)


def test_ids_that_fill_no_whole_frames_are_refused() -> None:
    for count in (THREE.look_back_samples - 1, 3 * THREE.look_back_samples):
        with pytest.raises(FeatureError, match=f"{count} ids; give 23, or 12, 24 ... more"):
            network(THREE)(torch.zeros(1, count, dtype=torch.int64))


@settings(deadline=None, max_examples=25)
@given(
    hyper=st.sampled_from(SHAPES), cuts=st.lists(st.integers(0, 40), max_size=12), count=st.integers(1, 200)
)
def test_any_pieces_are_the_same_samples(hyper: SampleRnnHyper, cuts: list[int], count: int) -> None:
    loop, levels = network(hyper).loop(), uniform(count, count)
    assert np.array_equal(made(loop, levels, cuts), made(loop, levels, []))


@settings(deadline=None, max_examples=10)
@given(cuts=st.lists(st.integers(0, 4), max_size=6))
def test_any_chunking_of_a_stream_is_the_same_sound(cuts: list[int]) -> None:
    stream = model(FOUR).stream(seed=5)
    pieces = [stream.push(np.zeros((0, frames), np.float32)) for frames in [*cuts, 24 - sum(cuts)]]
    sound = np.concatenate([*pieces, stream.flush()])
    assert np.array_equal(sound, model(FOUR).render(samples=24 * 64, seed=5))


def test_a_copied_state_has_the_same_future() -> None:
    loop, levels = network(THREE).loop(), uniform(101)
    state, begun = loop.new_state(), np.zeros(37, np.float32)
    run(loop, levels[:37], state, begun, 1.0)
    copied, other, same = state.copy(), np.zeros(64, np.float32), np.zeros(64, np.float32)
    run(loop, uniform(64, 9), state, other, 1.0)  # must not disturb the copy
    run(loop, levels[37:], copied, same, 1.0)
    assert np.array_equal(np.concatenate([begun, same]), made(loop, levels, []))
    assert not np.array_equal(same, other)


def test_three_voices_in_one_batch_sound_as_three_alone() -> None:
    runner = model(THREE).runner
    assert isinstance(runner, LoopRunner)
    out = np.zeros((3, 5 * 64), np.float32)
    runner.step(np.zeros((3, 0, 5), np.float32), runner.new_state(3, SeededDraws((1, 2, 3))), out)
    for voice, seed in zip(out, (1, 2, 3), strict=True):
        assert np.array_equal(voice, model(THREE).render(samples=5 * 64, seed=seed))


def test_a_seed_replays_and_another_sounds_otherwise() -> None:
    first, again, other = (model(TWO).render(samples=500, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_seed_and_temperature_hold_from_the_next_sample_on() -> None:
    frames = np.zeros((0, 2), np.float32)
    steady, changed = model(TWO).stream(seed=1), model(TWO).stream(seed=1)
    assert np.array_equal(steady.push(frames), changed.push(frames))
    changed.set_control("seed", 4)
    assert not np.array_equal(steady.push(frames), changed.push(frames))
    assert [spec.name for spec in model(TWO).runner.controls] == ["temperature", "seed"]


def test_it_runs_by_itself_and_looks_back_only() -> None:
    spec = model(THREE).spec
    assert (spec.bands, spec.hop_samples, spec.look_ahead_samples, spec.mel) == (0, 64, 0, None)
    assert look_ahead_by_disturbance(model(THREE)) == 0
    assert (hop_samples(network(THREE).timed), look_ahead_samples(network(THREE).timed)) == (64, 0)
    with pytest.raises(FeatureError, match="runs by itself"):
        model(THREE).render(np.zeros((80, 3)))


@pytest.mark.parametrize("name", samplernn.tensor_names(THREE))
def test_every_tensor_is_heard(name: str) -> None:
    changed = copy.deepcopy(network(THREE))
    with torch.no_grad():
        changed.get_parameter(name).neg_()
    before, after = (made(net.loop(), uniform(100), []) for net in (network(THREE), changed))
    assert not np.array_equal(before, after)


def test_tensors_have_the_published_names() -> None:
    names = samplernn.tensor_names(SampleRnnHyper((16, 4), n_rnn=2, dim=48, q_levels=256))
    assert names["frame_level_rnns.1.input_expand.weight"] == (48, 64, 1)
    assert names["frame_level_rnns.0.rnn.weight_hh_l1"] == (144, 48)
    assert names["frame_level_rnns.0.upsampling.bias"] == (48, 16)
    assert names["frame_level_rnns.1.upsampling.conv_t.weight"] == (48, 48, 4)
    assert names["sample_level_mlp.embedding.weight"] == (256, 256)
    assert names["sample_level_mlp.input.weight"] == (48, 256, 16)
    assert len(names) == 32


def test_the_loop_refuses_what_does_not_fit() -> None:
    loop, other = network(TWO).loop(), network(THREE).loop()
    out, empty = np.zeros(3, np.float32), np.zeros((3, 0), np.float32)
    with pytest.raises(ValueError, match=r"uniforms is \[2, 1\], but this takes \[3, 1\]"):
        loop.run(empty, np.zeros((2, 1)), empty, 1.0, loop.new_state(), out)
    with pytest.raises(ValueError, match=r"condition is \[3, 2\], but this takes \[3, 0\]"):
        loop.run(np.zeros((3, 2), np.float32), np.zeros((3, 1)), empty, 1.0, loop.new_state(), out)
    with pytest.raises(ValueError, match="belongs to another network"):
        loop.run(empty, np.zeros((3, 1)), empty, 1.0, other.new_state(), out)
