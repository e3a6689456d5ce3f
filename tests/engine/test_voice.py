"""A voice: exact from its first sample, whatever the blocks, and safe from a model that breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.engine.resampler import Resampler

SAMPLES = 1500


def in_blocks(voice: Any, cuts: list[int], samples: int = SAMPLES) -> tuple[Audio, Audio]:
    wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
    at = turn = 0
    while at < samples:
        part = slice(at, min(at + cuts[turn % len(cuts)], samples))
        voice.render(wet[:, part], dry[part])
        at, turn = part.stop, turn + 1
    return wet, dry


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 800), min_size=1, max_size=8),
    chunk=st.integers(1, 9),
    look_ahead=st.integers(0, 60),
    rates=st.sampled_from([(8000, 8000), (8000, 11025), (22050, 8000), (48000, 8000), (8000, 96000)]),
)
def test_any_cuts_give_the_same_bits(
    make_voice: Any, cuts: list[int], chunk: int, look_ahead: int, rates: tuple[int, int]
) -> None:
    body = {"name": "x", "model": {"look_ahead": look_ahead}, "chunk": chunk}
    voices = [make_voice(body, converter=Resampler(*rates)).voice for _ in range(2)]
    (wet, dry), (whole_wet, whole_dry) = in_blocks(voices[0], cuts), in_blocks(voices[1], [SAMPLES])
    np.testing.assert_array_equal(dry, whole_dry)
    np.testing.assert_array_equal(wet, whole_wet)
    assert np.abs(dry).max() > 0.3


@pytest.mark.parametrize("block_samples", [1, 4096, 20_000])
def test_the_smallest_chunk_of_the_fastest_model_serves_any_block(
    make_voice: Any, block_samples: int
) -> None:
    voice = make_voice({"name": "x", "chunk": 1}, converter=Resampler(96_000, 8000)).voice
    _, dry = in_blocks(voice, [block_samples], 20_000 if block_samples > 1 else 300)
    assert np.abs(dry).max() > 0.3


@pytest.mark.parametrize("look_ahead", [0, 1, 33])
def test_a_voice_begins_with_the_first_sample_of_its_stream(make_voice: Any, look_ahead: int) -> None:
    prepared = make_voice({"name": "x", "model": {"look_ahead": look_ahead}, "level": 0.8})
    _, dry = in_blocks(prepared.voice, [37])
    level = min(0.8 + prepared.voice.source.tapes["a"].value, 1.0)
    np.testing.assert_array_equal(
        dry, (np.float32(level) * np.sin(0.05 * np.arange(SAMPLES))).astype(np.float32)
    )


def test_the_source_is_read_as_late_as_the_output_allows(make_voice: Any) -> None:
    prepared = make_voice({"name": "x", "model": {"look_ahead": 7}, "chunk": 1})
    for samples in range(1, 100):
        in_blocks(prepared.voice, [1], 1)
        assert prepared.voice.source.frame == -(-(samples + 7) // 5)


def test_what_is_not_finite_is_silence_and_counted(make_voice: Any) -> None:
    clean = make_voice({"name": "x"}).voice
    broken = make_voice({"name": "x", "model": {"bad_from": 400}}).voice
    (_, whole), (wet, dry) = in_blocks(clean, [256]), in_blocks(broken, [256])
    assert broken.bad_samples == 10
    assert clean.bad_samples == 0
    assert not dry[400:410].any()
    np.testing.assert_array_equal(np.delete(dry, range(400, 410)), np.delete(whole, range(400, 410)))
    assert np.isfinite(wet).all()


def test_the_presets_gain_comes_after_the_chain_and_not_into_the_dry_stem(make_voice: Any) -> None:
    plain, trimmed = make_voice({"name": "x"}).voice, make_voice({"name": "x"}).voice
    trimmed.trim = 0.25
    (wet, dry), (quiet, same) = in_blocks(plain, [100]), in_blocks(trimmed, [100])
    np.testing.assert_array_equal(dry, same)
    np.testing.assert_array_equal(quiet, np.float32(0.25) * wet)


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 1000),
    chunk=st.integers(1, 9),
    look_ahead=st.integers(0, 60),
    starts_at=st.integers(0, 30),
    rates=st.sampled_from([(8000, 8000), (8000, 11025), (22050, 8000), (8000, 48000)]),
)
def test_warming_up_is_playing_the_stream_at_no_cost(
    make_voice: Any, samples: int, chunk: int, look_ahead: int, starts_at: int, rates: tuple[int, int]
) -> None:
    model = {"look_ahead": look_ahead, "bad_from": 20, "starts_at": starts_at}
    body = {"name": "x", "model": model, "chunk": chunk, "echo": True}
    warmed, cold = (make_voice(body, converter=Resampler(*rates)).voice for _ in range(2))
    warmed.warm_up(samples)
    assert warmed.take_cost() == 0.0
    in_blocks(cold, [100], samples)
    assert warmed.source.frame == cold.source.frame
    assert warmed.bad_samples == cold.bad_samples
    for mine, its in zip(in_blocks(warmed, [100], 2000), in_blocks(cold, [100], 2000), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert cold.take_cost() > 0.0
    assert cold.take_cost() == 0.0
