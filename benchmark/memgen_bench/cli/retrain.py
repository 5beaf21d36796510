"""`memgen-bench retrain`: relabel the training images with the best decoder, and train again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.files.places import DEFAULT_RESULTS
from memgen_bench.plan.axes import Changes


@unfold
def retrain(
    *,
    suite: options.Suite = "core",
    changes: Annotated[Changes, options.all_but("kinds", "features", "labels", "fitted_on")],
    slow: options.Slow = False,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Relabel from raw pixels instead: the control.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed.")
    ] = False,
    results: options.Results = DEFAULT_RESULTS,
    places: options.Places,
    device: options.Device = "auto",
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Train a successor of each memorized network, on the labels that its best decoder gives.

    Decoder and layer are the best on noisy validation labels among the suite's readings in the
    results. What is in the results already is not computed again.
    """
    from memgen_bench.cli.progress import show_epoch
    from memgen_bench.results import store
    from memgen_bench.running.retraining import find_parents, lacking, train_successors
    from memgen_leaderboard.tables.retraining import retraining_table
    from memgen_leaderboard.tables.terminal import show

    changes |= {"kinds": ["memorized", "features"], "labels": ["corrupted"]}
    changes |= {"features": ["pixels"], "fitted_on": ["training"]}
    plan = options.plan(suite, changes, places, plugins, device=device, slow=slow)
    parents = find_parents(plan, results, "pixels" if pixels else "network")
    missing_work = lacking(parents, results, retry_failed=retry_failed)
    settings = options.run_settings(places, plugins, device)
    for count, (network, row) in enumerate(
        train_successors(missing_work, results, settings, show_epoch), start=1
    ):
        say(f"{count}/{len(missing_work)} {network.label}: {_said(row)}")
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
