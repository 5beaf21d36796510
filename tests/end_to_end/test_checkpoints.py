"""Suites with checkpoints: networks read after epochs of one training, and boards without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import memgen_bench
from memgen_bench.network import trainer, training
from memgen_bench.plan.suite import RecipeOverride, Suite
from memgen_bench.results import store
from memgen_leaderboard.figures import frames
from memgen_leaderboard.scoring.suite_scores import all_scores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_bench.plan.plan import Plan

EPOCHS = [1, 3, 5, 900]
FIELDS: dict[str, Any] = {
    "name": "tiny",
    "version": 1,
    "pairs": [{"model": "mlp", "dataset": "digits"}],
    "rates": [0.4],
    "kinds": ["memorized", "untrained"],
    "labels": ["corrupted"],
    "decoders": ["ncm", "early-stopped"],
    "train_size": 120,
    "test_size": 60,
    "validation_fraction": 0.25,
}
PLAIN = Suite.model_validate(FIELDS)
SUITE = Suite.model_validate(FIELDS | {"checkpoints": EPOCHS})


def run(folder: Path, suite: Suite = SUITE, results: str = "results", **options: Any) -> Any:
    return memgen_bench.run(
        suite, engine="serial", results=folder / results, cache_dir=folder / "cache", **options
    )


def readings(folder: Path, results: str = "results") -> pl.DataFrame:
    rows = pl.from_arrow(memgen_bench.read_results(folder / results))
    assert isinstance(rows, pl.DataFrame)
    return rows.filter(kind="memorized").sort("epoch", "layer_index", "decoder")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that each training adds its number of epochs to."""
    found, train = [], training.train

    def counted(*args: Any, **options: Any) -> Any:
        record = train(*args, **options)
        found.append(len(record.loss))
        return record

    monkeypatch.setattr(trainer, "train", counted)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


def test_checkpoints_add_readings_and_change_no_key(plan_digits: Callable[..., Plan]) -> None:
    axes = {"decoders": ["ncm", "early-stopped"], "kinds": ["memorized", "untrained"]}
    plain, plan = plan_digits(**axes), plan_digits(**axes, checkpoints=[1, 3])
    assert plan.reading_count == sum(len(network.readings) for network in plan.networks)
    for network, before in zip(plan.networks, plain.networks, strict=True):
        assert network.network_id == before.network_id
        at_end = [reading for reading in network.readings if reading.epoch is None]
        assert [reading.key for reading in at_end] == [reading.key for reading in before.readings]
        later = [reading for reading in network.readings if reading.epoch]
        # Its own readout and ncm on two layers, after two epochs, on each kind of labels; what
        # looks back on the whole training has no epoch.
        settings = len(network.decodings) // 2
        trained = network.kind != "untrained"
        assert len(later) == (2 * (1 + 2 * settings) if trained else 0)
        assert "early-stopped" not in {reading.decoding.decoder for reading in later}
    keys = [reading.key for network in plan.networks for reading in network.readings]
    assert len(keys) == len(set(keys))


def test_one_training_serves_all_checkpoints(trainings: list[int], tmp_path: Path) -> None:
    summary = run(tmp_path)
    assert summary.ok + summary.skipped == summary.planned
    assert len(trainings) == 2  # a memorized and a clean one
    assert run(tmp_path, results="again").ok == summary.ok
    assert len(trainings) == 2


def test_a_network_that_was_cached_without_checkpoints_is_trained_as_far_as_the_last_it_came_to(
    trainings: list[int], whole: Path, tmp_path: Path
) -> None:
    run(tmp_path, PLAIN)
    before = list(trainings)
    run(tmp_path)
    assert trainings == [*before, 5, 5]
    columns = ["key", "epoch", "status", "test_correct"]
    assert readings(tmp_path).select(columns).equals(readings(whole).select(columns))


@pytest.mark.parametrize("epoch", [1, 5])
def test_a_checkpoint_is_the_network_that_was_trained_so_long(
    epoch: int, whole: Path, tmp_path: Path
) -> None:
    pair = SUITE.pairs[0].model_copy(update={"recipe": RecipeOverride(max_epochs=epoch)})
    run(tmp_path, PLAIN.model_copy(update={"pairs": (pair,)}))
    short, rows = readings(tmp_path), readings(whole).filter(epoch=epoch)
    assert set(rows["decoder"]) == {"ncm", "readout"}
    columns = ["decoder", "layer", "test_correct", "validation_accuracy", "train_accuracy_given"]
    expected = short.filter(pl.col("decoder") != "early-stopped").select(columns)
    assert rows.select(columns).equals(expected)


def test_what_a_training_did_not_come_to_is_skipped_with_the_reason(whole: Path) -> None:
    networks = pl.from_arrow(memgen_bench.read_networks(whole / "results"))
    assert isinstance(networks, pl.DataFrame)
    last = networks.filter(kind="memorized")["epochs"].item()
    late = readings(whole).filter(epoch=900)
    assert late.height == 1 + 4  # the readout and the layers
    assert set(late["status"]) == {"skipped"}
    assert set(late["message"]) == {f"the training ended after epoch {last}"}
    assert late["memorized"].null_count() == late.height


