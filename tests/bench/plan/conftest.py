"""What is registered, for plans."""

from __future__ import annotations

import pytest

from memgen_bench import Registry, load_registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Return what is registered; nobody may change it."""
    return load_registry()
