"""The source of clips: vectors by key and by number, from the model's prior, never by the order of calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.specs import ModelSpec, Prior
from synthhost.sources.clip import CLIP_PARAMS, ClipSource
from synthhost.sources.registry import make_source

SPEC = ModelSpec("drums", "wavegan", 16000, 1024, 100, 3410, 8, None, "", 0, 16)


def source_of(prior: Prior = "normal", seed: int = 5) -> ClipSource:
    return ClipSource(replace(SPEC, prior=prior), seed)


def written(source: ClipSource, own: Features) -> Features:
    out = np.full((100, 3), np.nan, dtype=np.float32)
    source.write(own, out)
    return out


def test_a_vector_follows_from_its_number_alone() -> None:
    forwards, backwards = source_of(), source_of()
    ahead = [forwards.vector(number, None) for number in range(4)]
    back = [backwards.vector(number, None) for number in reversed(range(4))]
    for one, same in zip(ahead, reversed(back), strict=True):
        np.testing.assert_array_equal(one, same)
    assert len({one.tobytes() for one in ahead}) == 4


def test_a_key_keeps_its_vector_and_fractions_of_keys_have_their_own() -> None:
    source = source_of()
    np.testing.assert_array_equal(source.vector(0, 36.0), source.vector(9, 36.0))
    assert not np.array_equal(source.vector(0, 36.0), source.vector(0, 36.5))
    assert not np.array_equal(source.vector(0, 36.0), source.vector(0, 37.0))


def test_variation_leads_from_the_keys_vector_to_a_new_one_each_time() -> None:
    source = source_of()
    own, fresh = source.vector(3, 36.0), source.vector(3, None)
    source.set_param("variation", 0.25)
    np.testing.assert_allclose(source.vector(3, 36.0), 0.75 * own + 0.25 * fresh, atol=1e-6)
    source.set_param("variation", 1.0)
    np.testing.assert_array_equal(source.vector(3, 36.0), fresh)


@pytest.mark.parametrize(("prior", "spread"), [("normal", 1.0), ("uniform", 3**-0.5)])
def test_vectors_are_drawn_from_what_the_model_was_trained_on(prior: Prior, spread: float) -> None:
    source = source_of(prior)
    drawn = np.stack([source.vector(number, None) for number in range(200)])
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - spread) < 0.02
    assert (np.abs(drawn).max() <= 1.0) == (prior == "uniform")


def test_reach_scales_what_is_drawn() -> None:
    source = source_of()
    whole = source.vector(1, None)
    source.set_param("reach", 0.5)
    np.testing.assert_allclose(source.vector(1, None), 0.5 * whole, atol=1e-6)


def test_a_seed_is_another_chance_and_seed_0_the_performances_own() -> None:
    source = source_of()
    own, chance = source.vector(1, None), source.draws(1, None)
    source.set_param("seed", 77.0)
    assert not np.array_equal(source.vector(1, None), own)
    assert source.draws(1, None) != chance
    source.set_param("seed", 0.0)
    np.testing.assert_array_equal(source.vector(1, None), own)


def test_the_chance_of_a_model_that_draws_is_the_keys_unless_keys_vary() -> None:
    source = source_of()
    assert source.draws(0, 36.0) == source.draws(5, 36.0)
    assert source.draws(0, None) != source.draws(5, None)
    source.set_param("variation", 0.5)
    assert source.draws(0, 36.0) != source.draws(5, 36.0)


def test_morph_leads_from_the_clips_own_vector_to_the_hands() -> None:
    source = source_of()
    own = source.vector(0, None)
    np.testing.assert_array_equal(written(source, own), np.repeat(own[:, None], 3, axis=1))
    source.set_param("latent.99", 2.0)
    source.set_param("morph", 0.25)
    hand = np.zeros(100, dtype=np.float32)
    hand[99] = 2.0
    np.testing.assert_allclose(written(source, own)[:, 0], 0.75 * own + 0.25 * hand, atol=1e-6)
    source.set_param("morph", 1.0)
    np.testing.assert_allclose(written(source, own)[:, 2], hand, atol=1e-6)


def test_parameters_begin_at_their_defaults_and_tell_where_they_stand() -> None:
    source = source_of()
    assert source.value("voices") == 8.0
    assert len(source.params) == len(CLIP_PARAMS) + 100
    source.jump_param("choke_ms", 30.0)
    assert source.value("choke_ms") == 30.0


@pytest.mark.parametrize(
    ("change", "words"),
    [({"clip_frames": 0}, "makes no clips"), ({"bands": 257}, "up to 256 dimensions")],
)
def test_a_model_that_makes_no_such_clips_is_refused(change: dict[str, int], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        make_source("clip", replace(SPEC, **change))


@pytest.mark.parametrize("kind", ["tape", "frames", "latent", "free"])
def test_a_model_of_clips_plays_no_other_source(kind: str) -> None:
    with pytest.raises(SourceError, match=f"plays no {kind}. Give it a source of kind 'clip'"):
        make_source(kind, SPEC)


CLASSED = replace(SPEC, bands=SPEC.bands + 3, classes=("kick", "snare", "tom"))


@pytest.mark.parametrize(
    ("key", "chosen", "weights"),
    [
        (36.0, -1.0, [1, 0, 0]),
        (38.0, -1.0, [0, 1, 0]),
        (38.0, 2.0, [0, 0, 1]),
        (None, -1.0, [1, 0, 0]),
        (38.0, 0.25, [0.75, 0.25, 0]),
    ],
)
def test_a_class_is_the_keys_or_the_one_that_is_asked_for(
    key: float | None, chosen: float, weights: list[float]
) -> None:
    source, plain = ClipSource(CLASSED, 3), ClipSource(SPEC, 3)
    source.set_param("class", chosen)
    vector = source.vector(5, key)
    np.testing.assert_allclose(vector[SPEC.bands :], weights)
    np.testing.assert_array_equal(vector[: SPEC.bands], plain.vector(5, key))


def test_a_morph_moves_the_vector_and_leaves_the_class() -> None:
    source = ClipSource(CLASSED, 3)
    source.set_param("morph", 1.0)
    source.set_param("latent.0", 2.5)
    own = source.vector(0, 38.0)
    out = np.empty((CLASSED.bands, 2), np.float32)
    source.write(own, out)
    assert out[0].tolist() == [2.5, 2.5]
    np.testing.assert_array_equal(out[SPEC.bands :, 0], [0, 1, 0])
    assert "latent.0" in {param.name for param in source.params}
    assert f"latent.{SPEC.bands}" not in {param.name for param in source.params}
