"""Schemas: plain types, and every column of every version accounted for."""

from __future__ import annotations

import pyarrow as pa
import pytest

from memgen_bench.results import schemas


@pytest.mark.parametrize("name", schemas.TABLES)
def test_columns_have_plain_types_only(name: str) -> None:
    def plain(kind: pa.DataType) -> bool:
        if pa.types.is_list(kind):
            return plain(kind.value_type)
        return bool(
            pa.types.is_string(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_integer(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_timestamp(kind)
            or pa.types.is_binary(kind)
        )

    assert [column.name for column in schemas.TABLES[name] if not plain(column.type)] == []


def test_the_version_is_that_of_the_columns_added_last() -> None:
    assert max(schemas.ADDED, default=1) == schemas.SCHEMA_VERSION
    assert sorted(schemas.ADDED) == list(range(2, schemas.SCHEMA_VERSION + 1))


@pytest.mark.parametrize("name", schemas.MEASURED)
def test_what_is_measured_are_columns(name: str) -> None:
    assert set(schemas.MEASURED[name]) < set(schemas.TABLES[name].names)
