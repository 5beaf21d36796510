"""`memgen-bench retrain`: relabel the training images with the best decoder, and train again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from memgen_bench.cli import options


def retrain(
    suite: options.Suite = "core",
    models: options.Models = None,
    datasets: options.Datasets = None,
    decoders: options.Decoders = None,
    noises: options.Noises = None,
    rates: options.Rates = None,
    seeds: options.Seeds = None,
    noise_seeds: options.NoiseSeeds = None,
    init_seeds: options.InitSeeds = None,
    order_seeds: options.OrderSeeds = None,
    train_size: options.TrainSize = None,
    test_size: options.TestSize = None,
    validation_fraction: options.ValidationFraction = None,
    max_layer_dim: options.MaxLayerDim = None,
    slow: options.Slow = False,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Relabel from raw pixels instead: the control.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed.")
    ] = False,
    results: options.Results = Path("memgen-results"),
    data_dir: options.DataDir = None,
    cache_dir: options.CacheDir = None,
    shared_caches: options.SharedCaches = None,
    device: options.Device = "auto",
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Train a successor of each memorized network, on the labels that its best decoder gives.

    Decoder and layer are the best on noisy validation labels among the suite's readings in the
    results. What is in the results already is not computed again.
    """
    axes = {name: value for name, value in locals().items() if name in options.AXES}

    from memgen_bench.cli.progress import show_epoch
    from memgen_bench.results import store
    from memgen_bench.running.retraining import find_parents, lacking, train_successors
    from memgen_leaderboard.tables.retraining import retraining_table
    from memgen_leaderboard.tables.terminal import show

    axes |= {"kinds": ["memorized"], "labels": ["corrupted"]}
    places = {"data_dir": data_dir, "cache_dir": cache_dir, "device": device}
    plan = options.plan(suite, axes, plugins, places, slow=slow)
    parents = find_parents(plan, results, "pixels" if pixels else "network")
    missing_work = lacking(parents, results, retry_failed=retry_failed)
    settings = options.run_settings(data_dir, cache_dir, shared_caches, plugins, device)
    for count, (network, row) in enumerate(
        train_successors(missing_work, results, settings, show_epoch), start=1
    ):
        print(f"{count}/{len(missing_work)} {network.label}: {_said(row)}")
    found = store.read_frame(results, "successors")
    of_these = found.filter(found["key"].is_in(list(parents)))
    show(retraining_table(of_these), options.console())


def _said(row: dict[str, Any] | None) -> str:
    if row is None:
        return "another run is at it"
    if row["status"] != "ok":
        return f"failed ({row['message']})"
    shares = (row[name] for name in ("labels_right_before", "labels_right_after"))
    before, after = (f"{100 * share:.1f}" for share in shares)
    readout = f"{100 * row['readout_before']:.1f} → {100 * row['readout_after']:.1f} % on test"
    return f"{row['decoder']} on {row['layer']}: {before} → {after} % labels right, {readout}"
