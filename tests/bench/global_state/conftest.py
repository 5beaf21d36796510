"""Lasting changes of one test are none of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_bench.global_state import lasting_changes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    lasting_changes.clear()
