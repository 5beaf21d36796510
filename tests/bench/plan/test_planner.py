"""What a suite's axes become: each network and each reading once."""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
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
    suite,
    three_layers,
    without_decoders,
)
from memgen_bench import DecoderSpec, NotApplicable, PluginError, Registry, UsageError, run
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import load_suite
from memgen_bench.running.runner import plan_run

if TYPE_CHECKING:
    from memgen_bench.plan.plan import Layer, Plan

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
    names = [network.network_id for network in made.networks]
    assert len(set(names)) == len(names)
    assert len(set(keys(made))) == len(keys(made)) == made.reading_count
    for network in made.networks:
        has_draw = network.kind in ("memorized", "random")
        assert (network.draw is not None) == has_draw
        for reading in network.readings:
            what, kind = reading.decoding, network.kind_of(reading.decoding)
            assert (what.draw is None) == (not has_draw and what.labels != "corrupted")
            assert (kind == "random") <= (network.draw is not None and network.draw.rate == 1)
            if kind == "memorized":
                assert what.draw == network.draw
            if kind == "random" and what.decoder:
                assert what.draw is not None
                assert what.draw.rate < 1
                assert what.labels == "corrupted"
    trained = {network.seed for network in made.networks if network.kind == "memorized"}
    if min(axes["rates"]) < 1:
        assert trained <= {network.seed for network in made.networks if network.kind == "clean"}


def test_what_a_small_suite_holds(registry: Registry) -> None:
    made = plan(registry)
    assert Counter(network.kind for network in made.networks) == {
        "untrained": 1,
        "clean": 1,
        "memorized": 2,
        "features": 1,
    }
    rows = Counter(
        (network.kind_of(what), what.labels, what.draw.rate if what.draw else 0)
        for network in made.networks
        for what in (reading.decoding for reading in network.readings)
    )
    both = 2 * 3  # decoders × layers
    assert rows == {
        ("memorized", None, 0.4): 1,
        ("memorized", "corrupted", 0.4): both,
        ("memorized", "true", 0.4): both,
        ("memorized", None, 1.0): 1,
        ("memorized", "corrupted", 1.0): both,
        ("memorized", "true", 1.0): both,
        ("random", "corrupted", 0.4): both,
        ("clean", None, 0): 1,
        ("clean", "true", 0): both,
        ("clean", "corrupted", 0.4): both,
        ("clean", "corrupted", 1.0): both,
        ("untrained", None, 0): 1,
        ("untrained", "true", 0): both,
        ("untrained", "corrupted", 0.4): both,
        ("untrained", "corrupted", 1.0): both,
        ("features", "true", 0): 2,
        ("features", "corrupted", 0.4): 2,
        ("features", "corrupted", 1.0): 2,
    }


def test_random_labels_are_a_control_only_of_noises_that_leave_nothing_at_rate_1(
    registry: Registry,
) -> None:
    kinds: dict[str, Any] = {"kinds": ["random"], "rates": [0.4]}
    (network,) = [n for n in plan(registry, **kinds).networks if n.kind == "random"]
    assert network.draw is not None
    assert network.draw.rate == 1
    memorized = plan(registry, rates=[1.0], kinds=["memorized"]).networks
    assert network.network_id in {each.network_id for each in memorized}
    assert not plan(registry, **kinds, noises=["pair"]).networks  # it turns 0 into 1, and so on
    assert not plan(registry, **kinds, labels=["true"]).networks


def test_features_are_read_once_for_all_models(registry: Registry) -> None:
    one, two = (plan(registry, models=models) for models in (["mlp"], ["mlp", "cnn"]))
    assert len(ids(one, "features")) == 1
    assert ids(one, "features") == ids(two, "features")


def test_a_training_is_recalled_only_where_there_was_one(registry: Registry) -> None:
    made = plan(registry, decoders=["best-epoch"])
    recalled = Counter(
        (network.kind_of(r.decoding), r.decoding.labels)
        for network in made.networks
        for r in network.readings
        if r.decoding.decoder
    )
    assert recalled == {("memorized", "corrupted"): 2, ("clean", "true"): 1}


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


def identities(made: Plan) -> list[str]:
    return [*(network.network_id for network in made.networks), *keys(made)]


def test_the_smoke_suite_keeps_its_identities(registry: Registry) -> None:
    smoke = load_suite("smoke").replace({"decoders": ["ncm"]})
    made = make_plan(
        smoke, registry, {"digits": DIGITS}, find_layers=three_layers, device_type="cpu"
    )
    everything = hashlib.sha256(" ".join(identities(made)).encode()).hexdigest()
    assert everything == "77f2934887e73c563e9aad37accfda7592b30b4b88bac0a5257f293eaeff7fd9"


@pytest.mark.parametrize("rate", [0.1 + 0.2, np.float32(0.3), float(np.float32(0.3))])
def test_a_rate_that_was_computed_is_the_one_that_was_typed(
    registry: Registry, rate: float
) -> None:
    computed, typed = plan(registry, rates=[0.3, rate]), plan(registry, rates=[0.3])
    assert identities(computed) == identities(typed)


