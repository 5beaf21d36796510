"""Suites: named, versioned sets of axes, read from TOML and checked."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import asdict
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from memgen_bench.errors import RefusedValueError, UsageError
from memgen_bench.plan.axes import Axes, Sizes
from memgen_bench.plugin.specs import FittedOn as FittedOn  # one more axis
from memgen_bench.plugin.specs import Recipe
from memgen_bench.protocol import MAX_LAYER_DIM

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Kind = Literal["memorized", "clean", "untrained", "random", "features"]
Labels = Literal["corrupted", "true"]


def short_decimal(value: float) -> float:
    """Return the short decimal that a float stands for: 0.3 for 0.1 + 0.2, 0.4 for float32's 0.4.

    Numbers that are written alike must be one number: identities are hashed from them.
    """
    short = float(f"{value:.12g}")
    if short == value:
        return value
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else short


ShortDecimal = Annotated[float, AfterValidator(short_decimal)]
Rate = Annotated[ShortDecimal, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # fits the column of the results
ALL: Literal["all"] = "all"
# Axes that do not make a suite another one; pairs of the first two do.
_NAMELESS = ("models", "datasets", "decoders")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecipeOverride(_Strict):
    """The fields of a model's recipe that a suite replaces."""

    optimizer: Literal["adam", "adamw", "sgd"] | None = None
    lr: Annotated[ShortDecimal, Field(gt=0)] | None = None
    momentum: Annotated[ShortDecimal, Field(ge=0, lt=1)] | None = None
    weight_decay: Annotated[ShortDecimal, Field(ge=0)] | None = None
    batch_size: NonNegativeInt | None = None
    target: Annotated[ShortDecimal, Field(gt=0, le=1)] | None = None
    min_epochs: NonNegativeInt | None = None
    max_epochs: PositiveInt | None = None
    threads: PositiveInt | None = None
    precision: Literal["fp32", "bf16"] | None = None

    def apply(self, recipe: Recipe) -> Recipe:
        """Return a recipe with these fields replaced."""
        return Recipe(**{**asdict(recipe), **self.model_dump(exclude_none=True)})


class Pair(_Strict):
    """One model on one data set, for suites that list pairs instead of all combinations.

    Attributes:
        model: The model's name.
        dataset: The data set's name.
        recipe: The fields of the model's recipe to replace.
        headroom: Points between the best control and the clean network, as they were measured:
            the most that memorized networks can be found to hold. Only `list suites` shows it.
    """

    model: str
    dataset: str
    recipe: RecipeOverride = RecipeOverride()
    headroom: float | None = None


