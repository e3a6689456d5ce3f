"""WaveNet's compiled loop: what it draws, what it remembers, and what it refuses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthhost.native._loops import WavenetLoop, WavenetState, processor_levels

SAMPLES = 90
Array = NDArray[Any]


def arguments(**change: Any) -> dict[str, Any]:
    """Return the arguments of a small loop: three layers, 5 residual, 3 gated, 7 skipped channels, 9 ids."""
    draw = np.random.default_rng(4)
    conditions = change.pop("n_conditions", 2)

    def random(*shape: int) -> NDArray[np.float32]:
        return draw.standard_normal(shape).astype(np.float32)

    plain: dict[str, Any] = {
        "first": random(9, 5),
        "first_bias": random(5),
        "dilations": [1, 2, 4],
        "kernel": 3,
        "gate": "tanh-sigmoid",
        "convs": random(3, 6, 15) / 4,
        "conv_biases": random(3, 6) / 4,
        "conditions": random(3, 6, conditions),
        "mixes": random(3, 12, 3),
        "mix_biases": random(3, 12) / 4,
        "residual_scale": 0.7,
        "heads": [random(6, 7), random(9, 6)],
        "head_biases": [random(6), random(9)],
        "distribution": "softmax",
        "levels": 8.0,
        "companding": 8.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 4.0,
    }
    return {**plain, **change}


def scalar(outputs: int, distribution: str, **change: Any) -> dict[str, Any]:
    """Return the arguments of a loop that hears values and draws from so many outputs."""
    draw = np.random.default_rng(5)
    first, last = (draw.standard_normal(shape).astype(np.float32) for shape in ((1, 5), (outputs, 6)))
    heads = [arguments()["heads"][0], last]
    biases = [arguments()["head_biases"][0], np.zeros(outputs, np.float32)]
    named = {"first": first, "heads": heads, "head_biases": biases, "distribution": distribution}
    return arguments(**named, companding=0.0, start=0.0, **change)


def drawn(loop: WavenetLoop, samples: int = SAMPLES) -> tuple[Array, Array, Array]:
    """Return conditions, uniforms and normals for so many samples."""
    draw = np.random.default_rng(6)
    condition = draw.standard_normal((samples, loop.conditions)).astype(np.float32)
    normals = draw.standard_normal((samples, loop.normals)).astype(np.float32)
    return condition, draw.random((samples, loop.uniforms)), normals


def run(
    loop: WavenetLoop, given: tuple[Array, Array, Array], state: WavenetState, temperature: float = 1.0
) -> tuple[Array, Array]:
    """Run over what is given and return sound and values drawn."""
    out, values = (np.empty(len(given[0]), np.float32) for _ in range(2))
    loop.run(*given, temperature, state, out, values)
    return out, values


def part(given: tuple[Array, Array, Array], first: int, last: int) -> tuple[Array, Array, Array]:
    return given[0][first:last], given[1][first:last], given[2][first:last]


def gate(z: Array) -> Array:
    return np.asarray(np.tanh(z[:3]) / (1.0 + np.exp(-z[3:])))


def plain_logits(plain: dict[str, Any], condition: Array, heard: Array) -> NDArray[np.float64]:
    """Return what the network gives, computed plainly: inputs kept in lists, zeros before the first."""
    past: list[list[Array]] = [[] for _ in plain["dilations"]]
    rows = []
    for n, value in enumerate(heard):
        one_hot = plain["first"].shape[0] > 1
        x = (plain["first"][int(value)] if one_hot else plain["first"][0] * value) + plain["first_bias"]
        skips = np.zeros(7)
        for layer, dilation in enumerate(plain["dilations"]):
            past[layer].append(x.astype(np.float64))
            places = [n - dilation * (plain["kernel"] - 1 - tap) for tap in range(plain["kernel"])]
            window = [past[layer][at] if at >= 0 else np.zeros(5) for at in places]
            z = plain["convs"][layer] @ np.concatenate(window) + plain["conv_biases"][layer]
            z = z + plain["conditions"][layer] @ condition[n]
            gated = np.maximum(z, 0.0) if plain["gate"] == "relu" else gate(z)
            mixed = plain["mixes"][layer] @ gated + plain["mix_biases"][layer]
            x, skips = plain["residual_scale"] * x + mixed[:5], skips + mixed[5:]
        for head, bias in zip(plain["heads"], plain["head_biases"], strict=True):
            skips = head @ np.maximum(skips, 0.0) + bias
        rows.append(skips)
    return np.stack(rows)


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
def test_ids_are_drawn_where_the_cumulative_sum_passes_the_level(temperature: float, level: str) -> None:
    plain = arguments()
    loop = WavenetLoop(**plain, level=level)
    given = drawn(loop)
    out, ids = run(loop, given, loop.new_state(), temperature)
    logits = plain_logits(plain, given[0], np.concatenate(([4], ids[:-1])))
    if temperature == 0.0:
        expected = logits.argmax(axis=1)
    else:
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        sums = (powers / powers.sum(axis=1, keepdims=True)).cumsum(axis=1)
        expected = (sums <= given[1]).sum(axis=1)
    np.testing.assert_array_equal(ids, expected)
    assert len(set(ids)) > 2
    level = 2.0 * ids / 8.0 - 1.0
    np.testing.assert_allclose(out, np.sign(level) * (9.0 ** np.abs(level) - 1.0) / 8.0, atol=1e-6)


def test_a_rectifier_in_place_of_the_gate() -> None:
    half = np.random.default_rng(7).standard_normal((3, 3, 2)).astype(np.float32)
    plain = arguments(gate="relu", convs=arguments()["convs"][:, :3], conditions=half)
    plain["conv_biases"] = np.ascontiguousarray(plain["conv_biases"][:, :3])
    plain["convs"] = np.ascontiguousarray(plain["convs"])
    loop = WavenetLoop(**plain)
    given = drawn(loop)
    _, ids = run(loop, given, loop.new_state(), 0.0)
    logits = plain_logits(plain, given[0], np.concatenate(([4], ids[:-1])))
    np.testing.assert_array_equal(ids, logits.argmax(axis=1))


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.0])
def test_a_mixture_takes_the_best_of_noisy_logits_then_a_logistic(temperature: float) -> None:
    plain = scalar(12, "logistics")
    loop = WavenetLoop(**plain)
    assert (loop.uniforms, loop.normals) == (5, 0)
    given = drawn(loop)
    given[1][3] = 0.0  # limited to 1e-5
    given[1][4] = 1.0
    _, values = run(loop, given, loop.new_state(), temperature)
    last = plain_logits(plain, given[0], np.concatenate(([0.0], values[:-1])))
    u = np.clip(given[1], 1e-5, 1.0 - 1e-5)
    best = (last[:, :4] - temperature * np.log(-np.log(u[:, :4]))).argmax(axis=1)
    mean, scale = (np.take_along_axis(last, best[:, None] + first, 1)[:, 0] for first in (4, 8))
    expected = mean + temperature * np.exp(scale) * (np.log(u[:, 4]) - np.log(1.0 - u[:, 4]))
    np.testing.assert_allclose(values, np.clip(expected, -1.0, 1.0), atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.0])
def test_a_normal_distribution_has_a_mean_and_a_log_scale(temperature: float) -> None:
    plain = scalar(2, "normal")
    loop = WavenetLoop(**plain)
    assert (loop.uniforms, loop.normals) == (0, 1)
    given = drawn(loop)
    _, values = run(loop, given, loop.new_state(), temperature)
    last = plain_logits(plain, given[0], np.concatenate(([0.0], values[:-1])))
    expected = last[:, 0] + temperature * np.exp(last[:, 1]) * given[2][:, 0]
    np.testing.assert_allclose(values, np.clip(expected, -1.0, 1.0), atol=1e-4)


def test_values_heard_where_ids_are_drawn_are_amplitudes() -> None:
    plain = arguments(first=scalar(2, "normal")["first"], start=0.0)
    loop = WavenetLoop(**plain)
    given = drawn(loop)
    out, ids = run(loop, given, loop.new_state(), 0.0)
    logits = plain_logits(plain, given[0], np.concatenate(([0.0], out[:-1])))
    np.testing.assert_array_equal(ids, logits.argmax(axis=1))


def test_pre_emphasis_is_undone_before_the_gain() -> None:
    flat, shaped = (WavenetLoop(**arguments(**more)) for more in ({}, {"de_emphasis": 0.85, "gain": 2.0}))
    given = drawn(flat)
    plain, _ = run(flat, given, flat.new_state())
    heard, _ = run(shaped, given, shaped.new_state())
    last, expected = 0.0, []
    for value in plain:
        last = value + 0.85 * last
        expected.append(2.0 * last)
    np.testing.assert_allclose(heard, expected, atol=1e-5)


def test_the_mean_is_taken_away_last_and_the_network_does_not_hear_it() -> None:
    shape = {"de_emphasis": 0.85, "gain": 2.0}
    leaning, even = (WavenetLoop(**arguments(**shape, **more)) for more in ({}, {"dc_pole": 0.99}))
    given = drawn(leaning)
    (plain, ids), (heard, same_ids) = (run(loop, given, loop.new_state()) for loop in (leaning, even))
    np.testing.assert_array_equal(ids, same_ids)
    before, last, expected = 0.0, 0.0, []
    for value in plain:
        last = value - before + 0.99 * last
        before = value
        expected.append(last)
    np.testing.assert_allclose(heard, expected, atol=1e-5)
    with pytest.raises(ValueError, match="the pole of what takes the mean away must lie from 0 to below 1"):
        WavenetLoop(**arguments(dc_pole=1.0))


@settings(deadline=None, max_examples=60)
@given(
    cuts=st.lists(st.integers(0, 40), max_size=8),
    level=st.sampled_from(processor_levels()),
    precision=st.sampled_from(["float32", "float16"]),
)
def test_any_pieces_give_the_same_bits(cuts: list[int], level: str, precision: str) -> None:
    shape = arguments(n_conditions=19, de_emphasis=0.5, dc_pole=0.9)
    loop = WavenetLoop(**shape, level=level, precision=precision)
    given = drawn(loop)
    whole, _ = run(loop, given, loop.new_state())
    state, places, pieces = loop.new_state(), [0, *np.cumsum(cuts).clip(max=SAMPLES), SAMPLES], []
    for first, last in pairwise(places):
        pieces.append(run(loop, part(given, first, last), state)[0])
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def in_halves(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the same arguments with every matrix rounded to float16 and back."""

    def rounded(array: Array) -> NDArray[np.float32]:
        return array.astype(np.float16).astype(np.float32)

    changed = {name: rounded(plain[name]) for name in ("convs", "conditions", "mixes")}
    return {**plain, **changed, "heads": [rounded(head) for head in plain["heads"]]}


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-6])
def test_float16_weights_are_rounded_to_nearest_and_nothing_else(level: str, scale: float) -> None:
    plain = arguments(n_conditions=19, residual_scale=1.0)
    for name in ("convs", "mixes"):
        plain[name] = plain[name] * np.float32(scale)  # down to halves that are denormal, and to zero
    plain["convs"][0, 0, :4] = [65504.0, 1.0 + 2.0**-11, 1.0 + 3.0 * 2.0**-11, -(2.0**-25)]  # ends and ties
    halves, rounded = WavenetLoop(**plain, precision="float16", level=level), in_halves(plain)
    whole = WavenetLoop(**rounded, level=level)
    given = drawn(whole)
    for one, other in zip(
        run(halves, given, halves.new_state()), run(whole, given, whole.new_state()), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert halves.weight_bytes < whole.weight_bytes


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("channels", [5, 40])
def test_voices_together_sound_as_they_do_alone_to_the_bit(level: str, precision: str, channels: int) -> None:
    plain = arguments(n_conditions=3, de_emphasis=0.5)
    draw = np.random.default_rng(channels)
    for name, shape in {
        "first": (9, channels),
        "first_bias": (channels,),
        "convs": (3, 6, 3 * channels),
        "mixes": (3, channels + 7, 3),
        "mix_biases": (3, channels + 7),
    }.items():
        plain[name] = (draw.standard_normal(shape) / channels**0.5).astype(np.float32)
    loop = WavenetLoop(**plain, precision=precision, level=level)
    voices, samples = 11, 40  # more than one pass serves
    condition = draw.standard_normal((voices, samples, 3)).astype(np.float32)
    uniforms = draw.random((voices, samples, 1))
    nothing = np.empty((voices, samples, 0), np.float32)
    alone = np.empty((voices, samples), np.float32)
    for n in range(voices):
        loop.run(condition[n], uniforms[n], nothing[n], 1.0, loop.new_state(), alone[n])
    states, together = [loop.new_state() for _ in range(voices)], np.zeros((voices, samples + 3), np.float32)
    for first, last in ((0, 1), (1, 18), (18, samples)):
        pieces = (np.ascontiguousarray(x[:, first:last]) for x in (condition, uniforms, nothing))
        loop.run_together(*pieces, 1.0, states, together[:, first:last])
    np.testing.assert_array_equal(together[:, :samples], alone)
    assert (alone[0] != alone[1]).any()
    assert not together[:, samples:].any()


@pytest.mark.parametrize("level", processor_levels())
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_however_many_voices_there_are_each_sounds_as_it_does_alone(level: str, precision: str) -> None:
    draw = np.random.default_rng(8)
    widths = ((100, 7), (9, 100))  # a whole panel of outputs, a half and a quarter
    heads = [(draw.standard_normal(shape) / 3.0).astype(np.float32) for shape in widths]
    plain = arguments(heads=heads, head_biases=[np.zeros(len(head), np.float32) for head in heads])
    loop = WavenetLoop(**plain, precision=precision, level=level)
    voices, samples = 8, 20
    condition = draw.standard_normal((voices, samples, 2)).astype(np.float32)
    uniforms, nothing = draw.random((voices, samples, 1)), np.empty((voices, samples, 0), np.float32)
    alone = np.empty((voices, samples), np.float32)
    for n in range(voices):
        loop.run(condition[n], uniforms[n], nothing[n], 1.0, loop.new_state(), alone[n])
    for count in range(1, voices + 1):
        states, together = [loop.new_state() for _ in range(count)], np.empty((count, samples), np.float32)
        loop.run_together(condition[:count], uniforms[:count], nothing[:count], 1.0, states, together)
        np.testing.assert_array_equal(together, alone[:count])
    assert len(np.unique(alone, axis=0)) == voices


def test_voices_that_do_not_fit_together_are_refused() -> None:
    loop = WavenetLoop(**arguments())
    state, out = loop.new_state(), np.empty((2, 4), np.float32)
    condition, uniforms, normals = (
        np.zeros((2, 4, 2), np.float32),
        np.zeros((2, 4, 1)),
        out[:, :, None][:, :, :0],
    )
    normals = np.ascontiguousarray(normals)
    with pytest.raises(ValueError, match="one and the same state"):
        loop.run_together(condition, uniforms, normals, 1.0, [state, state], out)
    with pytest.raises(ValueError, match="voices in out is 2, but the rest needs 1"):
        loop.run_together(condition, uniforms, normals, 1.0, [state], out)
    with pytest.raises(ValueError, match="voices in uniforms is 1"):
        loop.run_together(condition, uniforms[:1], normals, 1.0, [state, loop.new_state()], out)
    with pytest.raises(ValueError, match="do not lie beside each other"):
        loop.run_together(
            condition, uniforms, normals, 1.0, [state, loop.new_state()], np.empty((4, 2), np.float32).T
        )
    other = WavenetLoop(**arguments()).new_state()
    with pytest.raises(ValueError, match="belongs to another network"):
        loop.run_together(condition, uniforms, normals, 1.0, [state, other], out)


@pytest.mark.parametrize("n_conditions", [0, 2])
def test_a_copied_state_goes_on_by_itself(n_conditions: int) -> None:
    loop = WavenetLoop(**arguments(n_conditions=n_conditions, de_emphasis=0.5))
    given = drawn(loop)
    whole, _ = run(loop, given, loop.new_state())
    state = loop.new_state()
    run(loop, part(given, 0, 37), state)
    copied = state.copy()
    run(loop, part(given, 20, 60), state)  # must not disturb the copy
    np.testing.assert_array_equal(run(loop, part(given, 37, SAMPLES), copied)[0], whole[37:])


def test_what_is_heard_beforehand_takes_the_place_of_what_was_drawn() -> None:
    loop = WavenetLoop(**arguments())
    given = drawn(loop)
    whole, ids = run(loop, given, loop.new_state())
    state = loop.new_state()
    heard = np.concatenate(([4], ids[:40])).astype(np.float32)
    loop.hear(given[0][:41], heard, state)
    np.testing.assert_array_equal(run(loop, part(given, 40, SAMPLES), state)[0], whole[40:])


def test_ids_that_do_not_exist_are_heard_as_the_nearest() -> None:
    loop = WavenetLoop(**arguments())
    given = drawn(loop, 3)
    for wild, near in ((-5.0, 0.0), (1e9, 8.0), (np.nan, 0.0)):
        sounds = []
        for value in (wild, near):
            state = loop.new_state()
            loop.hear(given[0], np.full(3, value, np.float32), state)
            sounds.append(run(loop, given, state)[0])
        np.testing.assert_array_equal(*sounds)


@pytest.mark.parametrize("sixteenths", [1, 2, 3, 5])
def test_channels_need_fill_no_whole_vectors(sixteenths: int) -> None:
    width = 16 * sixteenths + 1
    draw = np.random.default_rng(width)
    heads = [draw.standard_normal((width, 7)), draw.standard_normal((9, width)) / np.sqrt(width)]
    plain = arguments(heads=[head.astype(np.float32) for head in heads])
    plain["head_biases"] = [np.zeros(width, np.float32), plain["head_biases"][1]]
    loop = WavenetLoop(**plain)
    given = drawn(loop)
    _, ids = run(loop, given, loop.new_state(), 0.0)
    logits = plain_logits(plain, given[0], np.concatenate(([4], ids[:-1])))
    np.testing.assert_array_equal(ids, logits.argmax(axis=1))


def test_tiny_numbers_count_again_after_a_run() -> None:
    loop = WavenetLoop(**arguments())
    run(loop, drawn(loop), loop.new_state())
    tiny = np.full(4, 1e-40, np.float32)
    assert (tiny * np.float32(0.5) > 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dilations": []}, "number of layers is 0"),
        ({"dilations": [1, 0, 4]}, "a dilation is 0"),
        ({"dilations": [1, 2]}, "the convolutions' rows is 18, but the rest needs"),
        ({"kernel": 0}, "the kernel is 0"),
        ({"kernel": 2}, "the convolutions' columns is 15, but the rest needs 10"),
        ({"gate": "relu"}, "the convolutions' rows is 18, but the rest needs 9"),
        ({"gate": "sigmoid"}, "there is no gate 'sigmoid'"),
        ({"first_bias": np.zeros(4, np.float32)}, "the first bias is 4, but the rest needs 5"),
        ({"conv_biases": np.zeros((3, 5), np.float32)}, "the convolutions' biases is 15"),
        ({"conditions": np.zeros((3, 5, 2), np.float32)}, "a matrix's rows is 15, but the rest needs 18"),
        ({"mixes": np.zeros((3, 5, 3), np.float32)}, "leave no channels to be skipped"),
        ({"mix_biases": np.zeros((3, 5), np.float32)}, "the mixes' biases is 15"),
        ({"heads": []}, "number of heads is 0"),
        ({"heads": [np.zeros((9, 6), np.float32)]}, "the heads' biases is 2, but the rest needs 1"),
        ({"heads": [np.zeros((6, 6), np.float32)] * 2}, "a head's columns is 6, but the rest needs 7"),
        ({"distribution": "normal"}, "hears ids must draw ids"),
        ({"distribution": "uniform"}, "there is no distribution 'uniform'"),
        ({"levels": 0.0}, "levels above 0"),
        ({"start": 9.0}, "the first id lies outside"),
        ({"gain": float("nan")}, "not finite"),
        ({"precision": "int7"}, "there is no precision 'int7'; there are float32 and float16"),
        ({"precision": "float16", "mixes": np.full((3, 12, 3), 7e4, np.float32)}, "too large for float16"),
        ({"precision": "float16", "mixes": np.full((3, 12, 3), np.nan, np.float32)}, "too large for float16"),
        ({"level": "sse9"}, "no level 'sse9'; they run baseline"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WavenetLoop(**arguments(**change))


@pytest.mark.parametrize(("outputs", "kind", "words"), [(3, "normal", "is 3"), (4, "logistics", "is 1, but")])
def test_a_distribution_has_as_many_outputs_as_it_needs(outputs: int, kind: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WavenetLoop(**scalar(outputs, kind))


def test_arrays_of_another_size_are_refused() -> None:
    loop = WavenetLoop(**arguments())
    condition, uniforms, normals = drawn(loop, 5)
    out, state = np.empty(5, np.float32), loop.new_state()
    with pytest.raises(ValueError, match=r"condition is \[4, 2\], but this takes \[5, 2\]"):
        loop.run(condition[:4], uniforms, normals, 1.0, state, out)
    with pytest.raises(ValueError, match=r"uniforms is \[5, 0\]"):
        loop.run(condition, np.empty((5, 0)), normals, 1.0, state, out)
    with pytest.raises(ValueError, match=r"normals is \[4, 0\]"):
        loop.run(condition, uniforms, normals[:4], 1.0, state, out)
    with pytest.raises(ValueError, match="values is 4"):
        loop.run(condition, uniforms, normals, 1.0, state, out, np.empty(4, np.float32))
    with pytest.raises(TypeError):
        loop.run(condition.astype(np.float64), uniforms, normals, 1.0, state, out)
    with pytest.raises(TypeError):
        loop.run(condition[:, ::-1], uniforms, normals, 1.0, state, out)


def test_a_state_of_another_network_is_refused() -> None:
    loop, other = WavenetLoop(**arguments()), WavenetLoop(**arguments())
    with pytest.raises(ValueError, match="belongs to another network"):
        run(loop, drawn(loop), other.new_state())
