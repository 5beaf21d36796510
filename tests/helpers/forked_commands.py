"""Commands for processes that were forked: functions of a module, called with words."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.forking import fork_children
from memgen_bench import cli

if TYPE_CHECKING:
    from collections.abc import Mapping


def memgen_silently(*words: str) -> None:
    """Call the command line and say nothing."""
    _become(Path(os.devnull))
    sys.argv = ["memgen-bench", *words]
    cli.main()


def dask_worker(log: Path, environment: Mapping[str, str], *words: str) -> None:
    """Call Dask's command for a worker."""
    _become(log)
    os.environ.update(environment)
    from distributed.cli.dask_worker import main

    main(words)


def _become(log: Path) -> None:
    """Fork children, as this process was, and say everything in a file."""
    fork_children()
    with log.open("a") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
