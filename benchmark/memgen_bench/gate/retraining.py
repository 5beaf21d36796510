"""The slower tier of the gate: small networks are trained anew, and decoded."""

from __future__ import annotations

import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import FixtureError, UsageError
from memgen_bench.files import write_atomically
from memgen_bench.gate.noninferiority import judge_runs
from memgen_bench.gate.verdicts import Verdict
from memgen_bench.protocol import INPUT, PROTOCOL_VERSION, READOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIPPED = Path(__file__).parent / "runs.parquet"
WHERE = "digits mlp, trained"
SEEDS, RUNS = (0, 1, 2, 3, 4), 3
RATES = (0.4, 0.8)
_KEYS = ("decoder", "seed", "run")


def train_and_decode(decoders: Sequence[str], runs: int) -> pl.DataFrame:
    """Train small networks on digits from nothing and decode them.

    Runs of a seed share data, noise and initial weights, and differ in the order of the batches.

    Args:
        decoders: Their names.
        runs: How many runs of each seed.

    Returns:
        A row for each decoder, seed and run: `accuracy`, the mean over rates and own layers.

    Raises:
        UsageError: A network or decoder failed.
    """
    import memgen_bench
    from memgen_bench.store import read_frame

    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        summary = memgen_bench.run(
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
        )
        if summary.failed:
            raise UsageError(f"{summary.failed} of {summary.planned} readings failed; see a run")
        readings = read_frame(results, "readings")
    own = readings.filter(
        pl.col("kind") == "memorized",
        ~pl.col("layer").is_in([INPUT]),
        pl.col("decoder") != READOUT,
        pl.col("status") == "ok",
    )
    keys = own.rename({"order_seed": "run"}).group_by(_KEYS)
    return keys.agg(accuracy=pl.col("test_accuracy").mean()).sort(_KEYS)


def accept_runs(path: Path, decoders: Sequence[str], reason: str) -> int:
    """Train and decode several runs of each seed, and store what comes out and scatters.

    Returns:
        How many decoders were stored.
    """
    rows = train_and_decode(decoders, RUNS).with_columns(
        protocol_version=pl.lit(PROTOCOL_VERSION),
        accepted=pl.lit(datetime.now(UTC).replace(microsecond=0)),
        reason=pl.lit(reason),
    )
    if path.exists():
        others = read_runs(path).filter(~pl.col("decoder").is_in(rows["decoder"].implode()))
        rows = pl.concat([others, rows], how="vertical_relaxed").sort(_KEYS)
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())
    return len(decoders)


def read_runs(path: Path) -> pl.DataFrame:
    """Return the accepted runs.

    Raises:
        FixtureError: They are not there, or of another version of the protocol.
    """
    try:
        rows = pl.read_parquet(io.BytesIO(path.read_bytes()))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FixtureError(
            f"{path}: no accepted runs ({error}); make them with memgen-bench gate accept --train"
        ) from error
    if set(rows["protocol_version"]) != {PROTOCOL_VERSION}:
        raise FixtureError(f"{path}: of another protocol version; accept the decoders anew")
    return rows


def compare_runs(accepted: pl.DataFrame, now: pl.DataFrame) -> list[Verdict]:
    """Compare one run of each seed with the accepted ones, decoder by decoder."""
    verdicts = []
    for decoder in sorted(set(now["decoder"])):
        then = accepted.filter(decoder=decoder).sort("seed", "run")
        if then.is_empty():
            message = f"memgen-bench gate accept --train --decoder {decoder} --reason …"
            verdicts.append(Verdict(decoder=decoder, fixture=WHERE, outcome="new", message=message))
            continue
        shaped = then["accuracy"].to_numpy().reshape(then["seed"].n_unique(), -1)
        fresh = now.filter(decoder=decoder).sort("seed")["accuracy"].to_numpy()
        verdicts.append(judge_runs(decoder, WHERE, shaped, fresh))
    return verdicts
