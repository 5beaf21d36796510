from __future__ import annotations

import inspect
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgen_bench import DecoderSpec, PluginError, Registry, Task, UsageError, load_registry, run
from memgen_bench.hashing import canonical, network_id
from memgen_bench.plan import planner
from memgen_bench.plan.plan import DataInfo, Layer
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import RecipeOverride, Suite, load_suite
from memgen_bench.plugin.parameters import parameters
from memgen_bench.protocol import PROTOCOL_VERSION
from memgen_bench.running.runner import plan_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memgen_bench.plan.plan import Plan

DIGITS = DataInfo(
    name="digits",
    fingerprint="f",
    task=Task(channels=1, height=8, width=8, num_classes=10),
    train_count=1297,
    test_count=500,
)
NAMES = ("input", "hidden", "logits")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def three_layers(spec: Any, task: Any, limit: int) -> tuple[Layer, ...]:
    return tuple(
        Layer(name=name, index=i, depth=i / 2, dim=10, width=10) for i, name in enumerate(NAMES)
    )


def suite(**axes: Any) -> Suite:
    fields: dict[str, Any] = {
        "name": "test",
        "version": 1,
        "models": ["mlp"],
        "datasets": ["digits"],
        "rates": [0.0, 0.4, 1.0],
        "decoders": ["masc", "ncm"],
    }
    return Suite.model_validate(fields | axes)


def plan(registry: Registry, data: DataInfo = DIGITS, device: str = "cpu", **axes: Any) -> Plan:
    return make_plan(
        suite(**axes), registry, {"digits": data}, find_layers=three_layers, device_type=device
    )


def keys(made: Plan) -> list[str]:
    return [reading.key for network in made.networks for reading in network.readings]


axes_of_kinds = st.lists(
    st.sampled_from(["memorized", "clean", "untrained"]), min_size=1, unique=True
)
axes = st.fixed_dictionaries(
    {
        "rates": st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=1, max_size=4),
        "seeds": st.lists(st.integers(0, 3), min_size=1, max_size=3),
        "noises": st.lists(st.sampled_from(["uniform", "flip"]), min_size=1, unique=True),
        "kinds": axes_of_kinds,
        "labels": st.lists(st.sampled_from(["corrupted", "true"]), min_size=1, unique=True),
        "noise_seeds": st.none() | st.lists(st.integers(0, 2), min_size=1, unique=True),
        "init_seeds": st.none() | st.lists(st.integers(0, 2), min_size=1, unique=True),
        "order_seeds": st.none() | st.lists(st.integers(0, 2), min_size=1, unique=True),
    }
)


@settings(max_examples=60, deadline=None)
@given(axes=axes)
def test_no_network_and_no_key_twice_and_rate_zero_only_where_it_belongs(
    registry: Registry, axes: dict[str, Any]
) -> None:
    made = plan(registry, **axes)
    ids = [network.network_id for network in made.networks]
    assert len(set(ids)) == len(ids)
    assert len(set(keys(made))) == len(keys(made)) == made.reading_count
    for network in made.networks:
        assert (network.draw is None) == (network.kind != "memorized")
        for reading in network.readings:
            what = reading.decoding
            at_zero = network.kind != "memorized" and what.labels != "corrupted"
            assert (what.draw is None) == at_zero
            if network.kind == "memorized":
                assert what.draw == network.draw
    trained = {network.seed for network in made.networks if network.kind == "memorized"}
    if min(axes["rates"]) < 1:
        assert trained <= {network.seed for network in made.networks if network.kind == "clean"}


def test_what_a_small_suite_holds(registry: Registry) -> None:
    made = plan(registry)
    assert Counter(network.kind for network in made.networks) == {
        "untrained": 1,
        "clean": 1,
        "memorized": 2,
    }
    rows = Counter(
        (network.kind, r.decoding.labels, r.decoding.draw.rate if r.decoding.draw else 0)
        for network in made.networks
        for r in network.readings
    )
    both = 2 * 3  # decoders × layers
    assert rows == {
        ("memorized", None, 0.4): 1,
        ("memorized", "corrupted", 0.4): both,
        ("memorized", "true", 0.4): both,
        ("memorized", None, 1.0): 1,
        ("memorized", "corrupted", 1.0): both,
        ("memorized", "true", 1.0): both,
        ("clean", None, 0): 1,
        ("clean", "true", 0): both,
        ("clean", "corrupted", 0.4): both,
        ("clean", "corrupted", 1.0): both,
        ("untrained", None, 0): 1,
        ("untrained", "true", 0): both,
        ("untrained", "corrupted", 0.4): both,
        ("untrained", "corrupted", 1.0): both,
    }


