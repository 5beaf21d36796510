"""From a planned network to a fixture, through the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memgen_bench import cli
from memgen_bench.fixtures import fixture_names, load_fixture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = ["--train-size", "200", "--test-size", "100", "--seed", "0"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that a test has trained are another's, too."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def export(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    def call(*arguments: str) -> tuple[int, str]:
        what = ["export-activations", "--model", "mlp", "--dataset", "digits", *SIZES, *arguments]
        monkeypatch.setattr(sys, "argv", ["memgen-bench", *what, "--cache-dir", str(cache)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out + captured.err

    return call


def test_a_network_becomes_a_fixture(
    export: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        assert export("--rate", "0.4", "--out", str(tmp_path / folder))[0] == 0
    name = "digits-mlp-uniform-0.4"
    assert fixture_names(tmp_path / "a") == [name]
    fixture = load_fixture(name, tmp_path / "a")
    assert list(fixture.layers) == ["fc1", "fc2", "fc3"]
    assert fixture.sizes == (150, 50, 100)
    assert fixture.about["accuracy_given"] >= 0.99
    assert 0.5 < 1 - fixture.about["realised_rate"] < 0.8
    assert not fixture.null
    train = fixture.points("fc1")[0]
    assert train.min() == 0
    assert train.max() > 0
    assert fixture.sha256 == load_fixture(name, tmp_path / "b").sha256


def test_a_null_has_draws_of_its_own_and_starts_with_the_network_s(
    export: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    options = ["--rate", "1", "--layer", "fc3", "--out", str(tmp_path)]
    code, said = export(*options)
    assert (code, "at least 20" in said) == (2, True)
    assert export(*options, "--draws", "20")[0] == 0
    fixture = load_fixture("digits-mlp-uniform-1", tmp_path)
    assert fixture.null
    assert len(fixture.given) == 20
    assert np.array_equal((fixture.given[0] + 1) % 10, fixture.given[1])
    assert not np.array_equal(fixture.given[0], fixture.given[10])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--layer", "fc9"], "has no layer 'fc9'; it has input, fc1"),
        (["--draws", "20"], "memorized one draw"),
        (["--seed", "1"], "name one --seed"),
    ],
)
def test_what_makes_no_sense_is_said(
    options: list[str], reason: str, export: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, said = export("--rate", "0.4", "--out", str(tmp_path / "x"), *options)
    assert (code, reason in said) == (2, True)
    assert not (tmp_path / "x").exists()