class Suite(_Strict):
    """The axes of a benchmark.

    Rates and other fractions are taken as the short decimals that they stand for: see
    `short_decimal`.

    Attributes:
        name: The suite's name, stored with every reading.
        version: The suite's version, raised when it changes; stored too.
        summary: One line for `memgen-bench list suites`.
        models: Model names, crossed with `datasets`.
        datasets: Data set names.
        pairs: Explicit pairs instead of `models` and `datasets`.
        noises: Noise names.
        rates: Shuffle rates; 0 stands for the clean network.
        seeds: Seeds of the split and the decoders; all other seeds default to them.
        noise_seeds: Crossed with `seeds` when given.
        init_seeds: Crossed with `seeds` when given.
        order_seeds: Crossed with `seeds` when given.
        kinds: Kinds of network to decode: `memorized` and `clean` ones, and the controls:
            `untrained`, `random` (trained on labels shuffled at rate 1, decoded with others), and
            `features` (label-free features of the images, in place of a network).
        features: Names of label-free features.
        labels: Kinds of labels that decoders are fitted on.
        fitted_on: Points that decoders are fitted on: `training`, those that the network was
            trained on; `held_out`, those that it never saw; `both`.
        decoders: Decoder names, or `all`, which may stand among names, too.
        train_size: The most training images of a data set, validation and held-out subsets
            included; all by default.
        test_size: The most test images of a data set; all by default.
        validation_fraction: Share of the training images in the validation subset.
        held_out_fraction: Share of the training images in the held-out subset, which has noisy
            labels and which no network is trained on.
        max_layer_dim: Maps wider than this are average-pooled; 0 for no limit.
        checkpoints: Epochs, ascending, after which trained networks are read too.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+=-]*$", max_length=200)]
    version: PositiveInt
    summary: str = ""
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    noises: tuple[str, ...] = ("uniform",)
    rates: tuple[Rate, ...]
    seeds: tuple[Seed, ...] = (0,)
    noise_seeds: tuple[Seed, ...] | None = None
    init_seeds: tuple[Seed, ...] | None = None
    order_seeds: tuple[Seed, ...] | None = None
    kinds: tuple[Kind, ...] = get_args(Kind)
    features: tuple[str, ...] = ("pixels",)
    labels: tuple[Labels, ...] = ("corrupted", "true")
    fitted_on: tuple[FittedOn, ...] = ("training",)
    decoders: tuple[str, ...] | Literal["all"] = ALL
    train_size: PositiveInt | None = None
    test_size: PositiveInt | None = None
    validation_fraction: Annotated[ShortDecimal, Field(ge=0, lt=1)] = 0.1
    held_out_fraction: Annotated[ShortDecimal, Field(ge=0, lt=1)] = 0.0
    max_layer_dim: NonNegativeInt = MAX_LAYER_DIM
    checkpoints: tuple[PositiveInt, ...] = ()

    @model_validator(mode="after")
    def _check_axes(self) -> Suite:
        if self.pairs and (self.models or self.datasets):
            raise ValueError("give either pairs, or models and datasets, not both")
        if not self.pairs and not (self.models and self.datasets):
            raise ValueError("give models and datasets, or pairs")
        for axis in ("noises", "rates", "seeds", "kinds", "labels", "decoders", "fitted_on"):
            if not getattr(self, axis):
                raise ValueError(f"{axis} is empty")
        if not self.held_out_fraction and set(self.fitted_on) - {"training"}:
            raise ValueError(
                "fitted_on needs a held_out_fraction (--held-out-fraction) above 0 for points "
                "held out"
            )
        if list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise ValueError(f"checkpoints must ascend, got {list(self.checkpoints)}")
        return self

    def combinations(self) -> tuple[Pair, ...]:
        """Return every (model, data set) pair, in order."""
        if self.pairs:
            return self.pairs
        return tuple(
            Pair(model=model, dataset=dataset) for dataset in self.datasets for model in self.models
        )

    def replace(self, axes: Mapping[str, Any]) -> Suite:
        """Return the suite with some axes replaced; None leaves an axis unchanged.

        In a suite with explicit pairs, naming models or data sets keeps the matching pairs with
        their recipes. If a name matches no pair, all models are crossed with all data sets; the
        suite's own pairs still keep their recipes.

        Raises:
            UsageError: A value is not allowed.
        """
        given = {key: value for key, value in axes.items() if value is not None}
        for axis in Axes.__annotations__.keys() & given.keys():
            alone = isinstance(given[axis], str | float | int)
            if alone and (axis, given[axis]) != ("decoders", ALL):
                raise UsageError(f"{axis} takes a list, such as {axis}=[{given[axis]!r}]")
        fields = self.model_dump() | given
        if self.pairs and ("models" in given or "datasets" in given):
            fields |= self._narrow(given.get("models"), given.get("datasets"))
        changed = _validate(fields, f"suite {self.name!r} with the options given", given)
        return changed.model_copy(update={"name": self.name + self._departure(changed)})

    def _departure(self, changed: Suite) -> str:
        """Return a suffix of the name for all that was added or resized; subsets add nothing."""
        own, others = set(self.combinations()), set(changed.combinations())
        wider = (
            axis
            for axis in Suite.model_fields
            if axis in Axes.__annotations__.keys() - _NAMELESS
            and set(getattr(changed, axis) or ()) - set(getattr(self, axis) or ())
        )
        resized = (
            f"{size}={getattr(changed, size)}"
            for size in Sizes.__annotations__
            if getattr(changed, size) != getattr(self, size)
        )
        marks = [*(["pairs"] if others - own else []), *wider, *resized]
        return "".join(f"+{mark}" for mark in marks)

    def _narrow(self, models: Any, datasets: Any) -> dict[str, Any]:
        matching = tuple(
            pair
            for pair in self.pairs
            if pair.model in (models or (pair.model,))
            and pair.dataset in (datasets or (pair.dataset,))
        )
        missing = set(models or ()) - {pair.model for pair in matching}
        missing |= set(datasets or ()) - {pair.dataset for pair in matching}
        if not missing:
            return {"pairs": matching, "models": (), "datasets": ()}
        recipes = {(pair.model, pair.dataset): pair.recipe for pair in self.pairs}
        crossed = product(
            datasets or dict.fromkeys(pair.dataset for pair in self.pairs),
            models or dict.fromkeys(pair.model for pair in self.pairs),
        )
        pairs = (
            Pair(model=m, dataset=d, recipe=recipes.get((m, d), RecipeOverride()))
            for d, m in crossed
        )
        return {"pairs": tuple(pairs), "models": (), "datasets": ()}


def shipped_suites() -> tuple[str, ...]:
    """Return the names of the suites that ship with memgen-bench, sorted."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in files("memgen_bench.plan").joinpath("suites").iterdir()
            if entry.name.endswith(".toml")
        )
    )