def test_a_recovery_needs_the_clean_network_and_chance_does_not(registry: Registry) -> None:
    needed = plan(registry, kinds=["memorized"], rates=[0.4])
    assert [n.kind for n in needed.networks] == ["clean", "memorized"]
    assert [r.decoding.decoder for r in needed.networks[0].readings] == [None]
    not_needed = plan(registry, kinds=["memorized"], rates=[1.0])
    assert [n.kind for n in not_needed.networks] == ["memorized"]


SOME_AXES: dict[str, list[Any]] = {
    "models": ["mlp", "cnn"],
    "noises": ["uniform", "flip"],
    "rates": [0.0, 0.4, 1.0],
    "seeds": [0, 1],
    "noise_seeds": [0, 3],
    "kinds": ["memorized", "clean", "untrained"],
    "labels": ["corrupted", "true"],
    "decoders": ["masc", "ncm"],
}


@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_axes_changes_no_key(registry: Registry, data: st.DataObject) -> None:
    shuffled = {axis: data.draw(st.permutations(values)) for axis, values in SOME_AXES.items()}
    order = data.draw(st.permutations(list(shuffled)))
    another: dict[str, Any] = {axis: shuffled[axis] for axis in order}
    plain_order: dict[str, Any] = {**SOME_AXES}
    assert set(keys(plan(registry, **another))) == set(keys(plan(registry, **plain_order)))


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to each value within nested fields."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path


def changed(value: Any, path: tuple[str, ...], new: Any) -> Any:
    return new if not path else {**value, path[0]: changed(value[path[0]], path[1:], new)}


def reversed_(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_(value[name]) for name in reversed(list(value))}
    return value


def test_a_plan_hashes_as_whoever_reads_an_identity_does(registry: Registry) -> None:
    networks = plan(registry).networks
    assert 1 in {network.draw.rate for network in networks if network.draw}  # 1.0 is hashed as 1
    assert [network_id(network.identity) for network in networks] == [
        network.network_id for network in networks
    ]


@pytest.mark.parametrize("kind", ["memorized", "clean", "untrained"])
def test_a_network_is_called_by_every_field_of_its_identity(registry: Registry, kind: str) -> None:
    network = next(network for network in plan(registry).networks if network.kind == kind)
    identity, name = canonical(network.identity), network.network_id
    for again in (
        network.identity,
        identity,
        reversed_(identity),
        json.loads(json.dumps(identity)),
    ):
        assert network_id(again) == name
    fields = list(leaves(identity))
    others = {network_id(changed(identity, path, "another")) for path in fields}
    assert len(others | {name}) == len(fields) + 1
    expected = {"initial", "seed", "init"}
    if kind != "untrained":
        expected |= {"recipe", "device", "order", "draw"}
    assert set(identity) == expected
    assert set(identity["initial"]) == {
        *("protocol", "model", "version", "parameters", "task", "data"),
        *("train_size", "validation_fraction"),
    }
    if kind == "memorized":
        assert set(identity["draw"]) == {"noise", "noise_version", "rate", "noise_seed"}


OF_NO_WEIGHT = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["test", "other"]),
        "version": st.integers(1, 9),
        "decoders": st.lists(st.sampled_from(["masc", "ncm", "lda"]), min_size=1, unique=True),
        "labels": st.lists(st.sampled_from(["corrupted", "true"]), min_size=1, unique=True),
        "test_size": st.none() | st.integers(1, 500),
        "max_layer_dim": st.integers(0, 10_000),
    }
)


@settings(max_examples=30)
@given(options=OF_NO_WEIGHT, kinds=axes_of_kinds)
def test_what_is_decoded_and_how_has_no_say_in_a_network(
    registry: Registry, options: dict[str, Any], kinds: list[str]
) -> None:
    whole = plan(registry)
    assert [n.network_id for n in plan(registry, **options).networks] == [
        n.network_id for n in whole.networks
    ]
    some = plan(registry, **options, kinds=kinds)
    assert {n.network_id for n in some.networks} <= {n.network_id for n in whole.networks}


def test_a_plan_is_not_told_how_it_is_run() -> None:
    told = {*inspect.signature(make_plan).parameters, *inspect.signature(plan_run).parameters}
    how = {"jobs", "memory", "results", "resume_minutes", "shared_caches", "observer"}
    assert how < set(inspect.signature(run).parameters)
    assert not told & how
    assert "places" not in inspect.signature(make_plan).parameters


def test_what_else_is_in_the_plan_changes_no_key(registry: Registry) -> None:
    small = plan(registry, rates=[0.4], decoders=["masc"], labels=["corrupted"])
    assert set(keys(small)) <= set(keys(plan(registry, seeds=[0, 1, 2])))


