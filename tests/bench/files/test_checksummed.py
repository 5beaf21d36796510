from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench.errors import DamagedError
from memgen_bench.files.checksummed import read_checksummed, with_checksum

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text().filter(lambda name: name != "sha256"), VALUES, max_size=4)


@given(fields=FIELDS)
def test_what_was_sealed_comes_back(fields: dict[str, Any]) -> None:
    assert read_checksummed(with_checksum(fields)) == fields


@given(fields=FIELDS, place=st.integers(min_value=0), bits=st.integers(1, 255))
def test_no_byte_can_differ(fields: dict[str, Any], place: int, bits: int) -> None:
    content = bytearray(with_checksum(fields))
    content[place % len(content)] ^= bits
    with pytest.raises(DamagedError, match="does not match its checksum"):
        read_checksummed(bytes(content))


@given(fields=FIELDS, length=st.integers(min_value=0))
def test_nothing_can_be_missing(fields: dict[str, Any], length: int) -> None:
    content = with_checksum(fields)
    with pytest.raises(DamagedError):
        read_checksummed(content[: length % len(content)])


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'"text"', b"7", b"null", b"{}", b'{"sha256": 1}', b"\xff\xfe", b"[" * 100_000],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_not_sealed_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedError):
        read_checksummed(content)


def test_a_person_can_read_it_line_by_line() -> None:
    first, second, *_ = (
        with_checksum({"network": "mlp", "record": {"loss": [1.0]}}).decode().splitlines()[1:]
    )
    assert (first, second) == ('"network": "mlp",', '"record": {"loss": [1.0]},')
    assert json.loads(with_checksum({"a": 1}))["a"] == 1
