"""SampleRNN's parameters are read as published and refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.samplernn_hyper import SampleRnnHyper

PLAIN: dict[str, Any] = {"frame_sizes": [16, 4], "n_rnn": 2, "dim": 1024, "q_levels": 256}

REFUSED = [
    ({"frame_sizes": []}, r"0 of them; give 1 to 6, such as \[16, 4\]"),
    ({"frame_sizes": [2] * 7}, "7 of them"),
    ({"frame_sizes": [0, 4]}, "frame_sizes: 0 lies outside 1 to 256"),
    ({"frame_sizes": [-16]}, "frame_sizes: -16 lies outside"),
    ({"frame_sizes": [10**9]}, "lies outside 1 to 256"),
    ({"frame_sizes": [64, 64, 64]}, "look back 262144 samples; the most is 4096"),
    ({"frame_sizes": "16,4"}, "expected a list of whole numbers, got '16,4'"),
    ({"frame_sizes": [16, 4.0]}, "expected a whole number, got 4.0"),
    ({"n_rnn": 0}, "n_rnn: 0 lies outside 1 to 8"),
    ({"n_rnn": True}, "expected a whole number, got True"),
    ({"dim": 10**9}, "dim: 1000000000 lies outside 1 to 4096"),
    ({"dim": "1024"}, "expected a whole number"),
    ({"q_levels": 1}, "q_levels: 1 lies outside 2 to 4096"),
    ({"companding": -1.0}, "companding: -1.0 lies outside 0 to 4096"),
    ({"companding": float("nan")}, "companding: nan lies outside"),
    ({"companding": "mu"}, "companding: expected a number, got 'mu'"),
    ({"dim": 4096, "frame_sizes": [64]}, "numbers together; the most is 536870912"),
]


def test_published_parameters_are_read_and_their_other_keys_left_alone() -> None:
    hyper = SampleRnnHyper.from_json({**PLAIN, "exp": "TEST", "learn_h0": True})
    assert hyper.spans == (16, 64)
    assert hyper.look_back_samples == 64
    assert (hyper.bands, hyper.hop_samples) == (0, 64)


def test_frame_sizes_are_ratios_from_the_lowest_tier_upwards() -> None:
    assert SampleRnnHyper.from_json({**PLAIN, "frame_sizes": [2, 3, 5]}).spans == (2, 6, 30)


def test_what_is_written_reads_back() -> None:
    hyper = SampleRnnHyper.from_json(PLAIN)
    assert SampleRnnHyper.from_json(hyper.as_json()) == hyper


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_what_cannot_be_built_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        SampleRnnHyper.from_json({**PLAIN, **change})


@pytest.mark.parametrize("key", PLAIN)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: missing"):
        SampleRnnHyper.from_json({name: value for name, value in PLAIN.items() if name != key})