def ids(made: Plan, kind: str) -> set[str]:
    return {network.network_id for network in made.networks if network.kind == kind}


DECIDES_WEIGHTS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("seed", {"seeds": [5]}, {"memorized", "clean", "untrained"}),
    ("init", {"init_seeds": [5]}, {"memorized", "clean", "untrained"}),
    ("order", {"order_seeds": [5]}, {"memorized", "clean"}),
    ("noise seed", {"noise_seeds": [5]}, {"memorized"}),
    ("noise", {"noises": ["flip"]}, {"memorized"}),
    ("rate", {"rates": [0.0, 0.5]}, {"memorized"}),
    ("train size", {"train_size": 500}, {"memorized", "clean", "untrained"}),
    ("validation", {"validation_fraction": 0.2}, {"memorized", "clean", "untrained"}),
    ("model", {"models": ["cnn"]}, {"memorized", "clean", "untrained"}),
    ("device", {"device": "cuda"}, {"memorized", "clean"}),
    ("test size", {"test_size": 100}, set()),
    ("layer limit", {"max_layer_dim": 7}, set()),
    ("decoders", {"decoders": ["lda"]}, set()),
    ("labels", {"labels": ["true"]}, set()),
    ("all of the data", {"train_size": 1297, "test_size": 500}, set()),
]


@pytest.mark.parametrize(
    ("change", "kinds"), [c[1:] for c in DECIDES_WEIGHTS], ids=[c[0] for c in DECIDES_WEIGHTS]
)
def test_an_identity_changes_with_what_decides_the_weights_and_with_nothing_else(
    registry: Registry, change: dict[str, Any], kinds: set[str]
) -> None:
    base: dict[str, Any] = {"rates": [0.0, 0.4]}
    before, after = plan(registry, **base), plan(registry, **(base | change))
    changed = {k for k in ("memorized", "clean", "untrained") if ids(before, k) != ids(after, k)}
    assert changed == kinds


