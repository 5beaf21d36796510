"""Texts of exceptions: one printable line, whatever a plugin raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench.errors import (
    DamagedPartError,
    DataNotFoundError,
    TrainingError,
    UsageError,
    error_type_of,
    one_line,
    printable,
    text_of,
)
from memgen_bench.results import store


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class WordlessError(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value] # what is tested


class Liar(str):
    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        raise IndexError

    def split(self, *args: Any) -> Any:
        raise IndexError


class DeceivedError(Exception):
    def __str__(self) -> str:
        return Liar("as it is")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("caf\udce9.npy"), r"FileNotFoundError: caf\udce9.npy"),
        (SilentError(), "SilentError: (its text cannot be made: RuntimeError)"),
        (WordlessError(), "WordlessError: (its text cannot be made: TypeError)"),
        (DeceivedError(), "DeceivedError: as it is"),
        (ValueError("\x1b[31mred\x00\u202etxt.exe"), r"ValueError: \x1b[31mred\x00\u202etxt.exe"),
        (ValueError("two\n  lines\r\n\tof it"), "ValueError: two lines of it"),
        (ValueError(b"\xff"), r"ValueError: b'\xff'"),
    ],
)
def test_every_text_is_one_printable_line(error: Exception, said: str) -> None:
    assert one_line(error) == said
    assert error_type_of(error) == "error"


def test_a_long_text_is_cut_before_anything_is_done_with_it() -> None:
    error = ValueError("word " * 20_000_000)
    assert len(one_line(error)) == 500
    assert len(text_of(error)) == 100_000


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_printable_and_can_be_stored(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert text.isprintable() == (shown == text)
    rows = store.table("readings", [{"key": "k", "message": text, "decoder": text}])
    stored = rows["message"].to_pylist()[0]
    stored.encode()
    assert stored == text or not text.isprintable()


def test_our_own_errors_are_one_line_whatever_names_are_in_them() -> None:
    for kind in (UsageError, TrainingError, DataNotFoundError):
        assert str(kind("a\nb: no such\x1b model")) == r"a\nb: no such\x1b model"
    assert str(DamagedPartError(Path("r\ns/readings/part"), "why")).startswith(r"r\ns/")
