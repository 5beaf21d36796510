"""Where data and trained networks are, unless somebody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_data_dir() -> Path:
    """Return the data root: `MEMGEN_DATA`, else a folder in the platform's cache."""
    named = os.environ.get("MEMGEN_DATA")
    return Path(named) if named else platformdirs.user_cache_path("memgen-bench") / "data"


def default_cache_dir() -> Path:
    """Return the folder for trained networks: `MEMGEN_CACHE`, else the platform's cache."""
    named = os.environ.get("MEMGEN_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("memgen-bench")
