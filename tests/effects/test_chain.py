"""Effect chains: any chunking gives the bits of one call, and nothing a performer does breaks the stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.effects.catalogue import CATALOGUE
from synthhost.effects.chain import PIECE_SAMPLES, Chain

RATE = 48000
AT_WORK = {  # settings at which an effect does something to the noise below
    "Delay": {"delay_seconds": 0.01, "feedback": 0.6},
    "Chorus": {"feedback": 0.4},
    "Phaser": {"feedback": 0.4},
    "Compressor": {"threshold_db": -30.0, "ratio": 4.0},
    "Gain": {"gain_db": -3.0},
    "LadderFilter": {"resonance": 0.7, "drive": 3.0, "mode": 3.0},
    "PeakFilter": {"gain_db": 6.0},
    "LowShelfFilter": {"gain_db": 6.0},
    "HighShelfFilter": {"gain_db": 6.0},
    "NoiseGate": {"threshold_db": -10.0},
}
FOUR = [
    ("Compressor", {"threshold_db": -20.0, "ratio": 4.0}),
    ("LadderFilter", {}),
    ("Delay", {}),
    ("Reverb", {}),
]


def noise(samples: int, seed: int = 5) -> Audio:
    return (np.random.default_rng(seed).standard_normal((2, samples)) * 0.3).astype(np.float32)


def in_chunks(chain: Chain, sound: Audio, cuts: list[int]) -> Audio:
    parts, at, turn = [], 0, 0
    while at < sound.shape[1]:
        piece = sound[:, at : at + cuts[turn % len(cuts)]]
        parts.append(chain.process(piece))
        assert parts[-1].shape == piece.shape
        assert parts[-1].dtype == np.float32
        at, turn = at + piece.shape[1], turn + 1
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("cuts", [[1], [2], [256], [1, 2, 3, 7, 64, 511, 1500], [3, 64, 1024, 2]])
def test_each_effect_streams_to_the_bit(name: str, cuts: list[int]) -> None:
    plugins = [(name, AT_WORK.get(name, {}))]
    sound = noise(900 if max(cuts) < 3 else 6000)
    whole = Chain(plugins, RATE).process(sound)
    assert np.abs(whole - sound).max() > 1e-3
    np.testing.assert_array_equal(in_chunks(Chain(plugins, RATE), sound, cuts), whole)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 3 * PIECE_SAMPLES), min_size=1, max_size=6))
def test_chain_of_four_streams_to_the_bit_in_any_chunking(cuts: list[int]) -> None:
    sound = noise(5000)
    np.testing.assert_array_equal(in_chunks(Chain(FOUR, RATE), sound, cuts), Chain(FOUR, RATE).process(sound))


@pytest.mark.parametrize("name", CATALOGUE)
def test_reset_gives_a_stream_that_has_not_begun(name: str) -> None:
    plugins = [(name, AT_WORK.get(name, {}))]
    chain, sound = Chain(plugins, RATE), noise(3000)
    first = chain.process(sound)
    chain.reset()
    np.testing.assert_array_equal(chain.process(sound), first)


def test_effects_work_in_the_order_given() -> None:
    loud_then_cut = Chain([("Gain", {"gain_db": 24.0}), ("Clipping", {"threshold_db": -6.0})], RATE)
    cut_then_loud = Chain([("Clipping", {"threshold_db": -6.0}), ("Gain", {"gain_db": 24.0})], RATE)
    sound = noise(500)
    assert np.abs(loud_then_cut.process(sound)).max() < 0.51
    assert np.abs(cut_then_loud.process(sound)).max() > 5.0


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_parameter_is_declared_as_the_plugin_has_it_and_can_be_turned_to_both_ends(name: str) -> None:
    chain = Chain([(name, {})], RATE)
    own = {spec.name.removeprefix("fx.0.") for spec in chain.params}
    plugin = CATALOGUE[name].make()
    ignored = {
        "is_effect",
        "is_instrument",
        "process",
        "reset",
        "Mode",
        *getattr(plugin, "Mode", type).__dict__,
    }
    attributes = {word for word in dir(plugin) if not word.startswith("_")} - ignored
    assert own == attributes
    for spec in chain.params:
        for value in (spec.minimum, spec.maximum, spec.default):
            chain.set_param(spec.name, value)
            heard = in_chunks(chain, noise(4096), [256])
            assert np.isfinite(heard).all()
    assert chain.bad_blocks == 0


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_no_frequency_range_reaches_half_the_rate(rate: int) -> None:
    for name in CATALOGUE:
        for spec in Chain([(name, {})], rate).params:
            assert spec.unit != "Hz" or spec.maximum < rate / 2


def test_parameter_glides_to_its_value_in_its_smoothing_time() -> None:
    chain = Chain([("Gain", {"gain_db": 0.0})], RATE)
    chain.set_param("fx.0.gain_db", -60.0)
    ones = np.ones((2, 96), dtype=np.float32)
    levels_db = [float(20 * np.log10(chain.process(ones)[0, -1])) for _ in range(12)]
    assert np.all(np.diff(levels_db[:10]) < 0)
    assert levels_db[0] == pytest.approx(-6.0, abs=0.01)  # 96 of 960 samples on the way
    assert levels_db[9:] == pytest.approx([-60.0] * 3, abs=0.01)


def test_same_sequence_of_calls_gives_the_same_bits_while_parameters_move() -> None:
    def play() -> Audio:
        chain, parts = Chain(FOUR, RATE), []
        for block in range(40):
            if block == 5:
                chain.set_param("fx.1.cutoff_hz", 300.0)
            if block == 6:
                chain.set_param("fx.3.room_size", 0.9)
            parts.append(chain.process(noise(256, seed=block)))
        return np.concatenate(parts, axis=1)

    np.testing.assert_array_equal(play(), play())


def test_parameters_name_place_and_carry_the_value_built_with() -> None:
    specs = {spec.name: spec for spec in Chain(FOUR, RATE).params}
    assert specs["fx.0.ratio"].default == 4.0
    assert specs["fx.1.cutoff_hz"].unit == "Hz"
    assert specs["fx.2.feedback"].maximum == 0.95
    assert all(spec.doc for spec in specs.values())


def test_value_outside_its_range_is_held_while_playing_and_nan_is_counted() -> None:
    chain = Chain([("Gain", {})], RATE)
    chain.set_param("fx.0.gain_db", 1000.0)
    ones = np.ones((2, 4000), dtype=np.float32)
    chain.process(ones)
    assert chain.process(ones).max() == pytest.approx(10 ** (24 / 20), rel=1e-5)
    chain.set_param("fx.0.gain_db", float("nan"))
    assert chain.bad_values == 1
    assert np.isfinite(chain.process(ones)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_samples_become_silence_and_do_not_poison_the_tail(bad: float) -> None:
    chain, clean = Chain([("Reverb", {})], RATE), Chain([("Reverb", {})], RATE)
    sound = noise(512)
    silenced = sound.copy()
    sound[1, 100], silenced[1, 100] = bad, 0.0
    np.testing.assert_array_equal(chain.process(sound), clean.process(silenced))
    assert chain.bad_blocks == 1
    np.testing.assert_array_equal(chain.process(noise(512)), clean.process(noise(512)))


def test_overflow_inside_the_chain_is_silence_once_and_then_a_fresh_stream() -> None:
    chain = Chain([("Gain", {"gain_db": 24.0}), ("Reverb", {})], RATE)
    assert not chain.process(np.full((2, 256), 3e38, dtype=np.float32)).any()
    assert chain.bad_blocks == 1
    fresh = Chain([("Gain", {"gain_db": 24.0}), ("Reverb", {})], RATE)
    np.testing.assert_array_equal(chain.process(noise(256)), fresh.process(noise(256)))


def test_empty_chain_hands_the_block_through_and_no_samples_are_no_work() -> None:
    chain, sound = Chain([], RATE), noise(256)
    assert chain.process(sound) is sound
    chain.reset()
    assert chain.params == ()
    assert Chain(FOUR, RATE).process(sound[:, :0]).shape == (2, 0)


@pytest.mark.parametrize("name", ["Convolution", "PitchShift", "Resample", "VST3Plugin"])
def test_effects_that_do_not_stream_exactly_are_refused_with_the_list(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"effects\[1\]: no effect is named '{name}'.*Reverb, Delay, .*NoiseGate"
    ):
        Chain([("Gain", {}), (name, {})], RATE)


def test_misspelt_names_and_values_out_of_range_say_what_to_write() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'Reverb'"):
        Chain([("Reverbb", {})], RATE)
    with pytest.raises(ConfigError, match=r"effects\[0\] \(Reverb\).*Did you mean 'room_size'"):
        Chain([("Reverb", {"roomsize": 0.5})], RATE)
    with pytest.raises(ConfigError, match=r"feedback = 1.0 is outside 0 to 0.95; "):
        Chain([("Delay", {"feedback": 1.0})], RATE)
    with pytest.raises(ConfigError, match="outside"):
        Chain([("Delay", {"feedback": float("nan")})], RATE)
    with pytest.raises(ConfigError, match=r"Did you mean 'fx.0.gain_db'"):
        Chain([("Gain", {})], RATE).set_param("fx.0.gain", 1.0)
