"""The questions of a plan to plugins, asked where an answer may hang or crash."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any, Protocol

from memgen_bench.errors import DataError, NotApplicable, PluginError
from memgen_bench.workers.child import ChildLost

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.plan.plan import DataInfo, Layer
    from memgen_bench.plugin.specs import Task


class Ask(Protocol):
    """A function that calls another one, in this process or in a child."""

    def __call__(self, function: str, *args: Any) -> Any:
        """Call the function `package.module:name` and return its result."""


def here(function: str, *args: Any) -> Any:
    """Call a function in this process."""
    return pkgutil.resolve_name(function)(*args)


class Questions:
    """Questions about data sets, models, decoders and devices.

    Args:
        ask: Function that calls the answering function.
        plugin_files: Plugin files that are not installed.
    """

    def __init__(self, ask: Ask = here, plugin_files: tuple[str, ...] = ()) -> None:
        self._ask, self._files = ask, plugin_files
        self._known: dict[Any, tuple[Layer, ...] | Exception] = {}

    def device_type(self, device: str) -> str:
        """Return `cpu` or `cuda`.

        Raises:
            UsageError: The device cannot be used.
        """
        kind: str = self._ask("memgen_bench.workers.answers:device_type", device)
        return kind

    def describe(self, dataset: str, data_dir: Path, cache_dir: Path) -> DataInfo:
        """Describe a data set; see `datasets.describe`.

        Raises:
            DataError: The data set is damaged, or reading it ends the process.
        """
        try:
            info: DataInfo = self._ask(
                "memgen_bench.workers.answers:describe", self._files, dataset, data_dir, cache_dir
            )
        except ChildLost as lost:
            raise DataError(f"data set {dataset!r} cannot be read: {lost}") from lost
        return info

    def layers(self, model: str, task: Task, max_layer_dim: int) -> tuple[Layer, ...]:
        """Find a model's layers, only once; see `layers.find_layers`.

        Raises:
            NotApplicable: The model does not take such images.
            PluginError: The model cannot be built or run, or ends the process.
        """
        question = (model, task, max_layer_dim)
        if question not in self._known:
            self._known[question] = self._layers(question)
        answer = self._known[question]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def parameters(self, decoder: str) -> str:
        """Find a decoder's parameters, as JSON; `null` where building it ends the process."""
        try:
            found: str = self._ask("memgen_bench.workers.answers:parameters", self._files, decoder)
        except ChildLost:  # its readings will fail likewise
            return "null"
        return found

    def _layers(self, question: tuple[str, Task, int]) -> tuple[Layer, ...] | Exception:
        try:
            found: tuple[Layer, ...] | NotApplicable = self._ask(
                "memgen_bench.workers.answers:layers", self._files, *question
            )
        except ChildLost as lost:
            return PluginError(f"model {question[0]!r} cannot be built: {lost}")
        except PluginError as error:
            return error
        return found
