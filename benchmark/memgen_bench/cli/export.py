"""`memgen-bench export-activations`: fixtures of memorized networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memgen_bench.cli import options
from memgen_bench.cli.terminal import say
from memgen_bench.cli.unfolding import unfold
from memgen_bench.plan.axes import Changes


@unfold
def export(
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="Where they go; made if it is not there.", metavar="DIR", file_okay=False
        ),
    ],
    suite: options.Suite = "core",
    changes: Annotated[
        Changes, options.all_but("decoders", "kinds", "features", "labels", "fitted_on")
    ],
    layers: Annotated[
        list[str] | None,
        typer.Option("--layer", help="A layer to freeze; may be repeated; all by default."),
    ] = None,
    draws: Annotated[
        int, typer.Option(help="Draws of labels, for uniform noise at rate 1.", min=1)
    ] = 1,
    places: options.Places,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """Freeze activations of memorized networks, so that decoders are scored without training.

    One fixture for each model, data set, noise and rate above 0: two files in a folder. Networks
    that are not cached are trained.
    """
    from memgen_bench.cli.progress import show_epoch
    from memgen_bench.errors import UsageError
    from memgen_bench.fixtures.fixture import save_fixture
    from memgen_bench.fixtures.freezing import export as freeze
    from memgen_bench.fixtures.freezing import fixture_name

    changes |= {"kinds": ["memorized"], "labels": ["corrupted"]}
    plan = options.plan(suite, changes, places, plugins)
    for reason in plan.left_out:
        say(f"left out: {reason}")
    settings = options.run_settings(places, plugins, "cpu")
    memorized = [each for each in plan.networks if each.kind == "memorized"]
    if not memorized:
        raise UsageError("no memorized network is planned; name a --rate above 0")
    networks = {fixture_name(each): each for each in memorized}
    if len(networks) < len(memorized):
        raise UsageError(f"several seeds make fixtures of one name; name one --seed for {out}")
    for network in networks.values():
        fixture = freeze(network, settings, layers=layers or (), draws=draws, report=show_epoch)
        path = save_fixture(fixture, out)
        size = path.stat().st_size + path.with_name(f"{path.stem}.npz").stat().st_size
        say(f"{path}: {network.label}, {size / 2**20:.1f} MiB")
