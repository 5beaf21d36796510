"""The layers of a network that are read, and the pooling of wide maps."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from memgen_bench.errors import NotApplicable, PluginError, UsageError, is_fault, one_line
from memgen_bench.global_state import preserved
from memgen_bench.plan.pooling import describe_layer
from memgen_bench.protocol import FEATURES, LOGITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memgen_bench.plan.plan import Layer
    from memgen_bench.plugin.specs import ModelSpec, Task


def vectors(output: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Turn a layer's output into B×D vectors that share no memory with it."""
    if layer.grid is None:
        flat = output.flatten(1)
        return flat.clone() if flat.data_ptr() == output.data_ptr() else flat
    return _pool(_channels_first(output, layer.channels_last), layer.grid).flatten(1)


def _channels_first(output: torch.Tensor, channels_last: bool) -> torch.Tensor:
    if output.ndim == 3:  # tokens, B×T×C
        return output.transpose(1, 2)
    return output.permute(0, 3, 1, 2) if channels_last else output


def _pool(maps: torch.Tensor, grid: tuple[int, ...]) -> torch.Tensor:
    if len(grid) == 1:
        return functional.adaptive_avg_pool1d(maps, grid[0])
    return functional.adaptive_avg_pool2d(maps, (grid[0], grid[1]))


@preserved()
def find_layers(spec: ModelSpec, task: Task, max_layer_dim: int) -> tuple[Layer, ...]:
    """Find a model's layers by running it once, untrained, on two black images.

    Layers are numbered from 1: the input, which is no layer of the network, would be 0.

    Args:
        spec: The model.
        task: The task that the model is built for.
        max_layer_dim: Widest map that is not pooled; 0 for no limit.

    Raises:
        NotApplicable: The model does not take such images.
        PluginError: The model cannot be built or run, names a missing layer, or has not K outputs.
        UsageError: Its `build` says what its user is to mend.
    """
    with torch.random.fork_rng(devices=[]):
        module = build(spec, task)
        names, channels_last = spec.layers, False
        if names is None:
            names, channels_last = _features(module)
        images = torch.zeros(2, task.channels, task.height, task.width)
        try:
            outputs, logits = _dry_run(module, names, images, strict=spec.layers is not None)
            if not outputs and names:
                outputs, logits = _dry_run(module, None, images, strict=False)
        except PluginError:
            raise
        except BaseException as error:
            if not is_fault(error):
                raise
            raise PluginError(
                f"model {spec.name!r} fails on images of shape {tuple(images.shape[1:])}: "
                f"{one_line(error)}"
            ) from error
    if not isinstance(logits, torch.Tensor) or logits.shape != (2, task.num_classes):
        got = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise PluginError(
            f"model {spec.name!r} returns {got} for 2 images, not [2, {task.num_classes}]; its "
            "build(task) must make task.num_classes outputs"
        )
    every = {**outputs, LOGITS: logits}
    return tuple(
        describe_layer(
            name,
            index,
            index / len(every),
            tuple(output.shape[1:]),
            max_layer_dim,
            channels_last=channels_last and name != LOGITS,
        )
        for index, (name, output) in enumerate(every.items(), start=1)
    )


def build(spec: ModelSpec, task: Task) -> nn.Module:
    """Build a model's module, in eval mode.

    Raises:
        NotApplicable: The model does not take such images.
        PluginError: The model's `build` fails, or returns no module.
        UsageError: It says what its user is to mend.
    """
    try:
        module = spec.build(task)
    except (NotApplicable, UsageError):
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise PluginError(
            f"model {spec.name!r} cannot be built for {task}: {one_line(error)}"
        ) from error
    if not isinstance(module, nn.Module):
        raise PluginError(
            f"model {spec.name!r}: build(task) returned {type(module).__name__}, not a Module"
        )
    return module.eval()


def _features(module: nn.Module) -> tuple[tuple[str, ...] | None, bool]:
    """Return timm's feature modules (None: there are none) and whether maps are B×H×W×C."""
    modules = dict(module.named_modules())
    try:
        info = tuple(stage["module"] for stage in getattr(module, "feature_info", ()))
    except (TypeError, KeyError):
        info = ()
    if info and all(name in modules for name in info):
        return info, getattr(module, "output_fmt", "NCHW") == "NHWC"
    return None, False


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and not isinstance(
        module, nn.MultiheadAttention | nn.Softmax | nn.LogSoftmax
    )


def _dry_run(
    module: nn.Module, names: Sequence[str] | None, images: torch.Tensor, *, strict: bool
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return the outputs of layers, in the order of their names, and the logits.

    Args:
        module: The network.
        names: Its layers; None for every activation module, in the order of their calls.
        images: What it is run on.
        strict: Every name must have an output; else those that have none are left out.
    """
    seen: dict[str, torch.Tensor] = {}
    hooked = _bases(names) if names is not None else _activations(module)
    with torch.no_grad(), record(module, hooked, lambda n, out: seen.setdefault(n, out.clone())):
        logits = module(images)
    if names is None:
        return seen, logits
    missing = [name for name in names if name not in seen]
    if missing and strict:
        raise PluginError(
            f"no output of a layer {missing[0]!r} with a row for each image; its modules are "
            f"{_known(module)}"
        )
    return {name: seen[name] for name in names if name in seen}, logits


def _activations(module: nn.Module) -> list[str]:
    return [name for name, child in module.named_modules() if name and _is_activation(child)]


def _known(module: nn.Module) -> str:
    return ", ".join(name for name, _ in module.named_modules() if name)


def _bases(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name.partition(":")[0] for name in names))


@contextmanager
def record(module: nn.Module, names: Sequence[str], take: Any) -> Iterator[None]:
    """Call `take(name, output)` for each call of the named modules, counted per forward pass.

    Of an output that is a tuple or list the first tensor counts that has a row for each image;
    a module without any is passed over.

    Raises:
        PluginError: A module is missing.
    """
    modules: Mapping[str, nn.Module] = dict(module.named_modules())
    calls: dict[str, int] = {}
    rows = 0

    def restart(_: nn.Module, args: Any) -> None:
        nonlocal rows
        calls.clear()
        rows = len(args[0])

    def hook(name: str, child: nn.Module, args: Any, output: Any) -> None:
        calls[name] = calls.get(name, 0) + 1
        full = name if calls[name] == 1 else f"{name}:{calls[name]}"
        if (found := _first_tensor(output, rows)) is not None:
            take(full, found)

    missing = [name for name in names if name not in modules]
    if missing:
        raise PluginError(f"there is no layer {missing[0]!r}; its modules are {_known(module)}")
    handles = [module.register_forward_pre_hook(restart)]
    handles += [modules[name].register_forward_hook(partial(hook, name)) for name in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(output: Any, rows: int) -> torch.Tensor | None:
    """Return the first tensor with so many rows in an output, however deep it is nested."""
    if isinstance(output, torch.Tensor):
        return output if output.ndim > 1 and len(output) == rows else None
    inner = output if isinstance(output, tuple | list) else ()
    found = (_first_tensor(item, rows) for item in inner)
    return next((tensor for tensor in found if tensor is not None), None)


def hooked_names(layers: Sequence[Layer]) -> list[str]:
    """Return the modules that must be hooked to read some layers."""
    return _bases([layer.name for layer in layers if layer.name not in (FEATURES, LOGITS)])
