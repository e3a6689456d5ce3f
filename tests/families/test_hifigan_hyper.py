"""HiFi-GAN's configuration is read as published and refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.hifigan_hyper import HifiganHyper

PLAIN: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 512,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
}

REFUSED = [
    ({"resblock": "3"}, "write '1' or '2'"),
    ({"upsample_rates": [8, 8, 2]}, "one kernel for each rate"),
    ({"upsample_rates": [], "upsample_kernel_sizes": []}, "1 to 8 of them"),
    ({"upsample_kernel_sizes": [16, 16, 4, 1]}, "kernel 1 over rate 2"),
    ({"upsample_kernel_sizes": [16, 16, 4, 5]}, "kernel 5 over rate 2"),
    ({"upsample_rates": [0, 8, 2, 2]}, "outside 1 to 64"),
    ({"upsample_rates": [64, 64, 4, 4], "upsample_kernel_sizes": [64, 64, 4, 4]}, "65536 samples a frame"),
    ({"upsample_initial_channel": 9000}, "outside 1 to 8192"),
    ({"upsample_initial_channel": 15}, "give at least 16"),
    ({"upsample_initial_channel": True}, "expected a whole number, got True"),
    ({"upsample_initial_channel": "512"}, "expected a whole number, got '512'"),
    ({"resblock_kernel_sizes": [3, 7]}, "one row for each kernel"),
    ({"resblock_kernel_sizes": [3, 7, 10]}, "must be odd"),
    ({"resblock_kernel_sizes": 3}, "expected a list of whole numbers"),
    ({"resblock_dilation_sizes": [[1, 3], [1, 3, 5], [1, 3, 5]]}, "takes 3"),
    ({"resblock_dilation_sizes": [[1, 3, 5000], [1, 3, 5], [1, 3, 5]]}, "outside 1 to 1024"),
    ({"resblock_dilation_sizes": "1"}, "expected a list of lists"),
    ({"bands": 0}, "bands: 0 lies outside"),
]


def test_a_published_configuration_is_read_and_its_other_keys_left_alone() -> None:
    hyper = HifiganHyper.from_json({**PLAIN, "num_mels": 64, "segment_size": 8192})
    assert hyper.hop_samples == 256
    assert hyper.bands == 80
    assert [hyper.stage_channels(stage) for stage in range(-1, 4)] == [512, 256, 128, 64, 32]


def test_what_is_written_reads_back() -> None:
    hyper = HifiganHyper.from_json({**PLAIN, "bands": 100})
    assert HifiganHyper.from_json(hyper.as_json()) == hyper


def test_dilations_beyond_those_of_the_block_type_are_dropped() -> None:
    assert HifiganHyper.from_json({**PLAIN, "resblock": 2}).resblock_dilation_sizes == ((1, 3),) * 3


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_what_cannot_be_built_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        HifiganHyper.from_json({**PLAIN, **change})


@pytest.mark.parametrize("key", PLAIN)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: missing"):
        HifiganHyper.from_json({name: value for name, value in PLAIN.items() if name != key})
