"""The answers to the questions of a plan (see `questions`), given where plugins may run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_bench.compute import find_device
from memgen_bench.data import datasets
from memgen_bench.data.planned_data import registry
from memgen_bench.errors import NotApplicable, one_line, text_of
from memgen_bench.network.layers import find_layers
from memgen_bench.plugin.parameters import built_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.plan.plan import DataInfo, Layer
    from memgen_bench.plugin.specs import Task


def device_type(device: str, report: Any = None) -> str:
    """Return the type of a device, such as `cuda`."""
    return find_device(device).type


def describe(
    plugin_files: tuple[str, ...], name: str, data_dir: Path, cache_dir: Path, report: Any = None
) -> DataInfo:
    """Describe a data set; see `datasets.describe`."""
    return datasets.describe(registry(plugin_files).datasets.find(name), data_dir, cache_dir)


def layers(
    plugin_files: tuple[str, ...], name: str, task: Task, limit: int, report: Any = None
) -> tuple[Layer, ...] | NotApplicable:
    """Find a model's layers, or the reason why it does not take such images."""
    try:
        return find_layers(registry(plugin_files).models.find(name), task, limit)
    except NotApplicable as reason:
        return NotApplicable(one_line(text_of(reason)))  # which other processes know


def parameters(plugin_files: tuple[str, ...], name: str, report: Any = None) -> str:
    """Find a decoder's parameters; see `built_parameters`."""
    return built_parameters(registry(plugin_files).decoders.find(name))
