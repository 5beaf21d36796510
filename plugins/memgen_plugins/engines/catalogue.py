"""The engines that ship: this process, child processes, and a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_bench import EngineSpec, UsageError, hookimpl
from memgen_plugins.engines.local import ProcessEngine, SerialEngine

if TYPE_CHECKING:
    from memgen_bench import Engine, Report


def _without(scheduler: str) -> None:
    if scheduler:
        raise UsageError(f"--scheduler {scheduler}: only --engine dask has a scheduler")


def _serial(jobs: int, report: Report, scheduler: str) -> Engine:
    _without(scheduler)
    return SerialEngine(report)


def _processes(jobs: int, report: Report, scheduler: str) -> Engine:
    _without(scheduler)
    return ProcessEngine(jobs, report)


def _dask(jobs: int, report: Report, scheduler: str) -> Engine:
    try:
        from memgen_plugins.engines.dask_cluster import DaskEngine
    except ModuleNotFoundError as error:
        raise UsageError(f"{error}; pip install 'memgen-bench[dask]' brings it") from error
    return DaskEngine(jobs, report, scheduler)


@hookimpl
def register_engines() -> list[EngineSpec]:
    """Offer the serial, the process and the Dask engine."""
    return [
        EngineSpec(
            name="serial",
            summary="one network after the other in this process; no time-outs",
            open=_serial,
            in_process=True,
        ),
        EngineSpec(
            name="processes",
            summary="child processes of this machine, replaced when they hang or die",
            open=_processes,
        ),
        EngineSpec(
            name="dask",
            summary="a Dask cluster: --scheduler tcp://host:port, or a local one without it",
            open=_dask,
        ),
    ]
