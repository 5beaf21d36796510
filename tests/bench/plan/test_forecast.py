"""Estimates from recorded timings: the best match counts, and what is not known is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from memgen_bench import load_registry
from memgen_bench.plan.forecast import Timings
from memgen_bench.plan.plan import DataInfo, Layer, PlannedNetwork
from memgen_bench.plan.planner import make_plan
from memgen_bench.plan.suite import Suite
from memgen_bench.plugin.specs import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA = DataInfo(
    name="digits",
    fingerprint="0",
    task=Task(channels=1, height=8, width=8, num_classes=10),
    train_count=100,
    test_count=50,
)
COUNT = 80  # points that networks are trained on
LAYERS = tuple(
    Layer(name=name, index=i, depth=float(i), dim=10, width=10)
    for i, name in enumerate(("hidden", "logits"))
)


def networks() -> list[tuple[PlannedNetwork, frozenset[str]]]:
    suite = Suite.model_validate(
        {
            "name": "s",
            "version": 1,
            "models": ["mlp", "cnn"],
            "datasets": ["digits"],
            "rates": [0.0, 0.4, 0.8],
            "kinds": ["memorized"],
            "labels": ["corrupted"],
            "decoders": ["masc", "ncm"],
            "validation_fraction": 0.2,
        }
    )
    plan = make_plan(
        suite, load_registry(), {"digits": DATA}, find_layers=lambda *_: LAYERS, device_type="cpu"
    )
    return [(n, frozenset(r.key for r in n.readings)) for n in plan.networks]


def trained(*rows: tuple[Any, ...]) -> pl.DataFrame:
    columns = ["model", "dataset", "kind", "rate", "train_seconds", "parameter_count"]
    frame = pl.DataFrame(list(rows), schema=columns, orient="row")
    return frame.with_columns(train_count=pl.lit(COUNT))


def read(*rows: tuple[Any, ...]) -> pl.DataFrame:
    columns = ["model", "dataset", "decoder", "fit_seconds", "predict_seconds"]
    frame = pl.DataFrame(list(rows), schema=columns, orient="row")
    return frame.with_columns(train_count=pl.lit(COUNT))


def seconds(timings: Timings, cached: Sequence[str] = ()) -> dict[tuple[str, str, float], Any]:
    missing_work = networks()
    found = timings.estimate(missing_work, cached).seconds
    return {
        (n.model, n.kind, n.draw.rate if n.draw else 0.0): value
        for (n, _), value in zip(missing_work, found, strict=True)
    }


SHARED = 0.6 + 0.4 / 2  # of what two decoders would take alone
READINGS = read(
    ("mlp", "digits", "masc", 1.0, 1.0),
    ("mlp", "digits", "masc", 2.0, 2.0),
    ("other", "digits", "ncm", 0.5, 0.5),
)


def test_the_best_match_counts() -> None:
    timings = Timings(
        trained(
            ("mlp", "digits", "memorized", 0.4, 100.0, 1000),
            ("mlp", "digits", "memorized", 0.4, 200.0, 1000),
            ("mlp", "digits", "memorized", 0.6, 600.0, 1000),
            ("mlp", "digits", "clean", 0.0, 10.0, 1000),
        ),
        READINGS,
    )
    decoding = SHARED * (2 * 3.0 + 2 * 1.0)  # masc and ncm on two layers each
    found = seconds(timings)
    assert found["mlp", "memorized", 0.4] == pytest.approx(150 + decoding)
    assert found["mlp", "memorized", 0.8] == pytest.approx(300 + decoding)  # of the same kind
    assert found["mlp", "clean", 0.0] == pytest.approx(10 + decoding)
    assert found["cnn", "memorized", 0.4] is None


def test_what_is_cached_is_not_trained() -> None:
    missing_work = networks()
    timings = Timings(trained(("mlp", "digits", "memorized", 0.4, 100.0, 1000)), READINGS)
    first = next(n for n, _ in missing_work if n.model == "mlp" and n.kind == "memorized")
    assert seconds(timings, [first.network_id])["mlp", "memorized", 0.4] == pytest.approx(
        8 * SHARED
    )
    whole, less = (
        timings.estimate(missing_work, cached).bytes for cached in ([], [first.network_id])
    )
    assert whole - less == 4 * 1000


def test_what_is_not_known_counts_as_the_mean_of_the_rest() -> None:
    found = Timings(trained(("mlp", "digits", "memorized", 0.4, 100.0, 1)), READINGS).estimate(
        networks()
    )
    known = [value for value in found.seconds if value is not None]
    assert found.unknown == len(found.seconds) - len(known) > 0
    assert sum(found.weights) == pytest.approx(len(found.seconds) * sum(known) / len(known))
    others = Timings(trained(("vit", "pets", "clean", 0.0, 60.0, 1)), READINGS)
    guessed = others.estimate(networks())
    assert guessed.unknown == len(guessed.seconds)
    assert guessed.weights[0] == pytest.approx(60 + 5 * (2 + 4 + 1) / 3)
    nothing = Timings().estimate(networks())
    assert nothing.unknown == len(nothing.seconds)
    assert set(nothing.weights) == {1.0}


def test_an_untrained_network_is_not_trained() -> None:
    (network, keys), *_ = networks()
    untrained = replace(network, kind="untrained", order_seed=None)
    assert Timings(trained(), READINGS).estimate([(untrained, keys)]).seconds[0] is not None


def test_what_was_never_timed_here_is_a_reference_s_at_this_machine_s_speed() -> None:
    reference = Timings(
        trained(
            ("mlp", "digits", "memorized", 0.4, 50.0, 1000),
            ("mlp", "digits", "memorized", 0.8, 70.0, 1000),
            ("cnn", "digits", "memorized", 0.4, 500.0, 2000),
        ),
        read(*READINGS.drop("train_count").rows(), ("cnn", "digits", "masc", 8.0, 8.0)),
    )
    decoding = SHARED * (2 * 3.0 + 2 * 1.0)
    alone = seconds(Timings(reference=reference))
    assert alone["mlp", "memorized", 0.4] == pytest.approx(50 + decoding)
    assert alone["cnn", "memorized", 0.4] == pytest.approx(500 + SHARED * 2 * (16 + 1))
    own = trained(("mlp", "digits", "memorized", 0.4, 100.0, 1000))  # twice as slow
    found = seconds(Timings(own, reference=reference))
    assert found["mlp", "memorized", 0.4] == pytest.approx(100 + 2 * decoding)
    assert found["mlp", "memorized", 0.8] == pytest.approx(140 + 2 * decoding)
    assert found["cnn", "memorized", 0.4] == pytest.approx(1000 + 2 * SHARED * 2 * (16 + 1))


def test_more_points_take_longer() -> None:
    few = trained(("mlp", "digits", "memorized", 0.4, 10.0, 1)).with_columns(train_count=COUNT // 4)
    found = seconds(Timings(few, READINGS))
    assert found["mlp", "memorized", 0.4] == pytest.approx(40 + SHARED * (2 * 3.0 + 2 * 1.0))
