"""The slower part of the gate, in which small networks are trained again and decoded."""

from __future__ import annotations

import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import FixtureError, NotMeasuredError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.gate.noninferiority import judge_runs
from memgen_bench.gate.verdicts import Verdict, accepting
from memgen_bench.protocol import READOUT, TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIPPED = Path(__file__).parent / "runs.parquet"
WHERE = "digits mlp, trained"
SEEDS, RUNS = (0, 1, 2, 3, 4), 3
RATES = (0.4, 0.8)
_KEYS = ("decoder", "seed", "run")
_SCHEMA = pl.Schema(
    {
        "decoder": pl.String(),
        "seed": pl.Int64(),
        "run": pl.Int64(),
        "accuracy": pl.Float64(),
        "protocol_version": pl.Int32(),
        "accepted": pl.Datetime("us", "UTC"),
        "reason": pl.String(),
    }
)


def train_and_decode(
    decoders: Sequence[str], runs: int, plugins: Sequence[Path] = ()
) -> pl.DataFrame:
    """Train small networks on digits, without any cache, and decode them.

    Runs of a seed share data, noise and initial weights, and differ in the order of the batches.

    Args:
        decoders: Names of the decoders.
        runs: Number of runs of each seed.
        plugins: Plugin files that are not installed.

    Returns:
        A row for each decoder, seed and run: `accuracy`, the mean over rates and own layers, and
        `failure`, the message of a failed reading, if there is one.

    Raises:
        NotMeasuredError: A network did not memorize.
    """
    import memgen_bench
    from memgen_bench.results.store import read_frame

    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        memgen_bench.run(
            "smoke",
            decoders=decoders,
            rates=RATES,
            seeds=SEEDS,
            order_seeds=range(runs),
            kinds=["memorized"],
            labels=["corrupted"],
            results=results,
            cache_dir=Path(folder) / "cache",
            device="cpu",
            plugins=plugins,
        )
        readings = read_frame(results, "readings")
    if not readings.filter(~pl.col("memorized")).is_empty():
        raise NotMeasuredError(f"{WHERE}: a network did not memorize, so nothing can be compared")
    own = readings.filter(
        pl.col("kind") == "memorized",
        pl.col("decoder") != READOUT,
        pl.col("status").is_in(["ok", "failed"]),
    )
    return (
        own.rename({"order_seed": "run"})
        .group_by(_KEYS)
        .agg(
            accuracy=pl.col("test_accuracy").mean(),
            failure=pl.col("message").filter(pl.col("status") == "failed").first(),
        )
        .sort(_KEYS)
    )


def accept_runs(
    path: Path, decoders: Sequence[str], reason: str, plugins: Sequence[Path] = ()
) -> None:
    """Train and decode several runs of each seed, and store their accuracies as accepted.

    Raises:
        NotMeasuredError: A decoder failed, or a network did not memorize.
    """
    found = train_and_decode(decoders, RUNS, plugins)
    for decoder, failure in found.drop_nulls("failure").select("decoder", "failure").iter_rows():
        raise NotMeasuredError(f"{decoder} fails on {WHERE}: {failure}")
    stamped = found.drop("failure").with_columns(
        protocol_version=pl.lit(TRAINING_VERSION),
        accepted=pl.lit(datetime.now(UTC).replace(microsecond=0)),
        reason=pl.lit(reason),
    )
    rows = stamped.cast(_SCHEMA)
    if path.exists():
        others = read_runs(path).filter(~pl.col("decoder").is_in(rows["decoder"].implode()))
        rows = pl.concat([others, rows]).sort(_KEYS)
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())


def read_runs(path: Path) -> pl.DataFrame:
    """Return the accepted runs.

    Raises:
        FixtureError: The file does not exist, holds no runs, or has another protocol version.
    """
    try:
        rows = pl.read_parquet(io.BytesIO(path.read_bytes()))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FixtureError(
            f"{path}: no accepted runs ({error}); make them with memgen-bench gate accept --train"
        ) from error
    if rows.schema != _SCHEMA:
        raise FixtureError(f"{path}: holds no accepted runs; --train has a baseline of its own")
    if set(rows["protocol_version"]) != {TRAINING_VERSION}:
        raise FixtureError(f"{path}: of another protocol version; accept the decoders anew")
    return rows


def compare_runs(accepted: pl.DataFrame, now: pl.DataFrame) -> list[Verdict]:
    """Compare one run of each seed with the accepted ones, decoder by decoder."""
    verdicts = []
    for decoder in sorted(set(now["decoder"])):
        fresh = now.filter(decoder=decoder).sort("seed")
        failure = fresh["failure"].drop_nulls().first()
        then = accepted.filter(decoder=decoder).sort("seed", "run")
        if then.is_empty():
            message = accepting(decoder, "--train")
            verdicts.append(Verdict(decoder=decoder, fixture=WHERE, outcome="new", message=message))
        elif isinstance(failure, str):
            verdicts.append(
                Verdict(decoder=decoder, fixture=WHERE, outcome="regression", message=failure)
            )
        else:
            shaped = then["accuracy"].to_numpy().reshape(then["seed"].n_unique(), -1)
            verdicts.append(judge_runs(decoder, WHERE, shaped, fresh["accuracy"].to_numpy()))
    return verdicts