@pytest.mark.parametrize(
    "override",
    [
        {"optimizer": "sgd"},
        {"lr": 0.5},
        {"momentum": 0.5},
        {"batch_size": 7},
        {"target": 0.5},
        {"max_epochs": 7},
        {"threads": 2},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_every_field_of_the_recipe_decides_trained_weights(
    registry: Registry, override: dict[str, Any]
) -> None:
    pair = {"model": "mlp", "dataset": "digits"}
    before, after = (
        plan(registry, models=[], datasets=[], pairs=[pair | {"recipe": recipe}])
        for recipe in ({}, override)
    )
    assert not ids(before, "memorized") & ids(after, "memorized")
    assert not ids(before, "clean") & ids(after, "clean")
    assert ids(before, "untrained") == ids(after, "untrained")
    assert set(RecipeOverride.model_fields) == {
        "optimizer", "lr", "momentum", "batch_size", "target", "max_epochs", "threads", "precision",
    }  # fmt: skip


MODEL = ("memorized", "clean", "untrained")


@pytest.mark.parametrize(
    ("what", "change", "kinds"),
    [
        ("models", {"version": 7}, MODEL),
        ("models", {"parameters": {"width": 7}}, MODEL),
        ("noises", {"version": 7}, ("memorized",)),
        ("models", {"summary": "another", "citation": "another"}, ()),
        ("models", {"layers": ("fc1",)}, ()),
        ("decoders", {"version": 7}, ()),
    ],
    ids=str,
)
def test_what_plugins_say_of_weights_decides_an_identity(
    registry: Registry, what: str, change: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    other = load_registry()
    for name in ("mlp", "uniform", "masc"):
        if name in (catalogue := getattr(other, what)):
            catalogue._specs[name] = replace(catalogue[name], **change)
    before, after = plan(registry, decoders=["masc"]), plan(other, decoders=["masc"])
    changed = [kind for kind in MODEL if ids(before, kind) != ids(after, kind)]
    assert changed == list(kinds)
    assert all(not ids(before, kind) & ids(after, kind) for kind in kinds)


def test_the_protocol_decides_every_identity(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(plan(registry))
    monkeypatch.setattr(planner, "PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
    assert not set(before) & set(keys(plan(registry)))


def test_data_decide_every_identity(registry: Registry) -> None:
    other = replace(DIGITS, fingerprint="g")
    assert not set(keys(plan(registry))) & set(keys(plan(registry, data=other)))


@pytest.mark.parametrize(
    "change",
    [{"test_size": 100}, {"max_layer_dim": 7}, {"noise_seeds": [9]}, {"rates": [0.3]}],
    ids=str,
)
def test_readings_change_with_what_decides_them(registry: Registry, change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"rates": [0.4], "labels": ["corrupted"], "kinds": ["untrained"]}

    def decoded(made: Plan) -> set[str]:
        (network,) = made.networks
        return {r.key for r in network.readings if r.decoding.decoder}

    assert not decoded(plan(registry, **base)) & decoded(plan(registry, **(base | change)))


def test_a_decoders_version_and_parameters_are_part_of_a_key(registry: Registry) -> None:
    found = []
    masc = registry.decoders["masc"]
    for spec in (
        masc,
        replace(masc, version=masc.version + 1),
        replace(masc, build=lambda: Quarter()),
    ):
        changed = Registry(
            models=registry.models, datasets=registry.datasets, noises=registry.noises
        )
        changed.decoders._specs["masc"] = spec
        found.append(set(keys(plan(changed, decoders=["masc"], kinds=["untrained"]))))
    for first, second in pairwise(found):
        assert len(first & second) == 1  # the readout


class Quarter:
    """Another parameter value under the same name."""

    def get_params(self, deep: bool = True) -> dict[str, float]:
        return {"variance": 0.25}

    def fit(self, X: Any, y: Any, **needs: Any) -> Quarter:
        return self

    def predict(self, X: Any) -> Any:
        return X


def test_slow_decoders_come_when_asked_for(registry: Registry) -> None:
    changed = Registry(models=registry.models, datasets=registry.datasets, noises=registry.noises)
    for name, slow in (("quick", False), ("heavy", True)):
        changed.decoders._specs[name] = DecoderSpec(name=name, summary="", build=Quarter, slow=slow)

    def decoders(chosen: Any, *, slow: bool) -> set[str | None]:
        made = make_plan(
            suite(decoders=chosen),
            changed,
            {"digits": DIGITS},
            find_layers=three_layers,
            device_type="cpu",
            slow=slow,
        )
        return {d.decoder for network in made.networks for d in network.decodings} - {None}

    assert decoders("all", slow=False) == {"quick"}
    assert decoders("all", slow=True) == {"quick", "heavy"}
    assert decoders(["heavy"], slow=False) == {"heavy"}


def test_a_model_that_cannot_be_built_leaves_rows_to_fail(registry: Registry) -> None:
    def fail(spec: Any, task: Any, limit: int) -> Any:
        raise PluginError("model 'mlp' cannot be built")

    made = make_plan(suite(), registry, {"digits": DIGITS}, find_layers=fail, device_type="cpu")
    assert {network.fault for network in made.networks} == {"model 'mlp' cannot be built"}
    assert {reading.layer for n in made.networks for reading in n.readings} == {"*"}
    assert len(set(keys(made))) == len(keys(made))


def test_unknown_names_and_impossible_sizes_are_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="did you mean masc"):
        plan(registry, decoders=["mascc"])
    with pytest.raises(UsageError, match="train_size 2000 is more than the 1297 images"):
        plan(registry, train_size=2000)


def test_the_core_suite_plans_what_the_readme_says(registry: Registry) -> None:
    made = make_plan(
        load_suite("core"),
        registry,
        {"digits": DIGITS},
        find_layers=three_layers,
        device_type="cpu",
    )
    assert Counter(n.kind for n in made.networks) == {"memorized": 40, "clean": 8, "untrained": 8}


def test_parameters_hold_lists_tuples_and_arrays() -> None:
    from sklearn.linear_model import RidgeClassifierCV

    for grid in ([1.0, 10.0], (1.0, 10.0), np.array([1.0, 10.0])):
        assert parameters(RidgeClassifierCV(alphas=grid))["alphas"] == [1.0, 10.0]


def test_threads_are_part_of_every_reading(registry: Registry) -> None:
    pair = {"model": "mlp", "dataset": "digits"}
    axes: dict[str, Any] = {"models": [], "datasets": [], "kinds": ["untrained"]}
    one, two = (
        plan(registry, pairs=[pair | {"recipe": {"threads": count}}], **axes) for count in (1, 2)
    )
    assert ids(one, "untrained") == ids(two, "untrained")
    assert not set(keys(one)) & set(keys(two))


def test_a_decoder_that_cannot_be_built_is_planned_all_the_same(registry: Registry) -> None:
    changed = Registry(models=registry.models, datasets=registry.datasets, noises=registry.noises)

    def fail() -> Any:
        raise ImportError("no such library")

    changed.decoders._specs["broken"] = DecoderSpec(name="broken", summary="", build=fail)
    made = make_plan(
        suite(decoders="all"),
        changed,
        {"digits": DIGITS},
        find_layers=three_layers,
        device_type="cpu",
    )
    assert {d.decoder for n in made.networks for d in n.decodings} == {None, "broken"}
