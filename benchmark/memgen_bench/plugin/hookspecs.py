"""The six hooks of memgen-bench; they take no argument and return specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memgen_bench.plugin.specs import (
        DatasetSpec,
        DecoderSpec,
        EngineSpec,
        Family,
        FeaturesSpec,
        ModelSpec,
        NoiseSpec,
    )

PROJECT = "memgen_bench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_models() -> Iterable[ModelSpec | Family[ModelSpec]]:
    """Offer models; ``build(task)`` returns an untrained ``torch.nn.Module`` with K outputs."""
    raise NotImplementedError


@hookspec
def register_features() -> Iterable[FeaturesSpec | Family[FeaturesSpec]]:
    """Offer label-free features; ``build()`` returns an object with ``fit`` and ``transform``."""
    raise NotImplementedError


@hookspec
def register_datasets() -> Iterable[DatasetSpec | Family[DatasetSpec]]:
    """Offer data sets; ``load(data_dir)`` returns a ``Data`` of images and true labels."""
    raise NotImplementedError


@hookspec
def register_decoders() -> Iterable[DecoderSpec | Family[DecoderSpec]]:
    """Offer decoding methods; ``build()`` returns an object with scikit-learn's fit and predict."""
    raise NotImplementedError


@hookspec
def register_noises() -> Iterable[NoiseSpec | Family[NoiseSpec]]:
    """Offer label noises; ``corrupt(labels, rate, num_classes, rng)`` returns new labels."""
    raise NotImplementedError


@hookspec
def register_engines() -> Iterable[EngineSpec | Family[EngineSpec]]:
    """Offer engines; ``open(jobs, report, scheduler)`` returns an ``Engine`` that runs networks."""
    raise NotImplementedError
