"""What decides the identity of a network and the key of a reading, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.plans import (
    DIGITS,
    Quarter,
    axes_of_kinds,
    ids,
    keys,
    plan,
    three_layers,
    without_decoders,
)
from memgen_bench import DecoderSpec, Registry, UsageError, load_registry
from memgen_bench.hashing import canonical, digest, network_id
from memgen_bench.plan import planner
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import Kind, RecipeOverride, load_suite
from memgen_bench.protocol import PROTOCOL_VERSION, TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memgen_bench.plan.plan import Plan


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
    expected |= {"statistics"} if kind == "untrained" else {"recipe", "device", "order", "draw"}
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
        {"optimizer": "adamw"},
        {"weight_decay": 0.5},
        {"batch_size": 0},
        {"min_epochs": 7},
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
        *("optimizer", "lr", "momentum", "weight_decay", "batch_size", "target"),
        *("min_epochs", "max_epochs", "threads", "precision"),
    }


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
    before = plan(registry)
    keys_before = set(keys(before))  # made on first use
    monkeypatch.setattr(planner, "TRAINING_VERSION", TRAINING_VERSION + 1)
    trained_otherwise = plan(registry)
    kinds = get_args(Kind)
    assert not any(ids(before, kind) & ids(trained_otherwise, kind) for kind in kinds)
    monkeypatch.undo()
    monkeypatch.setattr("memgen_bench.plan.plan.PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
    read_otherwise = plan(registry)
    assert all(ids(before, kind) == ids(read_otherwise, kind) for kind in kinds)
    assert not keys_before & set(keys(read_otherwise))


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
        changed = without_decoders(registry)
        changed.decoders._specs["masc"] = spec
        found.append(set(keys(plan(changed, decoders=["masc"], kinds=["untrained"]))))
    for first, second in pairwise(found):
        assert len(first & second) == 1  # the readout


def test_threads_are_part_of_every_reading(registry: Registry) -> None:
    pair = {"model": "mlp", "dataset": "digits"}
    axes: dict[str, Any] = {"models": [], "datasets": [], "kinds": ["untrained"]}
    one, two = (
        plan(registry, pairs=[pair | {"recipe": {"threads": count}}], **axes) for count in (1, 2)
    )
    assert ids(one, "untrained") == ids(two, "untrained")
    assert not set(keys(one)) & set(keys(two))


def test_a_plan_hands_on_the_notices_on_its_data(registry: Registry) -> None:
    noticed = replace(DIGITS, notices=("2 left out", "an overlap"))
    made, silent = plan(registry, noticed), plan(registry)
    assert made.notices == ("digits: 2 left out", "digits: an overlap")
    assert silent.notices == ()
    assert keys(made) == keys(silent)


@pytest.mark.parametrize(
    ("name", "identity"), [("smoke", "0e5ed9f5219892ff4382"), ("paper", "91c97d05f2495657e9e6")]
)
def test_trained_networks_are_called_what_they_always_were(
    registry: Registry, name: str, identity: str
) -> None:
    """Protocol 2 reads other things out of the networks of protocol 1, and trains no other."""
    changed = without_decoders(registry)
    changed.decoders._specs["quarter"] = DecoderSpec(name="quarter", summary="", build=Quarter)
    shipped = load_suite(name).replace({"kinds": ["memorized", "clean"]})
    large = replace(DIGITS, train_count=60_000, test_count=10_000)
    data = {pair.dataset: replace(large, name=pair.dataset) for pair in shipped.combinations()}
    made = make_plan(shipped, changed, data, find_layers=three_layers, device_type="cpu")
    assert digest({"ids": sorted(n.network_id for n in made.networks)}) == identity


@pytest.mark.parametrize("kind", ["memorized", "clean", "untrained", "features"])
def test_held_out_points_decide_every_identity_and_where_decoders_are_fitted_only_keys(
    registry: Registry, kind: str
) -> None:
    before = plan(registry)
    held_out = plan(registry, held_out_fraction=0.2)
    assert not ids(before, kind) & ids(held_out, kind)
    both = plan(registry, held_out_fraction=0.2, fitted_on=["training", "held_out"])
    assert ids(both, kind) == ids(held_out, kind)
    fitted = {r.key: r.decoding.fitted_on for n in both.networks for r in n.readings}
    assert {key for key, points in fitted.items() if points == "training"} == set(keys(held_out))


def test_points_in_a_name_plan_the_readings_that_the_axis_plans(registry: Registry) -> None:
    held_out: dict[str, Any] = {"held_out_fraction": 0.2}
    axis = plan(registry, **held_out, decoders=["masc"], fitted_on=["training", "both"])
    named = plan(registry, **held_out, decoders=["masc", "masc@training", "masc@both"])
    assert set(keys(named)) == set(keys(axis))
    assert len(keys(named)) == len(keys(axis)) == named.reading_count
    with pytest.raises(UsageError, match="masc@held_out: suite 'test' holds no points out"):
        plan(registry, decoders=["masc@held-out"])


def test_a_later_field_of_a_recipe_changes_no_identity_at_its_default(registry: Registry) -> None:
    axes: dict[str, Any] = {"models": [], "datasets": []}
    pairs = [{"model": "mlp", "dataset": "digits", "recipe": {"weight_decay": 0, "min_epochs": 0}}]
    assert keys(plan(registry, pairs=pairs, **axes)) == keys(plan(registry))