@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_axes_changes_no_key(registry: Registry, data: st.DataObject) -> None:
    shuffled = {axis: data.draw(st.permutations(values)) for axis, values in SOME_AXES.items()}
    order = data.draw(st.permutations(list(shuffled)))
    another: dict[str, Any] = {axis: shuffled[axis] for axis in order}
    plain_order: dict[str, Any] = {**SOME_AXES}
    assert set(keys(plan(registry, **another))) == set(keys(plan(registry, **plain_order)))


def test_a_plan_is_not_told_how_it_is_run() -> None:
    told = {*inspect.signature(make_plan).parameters, *inspect.signature(plan_run).parameters}
    how = {"jobs", "memory", "results", "resume_minutes", "shared_caches", "observer"}
    assert how < set(inspect.signature(run).parameters)
    assert not told & how
    assert "places" not in inspect.signature(make_plan).parameters


def test_what_else_is_in_the_plan_changes_no_key(registry: Registry) -> None:
    small = plan(registry, rates=[0.4], decoders=["masc"], labels=["corrupted"])
    assert set(keys(small)) <= set(keys(plan(registry, seeds=[0, 1, 2])))


def test_slow_decoders_come_when_asked_for(registry: Registry) -> None:
    changed = without_decoders(registry)
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


def test_features_are_put_beside_layers_of_networks_that_may_add_to_them(
    registry: Registry,
) -> None:
    made = plan(registry, decoders=["ridge-tuned", "ridge-tuned|pixels"], labels=["corrupted"])
    of_kinds: dict[str, set[str | None]] = {}
    for network in made.networks:
        for decoding in network.decodings:
            of_kinds.setdefault(network.kind_of(decoding), set()).add(decoding.decoder)
    both = {"ridge-tuned", "ridge-tuned|pixels"}
    assert {kind: names - {None} for kind, names in of_kinds.items()} == {
        **dict.fromkeys(("memorized", "untrained", "random"), both),
        **dict.fromkeys(("clean", "features"), both - {"ridge-tuned|pixels"}),
    }


def test_features_beside_a_layer_raise_the_version_of_a_decoder(registry: Registry) -> None:
    made = plan(registry, decoders=["ridge-tuned|pixels"])
    versions = {
        decoding.version
        for network in made.networks
        for decoding in network.decodings
        if decoding.decoder
    }
    parts = registry.decoders["ridge-tuned"], registry.features["pixels"]
    assert versions == {sum(part.version for part in parts)}


def test_all_may_stand_among_names(registry: Registry) -> None:
    changed = without_decoders(registry)
    changed.decoders._specs["quick"] = DecoderSpec(name="quick", summary="", build=Quarter)
    made = plan(changed, decoders=["quick|pixels", "all"])
    names = {d.decoder for network in made.networks for d in network.decodings}
    assert names == {None, "quick", "quick|pixels"}


def test_a_model_that_cannot_be_built_leaves_rows_to_fail(registry: Registry) -> None:
    def fail(spec: Any, task: Any, limit: int) -> Any:
        raise PluginError("model 'mlp' cannot be built")

    made = make_plan(suite(), registry, {"digits": DIGITS}, find_layers=fail, device_type="cpu")
    networks = [network for network in made.networks if network.kind != "features"]
    assert {network.fault for network in networks} == {"model 'mlp' cannot be built"}
    assert {reading.layer for n in networks for reading in n.readings} == {"*"}
    assert len(set(keys(made))) == len(keys(made))


def test_a_pair_that_does_not_fit_is_left_out_with_its_reason(registry: Registry) -> None:
    def fit(spec: Any, task: Any, limit: int) -> tuple[Layer, ...]:
        if spec.name == "cnn":
            raise NotApplicable("made for signals of height 1, not of height 8")
        return three_layers(spec, task, limit)

    made = make_plan(
        suite(models=["cnn", "mlp"]),
        registry,
        {"digits": DIGITS},
        find_layers=fit,
        device_type="cpu",
        missing_data={"mnist": "mnist is not there"},
    )
    assert keys(made) == keys(plan(registry))
    assert made.unfit == {"cnn on digits": "made for signals of height 1, not of height 8"}
    assert made.left_out == (
        "mnist is not there",
        "cnn on digits: made for signals of height 1, not of height 8",
    )


def test_unknown_names_are_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="did you mean masc"):
        plan(registry, decoders=["mascc"])


def test_a_size_is_the_most_that_is_taken(registry: Registry) -> None:
    assert keys(plan(registry, train_size=2000)) == keys(plan(registry, train_size=1297))
    assert keys(plan(registry, train_size=1296)) != keys(plan(registry, train_size=1297))


def test_the_core_suite_plans_what_the_readme_says(registry: Registry) -> None:
    made = make_plan(
        load_suite("core"),
        registry,
        {"digits": DIGITS},
        find_layers=three_layers,
        device_type="cpu",
    )
    assert Counter(n.kind for n in made.networks) == {
        "memorized": 15,  # one pair's, of three seeds
        "clean": 3,
        "untrained": 3,
        "features": 6,  # pixels and patches
    }


def test_a_decoder_that_cannot_be_built_is_planned_all_the_same(registry: Registry) -> None:
    changed = without_decoders(registry)

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
