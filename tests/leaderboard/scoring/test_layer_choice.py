"""Which layer counts, and what other rules would have cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_leaderboard.scoring.layer_choice import RULES, Rule, choose_layers, regret

if TYPE_CHECKING:
    from collections.abc import Callable
from helpers.readings import DEPTHS, Bench, Row, frame


def test_the_layer_is_the_best_on_validation_not_on_test(bench: Bench) -> None:
    bench.decode({"fc1": (0.3, 0.9), "fc2": (0.6, 0.1), "fc3": (0.4, 0.8)})
    assert bench.chosen() == [("fc2", "validation")]


def test_each_network_chooses_its_own_layer(bench: Bench) -> None:
    bench.decode({"fc1": (0.9, 0.5), "fc2": (0.7, 0.6)}, seed=0)
    bench.decode({"fc1": (0.1, 0.7), "fc2": (0.7, 0.8)}, seed=1)
    assert bench.chosen() == [("fc1", "validation"), ("fc2", "validation")]
    assert bench.units()["decoded"].to_list() == [0.5, 0.8]


def test_pooled_over_the_seeds_the_mean_decides(bench: Bench) -> None:
    bench.decode({"fc1": (0.9, 0.5), "fc2": (0.7, 0.5)}, seed=0)
    bench.decode({"fc1": (0.1, 0.5), "fc2": (0.7, 0.5)}, seed=1)
    assert layers(bench, "cell") == ["fc2", "fc2"]


def test_pooled_over_the_seeds_a_layer_that_failed_in_some_is_not_chosen(bench: Bench) -> None:
    for seed in range(5):
        status = {"status": "ok" if seed == 0 else "failed"}
        bench.decode({"fc1": (0.6, 0.5)}, seed=seed)
        bench.decode({"fc2": (0.9, 0.9)}, seed=seed, **status)
    assert layers(bench, "cell") == ["fc1"] * 5
    assert layers(bench, "network") == ["fc2", *["fc1"] * 4]


def layers(bench: Bench, rule: Rule) -> list[str]:
    """Return the layer of each seed."""
    return choose_layers(frame(bench.rows), rule).sort("seed")["layer"].to_list()


@pytest.mark.parametrize(
    "other",
    [
        {"rate": 0.6},
        {"noise": "flip"},
        {"model": "cnn"},
        {"dataset": "mnist"},
        {"train_count": 30},
        {"validation_count": 10},
        {"test_count": 20},
        {"max_layer_dim": 0},
        {"fitted_on": "held_out"},
        {"seed": 1},
    ],
)
def test_a_layer_is_chosen_for_each_cell(other: Row, bench: Bench) -> None:
    bench.decode({"fc1": (0.9, 0.5), "fc2": (0.7, 0.5)})
    bench.decode({"fc1": (0.1, 0.5), "fc2": (0.7, 0.5)}, **other)
    assert sorted(bench.chosen()) == [("fc1", "validation"), ("fc2", "validation")]


def test_of_equal_layers_the_earlier_is_chosen(bench: Bench) -> None:
    bench.decode({"logits": (0.7, 0.5), "fc3": (0.7, 0.5), "fc2": (0.7, 0.5), "fc1": (0.6, 0.5)})
    assert bench.chosen() == [("fc2", "validation")]


def test_layers_equal_but_for_rounding_are_equal(bench: Bench) -> None:
    for seed, (first, second) in enumerate([(0.1, 0.0), (0.95, 0.1), (0.0, 0.95)]):
        bench.decode({"fc1": (first, 0.5), "fc2": (second, 0.5)}, seed=seed)
    assert layers(bench, "cell") == ["fc1"] * 3


def test_without_validation_it_is_the_last_layer_before_the_logits(bench: Bench) -> None:
    bench.decode(dict.fromkeys(DEPTHS, (None, 0.5)), validation_count=0)
    assert bench.chosen() == [("fc3", "fixed")]


def test_readings_that_failed_do_not_count(bench: Bench) -> None:
    bench.decode({"fc1": (0.9, None)}, status="failed")
    bench.decode({"fc2": (0.8, None)}, status="skipped")
    bench.decode({"fc3": (0.2, 0.4)})
    assert bench.chosen() == [("fc3", "validation")]


def test_a_decoder_of_all_layers_has_no_layer_to_choose(bench: Bench) -> None:
    for validation in (0.5, None):
        row = {"layer": "*", "layer_index": None, "layer_depth": None, "test_accuracy": 0.7}
        decoder = f"all-{validation}"
        bench.rows.append(bench.make(**row, decoder=decoder, validation_accuracy=validation))
    assert bench.units().select("layer", "decoded").rows() == [("*", 0.7), ("*", 0.7)]


def test_the_oracle_layer_is_the_best_on_test(bench: Bench) -> None:
    bench.decode({"fc1": (0.6, 0.2), "fc2": (0.1, 0.8)})
    (unit,) = bench.units().iter_rows(named=True)
    assert (unit["layer"], unit["decoded"], unit["oracle"]) == ("fc1", 0.2, 0.8)


ACCURACY = st.integers(0, 20).map(lambda hits: hits / 20)


@given(tests=st.lists(ACCURACY, min_size=4, max_size=4), data=st.data())
def test_test_accuracies_never_move_the_chosen_layer(
    tests: list[float], data: st.DataObject, new_bench: Callable[[], Bench]
) -> None:
    validations = data.draw(st.lists(ACCURACY, min_size=4, max_size=4))
    names = list(DEPTHS)
    blind = new_bench().decode({n: (v, 0.5) for n, v in zip(names, validations, strict=True)})
    seen = new_bench().decode(
        {n: (v, t) for n, v, t in zip(names, validations, tests, strict=True)}
    )
    assert seen.chosen() == blind.chosen()


# other rules


def layers_by_rate(bench: Bench, rule: Rule) -> dict[float, str]:
    return dict(choose_layers(frame(bench.rows), rule).select("rate", "layer").rows())


@pytest.fixture
def two_rates(bench: Bench) -> Bench:
    """At rate 0.2 layer fc1 is the best, at 0.6 it is fc2; together it is fc2."""
    bench.decode({"fc1": (0.6, 0.7), "fc2": (0.5, 0.6), "fc3": (0.1, 0.1)}, rate=0.2)
    return bench.decode({"fc1": (0.1, 0.3), "fc2": (0.4, 0.5), "fc3": (0.3, 0.2)}, rate=0.6)


def test_the_rules_choose_by_cell_over_rates_and_blindly(two_rates: Bench) -> None:
    assert layers_by_rate(two_rates, "cell") == {0.2: "fc1", 0.6: "fc2"}
    assert layers_by_rate(two_rates, "rates") == {0.2: "fc2", 0.6: "fc2"}
    assert layers_by_rate(two_rates, "penultimate") == {0.2: "fc3", 0.6: "fc3"}


def test_rates_that_cannot_be_ranked_have_no_say_in_the_pooled_choice(two_rates: Bench) -> None:
    two_rates.decode({"fc1": (0.1, 0.1), "fc3": (0.9, 0.1)}, rate=1.0, rankable=False)
    assert layers_by_rate(two_rates, "rates")[0.2] == "fc2"


def test_regret_is_what_a_rule_loses_to_the_best_layer(two_rates: Bench) -> None:
    found = {row["rule"]: row for row in regret(frame(two_rates.rows)).iter_rows(named=True)}
    assert list(found) == list(RULES)
    assert [row["oracle"] for row in found.values()] == pytest.approx([0.6] * 4)
    lost = {rule: (row["regret"], row["worst"], row["choices"]) for rule, row in found.items()}
    assert lost == {
        "network": (0.0, 0.0, 2),
        "cell": (0.0, 0.0, 2),
        "rates": (pytest.approx(0.05), pytest.approx(0.1), 2),
        "penultimate": (pytest.approx(0.45), pytest.approx(0.6), 2),
    }
    by_rate = regret(frame(two_rates.rows), ["rate"]).filter(rule="rates")
    assert by_rate.select("rate", "regret").rows() == [(0.2, pytest.approx(0.1)), (0.6, 0.0)]


def test_regret_leaves_out_true_labels_and_what_cannot_be_ranked(two_rates: Bench) -> None:
    expected = regret(frame(two_rates.rows))
    two_rates.decode({"fc1": (0.9, 0.1), "fc2": (0.1, 0.9)}, labels="true")
    two_rates.decode({"fc1": (0.9, 0.1), "fc2": (0.1, 0.9)}, rate=1.0, rankable=False)
    assert regret(frame(two_rates.rows)).equals(expected)


def test_regret_says_what_pooling_the_seeds_is_worth(bench: Bench) -> None:
    """Each network's luck on few validation points costs what the mean over seeds does not."""
    bench.decode({"fc1": (0.6, 0.9), "fc2": (0.5, 0.7)}, seed=0)
    bench.decode({"fc1": (0.4, 0.9), "fc2": (0.5, 0.7)}, seed=1)
    bench.decode({"fc1": (0.6, 0.9), "fc2": (0.5, 0.7)}, seed=2)
    found = dict(regret(frame(bench.rows)).select("rule", "regret").rows())
    assert found["cell"] == pytest.approx(0.0)
    assert found["network"] == pytest.approx(0.2 / 3)


def test_features_have_no_layers_to_lose_by(two_rates: Bench) -> None:
    expected = regret(frame(two_rates.rows))
    assert regret(frame(two_rates.features(0.5).rows)).equals(expected)


@given(tests=st.lists(ACCURACY, min_size=4, max_size=4), data=st.data())
def test_no_rule_beats_the_oracle(
    tests: list[float], data: st.DataObject, new_bench: Callable[[], Bench]
) -> None:
    validations = data.draw(st.lists(ACCURACY, min_size=4, max_size=4))
    profile = dict(zip(DEPTHS, zip(validations, tests, strict=True), strict=True))
    found = regret(frame(new_bench().decode(profile).rows))
    assert found["rule"].to_list() == list(RULES)
    assert found["regret"].min() >= 0  # type: ignore[operator]
