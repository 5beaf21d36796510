"""Baselines: accepted predictions of decoders on fixtures, and the reasons for accepting them.

A baseline is one Parquet file; a row holds a decoder's predictions on one layer of a fixture, which
the format packs into as many bits as the classes need. Rows change only by `accept`.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from memgen_bench.errors import FixtureError, one_line
from memgen_bench.files.atomic import write_atomically
from memgen_bench.protocol import TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.gate.readings import FixtureReading

SHIPPED = Path(__file__).parent / "baseline.parquet"
SCHEMA = pa.schema(
    {
        "decoder": pa.string(),
        "decoder_version": pa.int32(),
        "decoder_params": pa.string(),
        "fixture": pa.string(),
        "fixture_sha256": pa.string(),
        "layer": pa.string(),
        "status": pa.string(),
        "message": pa.string(),
        "predicted": pa.list_(pa.uint8()),
        "test_accuracy": pa.float64(),
        "validation_accuracy": pa.float64(),
        "protocol_version": pa.int32(),
        "release": pa.string(),
        "accepted": pa.timestamp("s", "UTC"),
        "reason": pa.string(),
    }
)


def nothing_accepted() -> pl.DataFrame:
    """Return a baseline without rows."""
    return pl.DataFrame(pl.from_arrow(SCHEMA.empty_table()))


def read_baseline(path: Path) -> pl.DataFrame:
    """Return a baseline's rows.

    Raises:
        FixtureError: The file does not exist, is no baseline, or has another protocol version.
    """
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes())).cast(SCHEMA)
    except OSError as error:
        raise FixtureError(
            f"{path}: no baseline there ({error.strerror or one_line(error)}); make one with "
            "memgen-bench gate accept"
        ) from error
    except (pa.ArrowException, ValueError) as error:
        raise FixtureError(f"{path}: not a baseline ({one_line(error)})") from error
    rows = pl.DataFrame(pl.from_arrow(table))
    versions = set(rows["protocol_version"].unique()) - {TRAINING_VERSION}
    if versions:
        raise FixtureError(
            f"{path}: of protocol version {versions.pop()}, this is {TRAINING_VERSION}: they "
            "cannot be compared; accept the decoders anew, into another file"
        )
    return rows


def accept(
    path: Path,
    readings: Iterable[FixtureReading],
    fixtures: Mapping[str, Fixture],
    releases: Mapping[str, str],
    *,
    dropped: Iterable[str] = (),
    reason: str,
) -> None:
    """Replace the rows of some decoders in a baseline; create the file if it does not exist.

    Args:
        path: The baseline.
        readings: All readings of these decoders on the first draw of each fixture.
        fixtures: The fixtures by name.
        releases: The distribution and version of each decoder's plugin.
        dropped: Decoders whose rows are removed.
        reason: The reason for accepting, stored with the rows.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    about: dict[str, Any] = {
        "protocol_version": TRAINING_VERSION,
        "accepted": now,
        "reason": reason,
    }
    rows = [
        {**_row(each, fixtures[each.fixture]), "release": releases[each.decoder], **about}
        for each in readings
    ]
    fresh = pa.Table.from_pylist(rows, schema=SCHEMA)
    if path.exists():
        gone = [*fresh["decoder"].unique().to_pylist(), *dropped]
        kept = read_baseline(path).filter(~pl.col("decoder").is_in(gone))
        fresh = pa.concat_tables([kept.to_arrow().cast(SCHEMA), fresh])
    keys = [(name, "ascending") for name in ("decoder", "fixture", "layer")]
    buffer = io.BytesIO()
    pq.write_table(fresh.sort_by(keys), buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())


def _row(reading: FixtureReading, fixture: Fixture) -> dict[str, Any]:
    return {
        "decoder": reading.decoder,
        "decoder_version": reading.version,
        "decoder_params": reading.params,
        "fixture": fixture.name,
        "fixture_sha256": fixture.sha256,
        "layer": reading.layer,
        "status": reading.status,
        "message": reading.message,
        "predicted": reading.predicted,
        "test_accuracy": reading.test_accuracy,
        "validation_accuracy": reading.validation_accuracy,
    }