def load_suite(name_or_path: str) -> Suite:
    """Read and check a suite: one that ships with memgen-bench, or a TOML file.

    Raises:
        UsageError: There is no such suite, or it is invalid; the message says where and why.
    """
    if name_or_path in shipped_suites():
        text = files("memgen_bench.plan").joinpath("suites", f"{name_or_path}.toml").read_text()
    elif (path := Path(name_or_path).expanduser()).is_file():
        text = _text(path)
    else:
        close = difflib.get_close_matches(name_or_path, shipped_suites())
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else f"known: {', '.join(shipped_suites())}"
        )
        raise UsageError(f"there is no suite or file {name_or_path!r}; {hint}")
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"suite {name_or_path}: not valid TOML: {error}") from None
    return _validate(fields, f"suite {name_or_path}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"suite {path}: cannot be read as text ({error})") from None


def _validate(fields: Mapping[str, Any], where: str, given: Collection[str] = ()) -> Suite:
    """Check a suite; values of the axes and sizes given are refused by name, others by place."""
    try:
        return Suite.model_validate(dict(fields))
    except ValidationError as error:
        faults = error.errors(include_url=False)
    first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
    place = _place(first["loc"])
    if place in given and first["type"] != "extra_forbidden":
        raise RefusedValueError(place, first["input"], should_be(first))
    raise UsageError(f"{where}: {_explain(first, place)}")


def _explain(fault: Mapping[str, Any], place: str) -> str:
    """Describe a fault in one line."""
    if fault["type"] == "extra_forbidden":
        known = {**Suite.model_fields, **Pair.model_fields, **RecipeOverride.model_fields}
        close = difflib.get_close_matches(str(fault["loc"][-1]), list(known), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"unknown key {place!r}{hint}"
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] == "value_error":
        return str(fault["msg"]).removeprefix("Value error, ")
    return f"{place}: {fault['input']!r:.60} {should_be(fault)}"


def _place(loc: tuple[int | str, ...]) -> str:
    """Return where a fault is; a value says itself which of a list it is."""
    parts = [str(part) for part in loc if isinstance(part, int) or part.isidentifier()]
    return ".".join(parts[:-1] if parts and parts[-1].isdecimal() else parts)


def should_be(fault: Mapping[str, Any]) -> str:
    """Word the reason why pydantic refused a value, such as `should be a valid number`."""
    message = str(fault["msg"]).removeprefix("Input ").partition(", unable")[0]
    message = message.replace("valid tuple", "list")
    allowed = re.findall(r"'(\w+)'", message) if fault["type"] == "literal_error" else []
    close = difflib.get_close_matches(str(fault["input"]), allowed, n=1)
    return f"{message} (did you mean {close[0]!r}?)" if close else message
