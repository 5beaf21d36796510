"""Pretrained weights of timm's models that are on this machine: nothing is fetched or unpickled."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from memgen_bench import NotApplicable, Task, UsageError
from memgen_bench.toolkit.files import file_digest, named_path, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

MARK = "@pretrained"
_IN_HUB = ("model.safetensors", "open_clip_model.safetensors")


@dataclass(frozen=True)
class Weights:
    """Weights of a model, as they lie in a file.

    Attributes:
        architecture: timm's name of the architecture.
        tag: The tag of the weights; empty for timm's default.
        file: A file of safetensors.
        digest: The beginning of the file's SHA-256.
    """

    architecture: str
    tag: str
    file: Path
    digest: str

    @property
    def config(self) -> Any:
        """Timm's configuration of the weights; of an own tag, that of the architecture."""
        known = _configs(self.architecture)
        return known.get(self.tag, known[""])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Read the tensors of the file.

        Raises:
            UsageError: It was changed since its digest was taken, or holds no safetensors.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        content = self.file.read_bytes()
        if not hashlib.sha256(content).hexdigest().startswith(self.digest):
            raise UsageError(f"{self.file} was changed meanwhile; run again")
        try:
            return load(content)
        except SafetensorError as error:
            raise UsageError(
                f"{self.file} holds no safetensors ({one_line(error)}); no other format is read"
            ) from None

    def network(self, task: Task) -> nn.Module:
        """Build the model with these weights and a new classifier for a task.

        Grey images become colour images, and pixels are standardised as in pretraining.

        Raises:
            NotApplicable: The weights are not for such images.
            UsageError: The weights are not those of the model.
        """
        import timm

        config, tensors = self.config, self.tensors()
        scale = _scale(config, task)
        overlay = {
            "state_dict": tensors,
            "num_classes": _classes(config.classifier, tensors),
            "label_offset": 0,
            "custom_load": False,
        }
        try:
            module: Any = timm.create_model(
                self.architecture,
                pretrained=True,
                pretrained_cfg=asdict(config),
                pretrained_cfg_overlay=overlay,
            )
        except (RuntimeError, KeyError) as error:  # of torch and timm, where keys or shapes differ
            raise UsageError(
                f"{self.file} does not hold the weights of {self.architecture}: {one_line(error)}"
            ) from None
        module.pretrained_cfg.pop("state_dict", None)  # the module has them
        module.reset_classifier(task.num_classes)
        module.register_forward_pre_hook(partial(_standardise, scale=scale))
        network: nn.Module = module
        return network


def find_weights(name: str) -> Weights:
    """Find the weights of a name, with a tag or without: in the folder of weights or timm's cache.

    Raises:
        UsageError: They are not on this machine; the message says where to put them.
    """
    architecture, _, tag = name.partition(".")
    for file in _places(name, architecture, tag):
        if file.is_file():
            status = file.stat()
            digest = _digest(file, status.st_size, status.st_mtime_ns)
            return Weights(architecture, tag, file, digest)
    raise UsageError(_missing(name, architecture, tag))


def weights_dir() -> Path:
    """Return the folder of the user's own weights: `MEMGEN_WEIGHTS`, or one in the user's cache."""
    named = os.environ.get("MEMGEN_WEIGHTS")
    return named_path(named) if named else platformdirs.user_cache_path("memgen-bench") / "weights"


def _configs(architecture: str) -> dict[str, Any]:
    """Return timm's configurations of an architecture by their tags, the default one as ""."""
    from timm.models import PretrainedCfg, get_arch_pretrained_cfgs, get_pretrained_cfg

    every: dict[str, Any] = {
        cfg.tag or "": cfg for cfg in get_arch_pretrained_cfgs(architecture).values()
    }
    return {**every, "": get_pretrained_cfg(architecture) or PretrainedCfg()}


def _places(name: str, architecture: str, tag: str) -> Iterator[Path]:
    """Yield the files that may hold the weights of a name, the user's own first."""
    from huggingface_hub import try_to_load_from_cache

    yield weights_dir() / f"{name}.safetensors"
    config = _configs(architecture).get(tag)
    if config is None:
        return  # the user's own tag, which no cache has
    if config.tag:
        yield weights_dir() / f"{architecture}.{config.tag}.safetensors"
    for filename in _IN_HUB if config.hf_hub_id else ():
        if isinstance(found := try_to_load_from_cache(config.hf_hub_id, filename), str):
            yield Path(found)


def _missing(name: str, architecture: str, tag: str) -> str:
    known = _configs(architecture)
    if tag in known and known[tag].has_weights:
        how = f", or let timm fetch them: timm.create_model({name!r}, pretrained=True)"
    else:
        tags = ", ".join(filter(None, known))
        how = f"; timm has weights with the tags {tags}" if tags else ""
    return (
        f"timm/{name}{MARK}: its weights are not on this machine; put them at "
        f"{weights_dir() / name}.safetensors (no other format is read){how}"
    )


@lru_cache
def _digest(file: Path, size: int, changed: int) -> str:
    """Hash a file; one that changed is another."""
    return file_digest(file)


def _classes(classifier: Any, tensors: dict[str, torch.Tensor]) -> int:
    """Return the number of classes that weights are of; 0 where they have no classifier."""
    names = (classifier,) if isinstance(classifier, str) else classifier or ()
    found = (tensors.get(f"{name}.weight") for name in names)
    return next((len(weight) for weight in found if weight is not None), 0)


def _scale(config: Any, task: Task) -> list[tuple[float, float]]:
    """Return the factor and the offset of each channel that standardise pixels as they come.

    Raises:
        NotApplicable: Pixels are neither in [0, 1] nor in [-1, 1], or channels are others.
    """
    low, high = task.pixel_range
    if not (low >= -1 and high <= 1):
        raise NotApplicable(
            f"pixels lie in [{low:g}, {high:g}], and pretrained weights need them in [0, 1] or "
            "[-1, 1], to standardise them as in pretraining"
        )
    channels = len(config.mean)
    if task.channels not in (1, channels):
        raise NotApplicable(f"images have {task.channels} channels, not 1 or {channels}")
    half = (0.5, 0.5) if low < 0 else (1.0, 0.0)  # to [0, 1]
    return [
        (half[0] / std, (half[1] - mean) / std)
        for mean, std in zip(config.mean, config.std, strict=True)
    ]


def _standardise(
    module: nn.Module, args: tuple[torch.Tensor, ...], *, scale: list[tuple[float, float]]
) -> torch.Tensor:
    """Return images, B×C×H×W, as the weights were pretrained on them; grey ones in all channels."""
    (images, *_) = args
    factor, offset = images.new_tensor(scale).T[:, :, None, None]
    standardised: torch.Tensor = images * factor + offset
    return standardised
