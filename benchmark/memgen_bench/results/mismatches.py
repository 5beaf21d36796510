"""The reasons why a cached network or stored reading is not used: differing columns; pure.

Plan, cache and results are compared by the results' columns, as far as both sides have a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memgen_bench.errors import UsageError
from memgen_bench.hashing import canonical
from memgen_bench.results.rows import reading_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memgen_bench.plan.plan import Plan, PlannedNetwork

    Fields = Mapping[str, Any]
    Things = Mapping[str, "Thing"]

# Columns of the results that decide a network, and what a reading's key adds.
NETWORK_COLUMNS = (
    *("model", "noise", "rate", "noise_seed", "seed", "init_seed", "order_seed", "kind"),
    *("data_fingerprint", "validation_fraction", "held_out_fraction", "optimizer", "lr"),
    *("momentum", "weight_decay", "batch_size", "target", "min_epochs", "max_epochs"),
    *("threads", "precision"),
)
READING_COLUMNS = (
    *("decoder", "decoder_version", "decoder_params", "labels", "noise", "rate", "noise_seed"),
    *("protocol_version", "fitted_on", "layer", "max_layer_dim", "epoch", "test_count"),
)
# Columns that have other names in an identity.
_COLUMNS = {
    "protocol": "training_version",
    "version": "model_version",
    "parameters": "model_parameters",
    "data": "data_fingerprint",
    "init": "init_seed",
    "order": "order_seed",
}
_TRUE_LABELS = {"noise": None, "noise_version": None, "rate": 0, "noise_seed": None}


@dataclass(frozen=True)
class Thing:
    """A network or a reading in the plan, the cache or the results.

    Attributes:
        name: A name for messages.
        fields: The columns that decide its key.
        state: A remark on its status, for messages.
    """

    name: str
    fields: Fields
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """The networks and readings to compare.

    Attributes:
        plan: The plan of the run.
        notes: The notes of cached networks, by `network_id`.
        networks: Rows of networks, with `NETWORK_COLUMNS` and the columns that name them.
        readings: Rows of readings, with `READING_COLUMNS` and the columns that name them.
    """

    plan: Plan
    notes: Mapping[str, Fields]
    networks: Sequence[Fields]
    readings: Sequence[Fields]


def explain(known: Known, asked: str) -> list[str]:
    """Return lines on where a network or reading is found, and where not, how the nearest differs.

    Args:
        known: The networks and readings to search.
        asked: A `network_id` or a reading's key, or the beginning of one.

    Raises:
        UsageError: No key begins with `asked`, or several do.
    """
    networks = _networks(known)
    ids = {key: key for things in networks.values() for key in things if key.startswith(asked)}
    key, network_id = _only(ids or _readings_like(known, asked), asked)
    about_network = _compare("network", network_id, networks)
    if ids:
        return list(about_network)
    return [*_compare("reading", key, _readings(known, network_id)), *about_network]


def _only(found: Mapping[str, str], asked: str) -> tuple[str, str]:
    if not found:
        raise UsageError(f"nothing in the plan, the cache or the results is called {asked!r}")
    if len(found) > 1:
        some = ", ".join(sorted(found)[:3])
        raise UsageError(f"{asked!r} begins {len(found)} keys ({some} …); write more of it")
    return next(iter(found.items()))


def _readings_like(known: Known, asked: str) -> dict[str, str]:
    """Return the keys of readings that begin with `asked`, with their networks."""
    stored = {row["key"]: row["network_id"] for row in known.readings}
    planned = (
        (reading.key, network.network_id)
        for network in known.plan.networks
        for reading in network.readings
    )
    return {k: n for k, n in (*stored.items(), *planned) if k.startswith(asked)}


def _networks(known: Known) -> dict[str, Things]:
    return {
        "plan": {n.network_id: Thing(n.label, _columns(n.identity)) for n in known.plan.networks},
        "cache": {
            key: Thing(note["network"], _columns(note["identity"]))
            for key, note in known.notes.items()
        },
        "results": {row["network_id"]: _stored_network(row) for row in known.networks},
    }


def _readings(known: Known, network_id: str) -> dict[str, Things]:
    planned = (network for network in known.plan.networks if network.network_id == network_id)
    rows = [row for row in known.readings if row["network_id"] == network_id]
    return {
        "plan": {row["key"]: _reading(row) for network in planned for row in _planned(network)},
        "results": {row["key"]: _reading(row, _status(row)) for row in rows},
    }


def _planned(network: PlannedNetwork) -> Iterator[Fields]:
    return (reading_row(network, reading) for reading in network.readings)


def _reading(row: Fields, state: str = "") -> Thing:
    labels = f", {row['labels']} labels" if row["labels"] else ""
    when = f" after epoch {row['epoch']}" if row["epoch"] else ""
    name = f"{row['decoder']} on layer {row['layer']}{when}{labels}"
    return Thing(name, {column: row[column] for column in READING_COLUMNS}, state)


def _stored_network(row: Fields) -> Thing:
    given = f"{row['noise']} {row['rate']:g}" if row["noise"] else row["kind"]
    name = f"{row['model']} on {row['dataset']}, {given}, seed {row['seed']}"
    return Thing(name, {column: row[column] for column in NETWORK_COLUMNS}, _status(row))


def _status(row: Fields) -> str:
    return f", {row['status']}" + (f" ({row['message']})" if row["message"] else "")


def _columns(identity: Fields) -> Fields:
    """Return the fields of an identity under the names of the results' columns."""
    said = canonical(identity)
    initial, recipe, draw = said.pop("initial"), said.pop("recipe", {}), said.pop("draw", None)
    task = initial.pop("task")
    kind = "memorized" if draw else "clean" if recipe else "untrained"
    flat = {
        "kind": kind,
        "epoch": None,
        **initial,
        **task,
        **said,
        **recipe,
        **(draw or _TRUE_LABELS),
    }
    return {_COLUMNS.get(name, name): value for name, value in flat.items()}


def _compare(what: str, key: str, places: Mapping[str, Things]) -> Iterator[str]:
    here = next(place for place, things in places.items() if key in things)
    mine = places[here][key]
    yield f"{what} {key}: {mine.name}"
    for place, things in places.items():
        if key in things:
            yield f"{place}: it is there{things[key].state}"
        elif place == "cache" and mine.fields["kind"] == "untrained":
            yield "cache: untrained networks are built anew"
        elif not things:
            yield f"{place}: it is not there, and neither is a {what} to compare it with"
        else:
            differing = {other: _differing(mine, thing) for other, thing in things.items()}
            nearest = min(things, key=lambda other: (len(differing[other]), other))
            yield f"{place}: it is not there; the nearest is {nearest} ({things[nearest].name})"
            if not differing[nearest]:
                yield f"  no column that the {place} has tells them apart"
            for column in differing[nearest]:
                yield _difference(column, here, mine, place, things[nearest])


def _differing(mine: Thing, other: Thing) -> list[str]:
    """Return the columns that both have with different values."""
    theirs = other.fields
    return [name for name, value in mine.fields.items() if theirs.get(name, value) != value]


def _difference(column: str, here: str, mine: Thing, there: str, other: Thing) -> str:
    values = (thing.fields[column] for thing in (mine, other))
    one, another = ("none" if value is None else value for value in values)
    return f"  {column} is {one} in the {here}, {another} in the {there}"
