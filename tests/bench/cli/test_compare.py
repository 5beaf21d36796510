"""`memgen-bench compare`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command_line import CommandLine
    from helpers.readings import Bench


def test_own_numbers_are_put_beside_published_ones(
    bench: Bench, here: CommandLine, tmp_path: Path
) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist", "rate": 0.8}
    bench.decode({"fc1": (0.5, 0.7)}, **own).decode({"fc1": (0.5, 0.6)}, **own, decoder="mine")
    results = bench.readout(0.3, **own).stored(tmp_path / "results")
    outcome = here("compare", "--results", str(results), "--against", "published")
    assert outcome.code == 0, outcome.err
    (masc,) = [line.split() for line in outcome.out.splitlines() if " masc " in line]
    assert masc[:5] == ["paper-cnn", "fashion-mnist", "0.8", "memorized", "masc"]
    assert "-4.9" in masc
    assert "mine" not in outcome.out


def test_two_decoders_are_compared_with_a_figure(
    bench: Bench, here: CommandLine, tmp_path: Path
) -> None:
    results = str(bench.cell(0.6, 0.4, 0.9).stored(tmp_path / "results"))
    bench.rows.clear()
    bench.cell(0.6, 0.4, 0.9).decode({"fc1": (0.5, 0.7)}, decoder="ncm")
    bench.stored(tmp_path / "results", "other")
    out = str(tmp_path / "figures")
    outcome = here("compare", "masc", "ncm", "--results", results, "--out", out)
    assert outcome.code == 0, outcome.err
    assert "-10.0 ± " in outcome.out
    assert (tmp_path / "figures" / "other-v1-masc-ncm.svg").stat().st_size > 1000
    for words, says in (
        (["masc"], "compare takes two decoders, not 1"),
        (["masc", "nmc"], "no decoder nmc in "),
        (["--out", out], "--out needs two decoders"),
    ):
        outcome = here("compare", *words, "--results", results)
        assert (outcome.code, says in outcome.err) == (2, True), outcome.err
