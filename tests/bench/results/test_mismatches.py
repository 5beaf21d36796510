from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.errors import UsageError
from memgen_bench.hashing import canonical
from memgen_bench.results.mismatches import Known, explain
from memgen_bench.results.rows import network_row, reading_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memgen_bench.plan.plan import Plan, PlannedNetwork, Reading

PAIR = {"model": "mlp", "dataset": "digits"}


def notes(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what the trained networks of a plan would say of themselves in the cache."""
    return {
        network.network_id: {"network": network.label, "identity": canonical(network.identity)}
        for network in plan.networks
        if network.kind != "untrained"
    }


def known(plan: Plan, cached: Plan | None = None, stored: Iterable[Plan] = ()) -> Known:
    networks = [network for each in stored for network in each.networks]
    done = {"status": "ok", "message": None}
    return Known(
        plan=plan,
        notes=notes(cached) if cached else {},
        networks=[network_row(network) | done for network in networks],
        readings=[
            reading_row(network, reading) | done
            for network in networks
            for reading in network.readings
        ],
    )


def one(plan: Plan, kind: str) -> PlannedNetwork:
    return next(network for network in plan.networks if network.kind == kind)


def reading(plan: Plan, kind: str, layer: str) -> Reading:
    return next(each for each in one(plan, kind).readings if each.layer == layer)


@pytest.fixture
def plan(plan_digits: Callable[..., Plan]) -> Plan:
    return plan_digits()


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            {"pairs": [PAIR | {"recipe": {"lr": 0.5}}]},
            ["lr is 0.001 in the plan, 0.5 in the cache"],
        ),
        ({"rates": [0.5]}, ["rate is 0.4 in the plan, 0.5 in the cache"]),
        ({"noises": ["flip"]}, ["noise is uniform in the plan, flip in the cache"]),
        ({"noise_seeds": [3]}, ["noise_seed is 0 in the plan, 3 in the cache"]),
        (
            {"pairs": [PAIR | {"recipe": {"threads": 2, "precision": "bf16"}}]},
            [
                "threads is 1 in the plan, 2 in the cache",
                "precision is fp32 in the plan, bf16 in the cache",
            ],
        ),
        ({"train_size": 500}, ["train_size is 1297 in the plan, 500 in the cache"]),
    ],
    ids=str,
)
def test_the_fields_in_which_the_nearest_cached_network_differs_are_named(
    plan: Plan, plan_digits: Callable[..., Plan], change: dict[str, Any], lines: Sequence[str]
) -> None:
    cached = plan_digits(kinds=["memorized"], **change)
    network, nearest = one(plan, "memorized"), one(cached, "memorized")
    assert explain(known(plan, cached), network.network_id) == [
        f"network {network.network_id}: mlp on digits, uniform 0.4, seed 0",
        "plan: it is there",
        f"cache: it is not there; the nearest is {nearest.network_id} ({nearest.label})",
        *(f"  {line}" for line in lines),
        "results: it is not there, and neither is a network to compare it with",
    ]


def test_a_clean_network_is_nearer_to_a_clean_one(
    plan: Plan, plan_digits: Callable[..., Plan]
) -> None:
    cached = plan_digits(pairs=[PAIR | {"recipe": {"lr": 0.5}}])
    text = explain(known(plan, cached), one(plan, "clean").network_id)
    assert one(cached, "clean").network_id in text[2]
    assert text[3] == "  lr is 0.001 in the plan, 0.5 in the cache"


def test_a_cached_network_that_no_plan_has_is_compared_with_the_plan(
    plan: Plan, plan_digits: Callable[..., Plan]
) -> None:
    cached = plan_digits(seeds=[1], init_seeds=[0], order_seeds=[0], noise_seeds=[0])
    text = explain(known(plan, cached), one(cached, "memorized").network_id[:7])
    assert text[1].startswith(
        f"plan: it is not there; the nearest is {plan.networks[-1].network_id}"
    )
    assert text[2:4] == ["  seed is 1 in the cache, 0 in the plan", "cache: it is there"]


def test_an_untrained_network_is_not_looked_for_in_the_cache(plan: Plan) -> None:
    text = explain(known(plan, plan), one(plan, "untrained").network_id)
    assert text[2] == "cache: untrained networks are built anew"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"decoders": ["lda"]}, "decoder is ncm in the plan, lda in the results"),
        ({"max_layer_dim": 7}, "max_layer_dim is 4096 in the plan, 7 in the results"),
        ({"test_size": 100}, "test_count is 500 in the plan, 100 in the results"),
        ({"rates": [0.5]}, "rate is 0.4 in the plan, 0.5 in the results"),
    ],
    ids=str,
)
def test_a_reading_is_compared_with_those_of_the_same_network(
    plan: Plan, plan_digits: Callable[..., Plan], change: dict[str, Any], line: str
) -> None:
    base: dict[str, Any] = {"kinds": ["untrained"], "labels": ["corrupted"]}
    planned, stored = plan_digits(**base), plan_digits(**(base | change))
    wanted = reading(planned, "untrained", "hidden")
    text = explain(known(planned, stored=[stored]), wanted.key)
    assert text[0] == f"reading {wanted.key}: ncm on layer hidden, corrupted labels"
    assert text[1] == "plan: it is there"
    assert text[2].startswith("results: it is not there; the nearest is ")
    assert f"  {line}" in text[3:5]
    assert f"network {planned.networks[0].network_id}: mlp on digits, untrained, seed 0" in text


def test_a_reading_of_another_network_is_explained_by_the_network(
    plan: Plan, plan_digits: Callable[..., Plan]
) -> None:
    other = plan_digits(pairs=[PAIR | {"recipe": {"lr": 0.5}}])
    text = explain(known(plan, other, [other]), reading(plan, "memorized", "hidden").key)
    assert text[2] == "results: it is not there, and neither is a reading to compare it with"
    assert "  lr is 0.001 in the plan, 0.5 in the cache" in text
    assert "  lr is 0.001 in the plan, 0.5 in the results" in text


def test_what_is_there_is_said_to_be_there_with_its_status(plan: Plan) -> None:
    all_there = known(plan, plan, [plan])
    wanted = reading(plan, "memorized", "hidden")
    row = next(row for row in all_there.readings if row["key"] == wanted.key)
    row |= {"status": "failed", "message": "out of cheese"}  # type: ignore[operator]
    text = explain(all_there, wanted.key)
    assert text[1:3] == ["plan: it is there", "results: it is there, failed (out of cheese)"]
    assert text[4:] == ["plan: it is there", "cache: it is there", "results: it is there, ok"]


def test_a_difference_that_results_do_not_record_is_admitted(
    plan_digits: Callable[..., Plan],
) -> None:
    base: dict[str, Any] = {"kinds": ["untrained"], "labels": ["corrupted"]}
    planned, stored = (
        plan_digits(pairs=[PAIR | {"recipe": {"threads": threads}}], **base) for threads in (1, 2)
    )
    text = explain(known(planned, stored=[stored]), reading(planned, "untrained", "hidden").key)
    assert text[3] == "  no column that the results has tells them apart"


def test_what_is_nowhere_or_ambiguous_is_refused(plan: Plan) -> None:
    with pytest.raises(UsageError, match="nothing in the plan, the cache or the results is called"):
        explain(known(plan), "xyz")
    with pytest.raises(UsageError, match=r"begins 3 keys \(.*; write more of it"):
        explain(known(plan), "")
