"""Plans of small suites on digits, of networks that are said to have three layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from hypothesis import strategies as st

from memgen_bench import Registry, Task
from memgen_bench.plan.plan import DataInfo, Layer
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import Kind, Suite

if TYPE_CHECKING:
    from memgen_bench.plan.plan import Plan

DIGITS = DataInfo(
    name="digits",
    fingerprint="f",
    task=Task(channels=1, height=8, width=8, num_classes=10),
    train_count=1297,
    test_count=500,
)
NAMES = ("first", "hidden", "logits")
axes_of_kinds = st.lists(st.sampled_from(get_args(Kind)), min_size=1, unique=True)


def three_layers(spec: Any, task: Any, limit: int) -> tuple[Layer, ...]:
    """Return the same layers for every model."""
    return tuple(
        Layer(name=name, index=i, depth=i / 2, dim=10, width=10) for i, name in enumerate(NAMES)
    )


def suite(**axes: Any) -> Suite:
    """Return a suite of one model and of pixels; axes replace its own."""
    fields: dict[str, Any] = {
        "name": "test",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.0, 0.4, 1.0],
        "decoders": ["masc", "ncm"],
        "features": ["pixels"],
    }
    return Suite.model_validate(fields | axes)


def plan(registry: Registry, data: DataInfo = DIGITS, device: str = "cpu", **axes: Any) -> Plan:
    """Plan such a suite."""
    return make_plan(
        suite(**axes), registry, {"digits": data}, find_layers=three_layers, device_type=device
    )


def without_decoders(registry: Registry) -> Registry:
    """Return a registry of everything but decoders, to which some are added."""
    return Registry(
        models=registry.models,
        features=registry.features,
        datasets=registry.datasets,
        noises=registry.noises,
    )


def keys(made: Plan) -> list[str]:
    """Return the keys of all readings."""
    return [reading.key for network in made.networks for reading in network.readings]


def ids(made: Plan, kind: str) -> set[str]:
    """Return the identities of the networks of a kind."""
    return {network.network_id for network in made.networks if network.kind == kind}


class Quarter:
    """Another parameter value under the same name."""

    def get_params(self, deep: bool = True) -> dict[str, float]:
        return {"variance": 0.25}

    def fit(self, X: Any, y: Any, **needs: Any) -> Quarter:
        return self

    def predict(self, X: Any) -> Any:
        return X