def test_a_run_that_stopped_between_checkpoints_goes_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = training.train

    def stopped(module: Any, data: Any, recipe: Any, *, on_epoch: Any, **options: Any) -> Any:
        def on_epoch_and_stop(record: Any) -> None:
            on_epoch(record)
            if len(record.loss) == 4:
                raise KeyboardInterrupt

        return train(module, data, recipe, on_epoch=on_epoch_and_stop, **options)

    monkeypatch.setattr(trainer, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, resume_minutes=0)
    monkeypatch.setattr(trainer, "train", train)
    run(tmp_path, resume_minutes=0)
    columns = ["key", "epoch", "status", "test_correct"]
    assert readings(tmp_path).select(columns).equals(readings(whole).select(columns))


def test_boards_are_those_of_the_end(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6 + seed / 100, 0.4, 0.9, seed=seed)
    (before,) = all_scores(bench.stored(tmp_path / "before"))
    for seed in range(3):
        bench.decode({"fc1": (0.9, 0.8)}, seed=seed, epoch=1, memorized=None)
        bench.readout(0.7, seed=seed, epoch=1, memorized=None)
    (after,) = all_scores(bench.stored(tmp_path / "after"))
    assert after.board.equals(before.board)
    assert after.missing == before.missing


def test_accuracy_over_epochs_stays_what_it_was_when_the_training_is_over(
    bench: Bench, tmp_path: Path
) -> None:
    for seed, decoded in enumerate((0.6, 0.7)):
        bench.decode({"fc1": (0.5, decoded), "fc2": (0.4, 0.9)}, seed=seed)
        bench.readout(0.4, seed=seed).clean_readout(0.9, seed=seed)
        early: Any = {"seed": seed, "epoch": 2, "memorized": None}
        # After two epochs another layer is chosen; the first seed's training ends before the 8th.
        bench.decode({"fc1": (0.5, 0.5), "fc2": (0.6, 0.8)}, **early).readout(0.8, **early)
        late = early | {"epoch": 8}
        if seed:
            bench.decode({"fc1": (0.5, 0.65), "fc2": (0.1, 0.9)}, **late).readout(0.5, **late)
    over: Any = {"seed": 0, "epoch": 8, "memorized": None}
    over["status"] = "skipped"
    bench.decode({"fc1": (None, None), "fc2": (None, None)}, **over)
    bench.decode({"logits": (None, None)}, **over, decoder="readout", labels=None)
    (scores,) = all_scores(bench.stored(tmp_path))
    frame = frames.epoch_frame(scores)
    columns = ["decoder", "epoch", pl.col("accuracy", "low", "high").round(9)]
    assert set(frame.select(columns).rows()) == {
        ("masc", 2, 0.8, 0.8, 0.8),
        ("masc", 8, 0.625, 0.6, 0.65),
        (None, 2, 0.8, 0.8, 0.8),
        (None, 8, 0.45, 0.4, 0.5),
    }
    assert set(frame["draw"]) == {"ρ 0.4"}


def test_the_last_epoch_is_that_of_the_network_that_was_trained_longest(
    bench: Bench, tmp_path: Path
) -> None:
    certificates = []
    for seed, epochs in enumerate((5, 12)):
        bench.cell(0.6 + seed / 10, 0.4, 0.9, seed=seed)
        early: Any = {"seed": seed, "epoch": 2, "memorized": None}
        bench.decode({"fc1": (0.5, 0.8)}, **early).readout(0.7, **early)
        (own, *_) = (row for row in bench.rows if row["seed"] == seed)
        names = ("network_id", "kind", "model", "dataset", "noise", "rate", "seed", "memorized")
        certificates.append({name: own[name] for name in names} | {"epochs": epochs})
    for row in certificates:
        row["status"] = "ok"
    store.write_part(tmp_path, "networks", "net", store.table("networks", certificates))
    (scores,) = all_scores(bench.stored(tmp_path))
    masc = frames.epoch_frame(scores).filter(decoder="masc").select("epoch", "accuracy")
    assert masc.rows() == [(2, 0.8), (12, pytest.approx(0.65))]


def test_without_checkpoints_there_is_no_figure_of_epochs(bench: Bench, tmp_path: Path) -> None:
    (scores,) = all_scores(bench.cell(0.6, 0.4, 0.9).stored(tmp_path))
    assert frames.epoch_frame(scores).is_empty()


@pytest.mark.parametrize(
    ("checkpoints", "says"),
    [
        ("[0]", "checkpoints: 0 should be greater than 0"),
        ("[4, 4]", "must ascend, got [4, 4]"),
    ],
)
def test_bad_checkpoints_are_refused(checkpoints: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(
        'name = "x"\nversion = 1\nmodels = ["mlp"]\ndatasets = ["digits"]\nrates = [0.4]\n'
        f"checkpoints = {checkpoints}\n"
    )
    with pytest.raises(memgen_bench.MemgenError) as error:
        memgen_bench.plan.suite.load_suite(str(path))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
