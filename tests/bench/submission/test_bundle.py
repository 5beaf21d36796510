"""A bundle is as it was written, or it is named what was changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from memgen_bench.errors import DamagedError, UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.plan.suite import load_suite
from memgen_bench.plugin.registry import Plugin
from memgen_bench.results.store import table
from memgen_bench.submission.bundle import MANIFEST, READINGS, Bundle, read_bundle, write_bundle

if TYPE_CHECKING:
    from pathlib import Path


def rows(name: str, **columns: object) -> pl.DataFrame:
    found = pl.from_arrow(table(name, [columns]))
    assert isinstance(found, pl.DataFrame)
    return found


ROWS, NETWORKS = rows("readings", key="a", test_accuracy=0.5), rows("networks", network_id="n")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    plugin = tmp_path / "mine.py"
    plugin.write_text("answer = 42\n")
    return write_bundle(
        tmp_path / "bundle",
        "mine",
        load_suite("smoke"),
        Plugin(name="mine", distribution="file", version="-", file=str(plugin)),
        readings=ROWS,
        networks=NETWORKS,
        report="fine",
    )


def test_what_is_read_is_what_was_written(bundle: Bundle) -> None:
    found = read_bundle(bundle.folder)
    assert found == bundle
    assert found.readings().equals(ROWS)
    assert [file.read_text() for file in found.plugin_files] == ["answer = 42\n"]
    with pytest.raises(UsageError, match="is not an empty folder"):
        write_bundle(
            bundle.folder,
            "mine",
            bundle.suite,
            Plugin(name="mine", distribution="mine", version="1", file="?"),
            readings=ROWS,
            networks=NETWORKS,
            report="",
        )


@pytest.mark.parametrize("name", ["readings.parquet", "networks.parquet", "check.md", "mine.py"])
def test_a_changed_or_missing_file_is_named(bundle: Bundle, name: str) -> None:
    file = bundle.folder / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(DamagedError, match=f"{name} was changed"):
        read_bundle(bundle.folder)
    file.unlink()
    with pytest.raises(DamagedError, match=f"{name} is not there"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder": "another"}, "its digest does not fit"),
        ({"digest": "0"}, "its digest does not fit"),
        ({"files": 3}, "is not a manifest|does not fit"),
        ({"suite": {"name": 1}}, "is not a manifest"),
        ({"more": 1}, "is not a manifest"),
    ],
)
def test_a_changed_manifest_is_noticed(
    bundle: Bundle, change: dict[str, object], said: str
) -> None:
    path = bundle.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedError, match=said):
        read_bundle(bundle.folder)


@pytest.mark.parametrize(
    "forged", [ROWS.drop("seed"), ROWS.with_columns(pl.lit(1).alias("more")), NETWORKS]
)
def test_rows_of_another_form_are_named(bundle: Bundle, forged: pl.DataFrame) -> None:
    forged.write_parquet(bundle.folder / READINGS)
    with pytest.raises(DamagedError, match="other columns than the readings"):
        bundle.readings()
    (bundle.folder / READINGS).write_bytes(b"PAR1")
    with pytest.raises(DamagedError, match="no Parquet that can be read"):
        bundle.readings()


def test_no_file_outside_the_bundle_is_read(bundle: Bundle) -> None:
    (bundle.folder.parent / "secret").write_text("s")
    outside = {"../secret": "0", **bundle.files}
    Bundle(**{**vars(bundle), "files": outside}).write_manifest()
    with pytest.raises(DamagedError, match="not a file beside it"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize("written", range(5))
def test_a_bundle_that_is_not_whole_is_none(
    tmp_path: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends in the midst of the bundle's writes, of which there are five."""
    plugin = tmp_path / "mine.py"
    plugin.write_text("answer = 42\n")
    folder = tmp_path / "bundle"
    folder.mkdir()

    def killed(path: Path, content: bytes) -> None:
        if len(list(folder.iterdir())) == written:
            raise KeyboardInterrupt
        write_atomically(path, content)

    monkeypatch.setattr("memgen_bench.submission.bundle.write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(
            folder,
            "mine",
            load_suite("smoke"),
            Plugin(name="mine", distribution="file", version="-", file=str(plugin)),
            readings=ROWS,
            networks=NETWORKS,
            report="fine",
        )
    assert len(list(folder.iterdir())) == written
    with pytest.raises(UsageError, match=r"holds no submission\.json"):
        read_bundle(folder)


def test_another_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no submission\.json"):
        read_bundle(tmp_path)
