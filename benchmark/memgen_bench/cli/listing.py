"""`memgen-bench list`: all registered names, and their plugins."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memgen_bench.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from memgen_bench.plugin.registry import Registry


class What(StrEnum):
    """The lists that can be shown."""

    models = "models"
    features = "features"
    datasets = "datasets"
    decoders = "decoders"
    noises = "noises"
    engines = "engines"
    suites = "suites"
    plugins = "plugins"


def show(
    what: Annotated[
        What | None, typer.Argument(help="What to list; everything by default.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Name every member of a family, such as timm/.")
    ] = False,
    plugins: options.Plugins = None,
    debug: options.Debug = False,
) -> None:
    """List models, features, datasets, decoders, noises, engines, suites and plugins."""
    registry = options.registry(plugins)
    console = options.console()
    for one in [what] if what else list(What):
        console.print(_keep_names(_table(one, registry, every, in_full=what is not None)))


def _table(what: What, registry: Registry, every: bool, *, in_full: bool) -> Table:
    if what is What.suites:
        return _suites()
    if what is What.plugins:
        return _plugins(registry)
    if what is What.decoders and in_full:
        return _decoders(registry)
    return _catalogue(what, registry, every)


def _new_table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    return table


def _keep_names(table: Table) -> Table:
    """Give names the room that they need, so that other texts are folded and not they."""
    from rich.cells import cell_len

    names = table.columns[0]
    names.min_width = max((cell_len(f"{name}") for name in names.cells), default=0)
    return table


def _row(table: Table, *cells: Any) -> None:
    """Add a row whose text is shown unchanged; brackets are no markup."""
    from rich.text import Text

    table.add_row(*(Text(str(cell)) for cell in cells))


def _catalogue(what: What, registry: Registry, every: bool) -> Table:
    catalogue: Any = getattr(registry, what)
    table = _new_table(what.value, "name", "summary", "plugin")
    for name in catalogue:
        _row(table, name, catalogue[name].summary, catalogue.plugin(name).distribution)
    for prefix, family in catalogue.families.items():
        members = [m for m in family.members() if m not in family.featured] if every else []
        for name in members:
            _row(table, name, "", catalogue.plugin(prefix).distribution)
        if not members:
            _row(table, f"{prefix}…", family.summary, catalogue.plugin(prefix).distribution)
    return table


def _decoders(registry: Registry) -> Table:
    """Return the table of decoders with parameters and sources; it builds every decoder."""
    from memgen_bench.errors import one_line

    table = _new_table("decoders", "name", "summary", "estimator", "source", "plugin")
    for name, spec in registry.decoders.items():
        try:
            estimator = " ".join(repr(spec.build()).split())  # shows non-default parameters
        except Exception as error:
            estimator = f"cannot be built: {one_line(error)}"
        says = [mark for mark in ("slow", "stochastic") if getattr(spec, mark)]
        marks = "".join(f" [{mark}]" for mark in (*spec.needs, *says))
        plugin = registry.decoders.plugin(name).distribution
        _row(table, name, spec.summary + marks, estimator, spec.citation, plugin)
    return table


def _suites() -> Table:
    from memgen_bench.plan.suite import load_suite, shipped_suites

    table = _new_table("suites", "name", "version", "summary", "headroom in points")
    for name in shipped_suites():
        suite = load_suite(name)
        rooms = [
            f"{pair.model} on {pair.dataset} {pair.headroom:g}"
            for pair in suite.combinations()
            if pair.headroom is not None
        ]
        _row(table, name, suite.version, suite.summary, ", ".join(rooms) or "not measured")
    return table


def _plugins(registry: Registry) -> Table:
    table = _new_table("plugins", "name", "distribution", "version", "file")
    for plugin in registry.plugins:
        _row(table, plugin.name, plugin.distribution, plugin.version, plugin.file)
    return table
