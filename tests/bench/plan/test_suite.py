"""Suites: what ships, what a bad file is told, and what options replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench import UsageError
from memgen_bench.plan.suite import (
    Kind,
    Pair,
    RecipeOverride,
    Suite,
    load_suite,
    shipped_suites,
    short_decimal,
)
from memgen_bench.plugin.specs import Recipe

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

GRID = """
name = "grid"
version = 3
datasets = ["digits"]
models = ["mlp", "cnn"]
rates = [0.0, 0.4]
"""
PAIRS = """
name = "pairs"
version = 1
rates = [0.4]

[[pairs]]
model = "mlp"
dataset = "digits"
recipe = { batch_size = 32 }

[[pairs]]
model = "cnn"
dataset = "digits"

[[pairs]]
model = "mlp"
dataset = "mnist"
recipe = { target = 0.99 }
"""


def suite_of(text: str, folder: Path) -> Suite:
    path = folder / "suite.toml"
    path.write_text(text)
    return load_suite(str(path))


@pytest.fixture
def grid(tmp_path: Path) -> Suite:
    return suite_of(GRID, tmp_path)


@pytest.fixture
def pairs(tmp_path: Path) -> Suite:
    return suite_of(PAIRS, tmp_path)


def names(suite: Suite) -> list[tuple[str, str]]:
    return [(pair.model, pair.dataset) for pair in suite.combinations()]


def test_the_four_suites_ship() -> None:
    assert shipped_suites() == ("addition", "core", "fashion", "fashion-10k", "paper", "smoke")


@pytest.mark.parametrize("name", shipped_suites())
def test_a_shipped_suite_is_valid_and_says_what_it_is(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert suite.summary
    assert suite.combinations()


def test_core_is_what_the_protocol_says() -> None:
    core = load_suite("core")
    assert names(core) == [
        ("quadratic", "modular-addition/41"),
        ("conv1d", "mnist1d"),
        ("cnn-pooled", "digits-shifted"),
        ("mlp", "digits"),
    ]
    assert core.rates == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert (core.noises, core.seeds, core.decoders) == (("uniform",), (0, 1, 2), "all")
    assert set(core.kinds) == set(get_args(Kind)) - {"clean"}  # clean networks are ceilings alone
    assert (core.labels, core.fitted_on) == (("corrupted",), ("training", "held_out"))
    assert (core.validation_fraction, core.held_out_fraction) == (0.15, 0.1)
    assert (core.max_layer_dim, core.test_size) == (1024, 2000)


@pytest.mark.parametrize("name", shipped_suites())
def test_no_suite_that_ships_lets_a_limit_decide_who_wins(name: str) -> None:
    limit = load_suite(name).max_layer_dim
    assert limit == 0 or limit >= 1024


def test_paper_is_eight_pairs_of_three_seeds_without_validation() -> None:
    paper = load_suite("paper")
    assert (len(paper.pairs), len(paper.seeds)) == (8, 3)
    assert (paper.validation_fraction, paper.max_layer_dim) == (0, 0)
    cifar = next(p for p in paper.pairs if (p.model, p.dataset) == ("paper-cnn", "cifar10"))
    assert cifar.recipe.batch_size == 32


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seed = [0]", r"unknown key 'seed'; did you mean 'seeds'"),
        ("validation_part = 0.1", r"unknown key 'validation_part'"),
        ("rates_ = [1.5]", r"unknown key 'rates_'; did you mean 'rates'"),
        ("noises = []", r"noises is empty"),
        ("seeds = []", r"seeds is empty"),
        ("kinds = []", r"kinds is empty"),
        ("labels = []", r"labels is empty"),
        ("decoders = []", r"decoders is empty"),
        ("seeds = [-1]", r": seeds: -1 should be greater than or equal to 0$"),
        ("seeds = 3", r": seeds: 3 should be a list$"),
        ("seeds = ['a']", r": seeds: 'a' should be a valid integer$"),
        ("decoders = [3]", r": decoders: 3 should be a valid string$"),
        (
            "kinds = ['memorised']",
            r": kinds: 'memorised' should be .* 'features' \(did you mean 'memorized'\?\)$",
        ),
        ("validation_fraction = 1.0", r"validation_fraction: 1\.0 should be less than 1$"),
        ("train_size = 0", r"train_size: 0 should be greater than 0$"),
        ("max_layer_dim = -5", r"max_layer_dim: .*-5"),
        ("decoders = 'masc'", r"decoders.*'masc'"),
        ("[[pairs]]\nmodel = 'mlp'\ndataset = 'digits'", r"either pairs, or models and datasets"),
        ("name = 'again'", r"not valid TOML"),
        ("rates = ", r"not valid TOML"),
    ],
)
def test_a_bad_suite_is_told_what_and_where(line: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        suite_of(f"{GRID}\n{line}\n", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"suite {tmp_path / 'suite.toml'}: ")
    assert "\n" not in message


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "nan", "'half'"])
def test_a_rate_is_in_0_to_1(rate: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r": rates: .* should be "):
        suite_of(GRID.replace("0.4", rate), tmp_path)


@pytest.mark.parametrize(
    ("meant", "rate"),
    [
        (0.1 + 0.2, 0.3),
        (1 - 0.9, 0.1),
        (sum([0.1] * 10), 1.0),  # 0.9999999999999999
        (1.0000000000000002, 1.0),
        (np.float32(0.4), 0.4),
        (float(np.float32(0.4)), 0.4),
        (np.float32(0.7), 0.7),
        (np.float64(0.4), 0.4),
        (1 / 3, 0.333333333333),
        (0.39990234375, 0.39990234375),  # a float32, too, but short as it is
        (0.123456789012, 0.123456789012),
        (5e-324, 5e-324),
        (0, 0.0),
    ],
)
def test_a_rate_is_the_short_decimal_that_it_stands_for(
    meant: float, rate: float, grid: Suite
) -> None:
    assert grid.replace({"rates": [meant]}).rates == (rate,)


def test_a_validation_fraction_is_a_short_decimal_too(grid: Suite) -> None:
    assert grid.replace({"validation_fraction": 0.1 + 0.2}).validation_fraction == 0.3


@given(st.decimals(min_value=0, max_value=1, places=6))
def test_a_short_decimal_is_found_again_through_both_kinds_of_float(decimal: Decimal) -> None:
    assert short_decimal(float(decimal)) == float(decimal)
    assert short_decimal(float(np.float32(decimal))) == float(decimal)


def test_recipes_of_a_suite_have_short_decimals_too() -> None:
    override = RecipeOverride(lr=float(np.float32(0.001)), momentum=0.7 + 0.2, target=0.1 * 3)
    assert (override.lr, override.momentum, override.target) == (0.001, 0.9, 0.3)
    assert RecipeOverride(lr=1e300).lr == 1e300


@pytest.mark.parametrize("key", ["name", "version", "rates"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    text = "\n".join(line for line in GRID.splitlines() if not line.startswith(key))
    with pytest.raises(UsageError, match=f"{key} is missing"):
        suite_of(text, tmp_path)


def test_a_misspelt_key_is_named_before_the_one_that_it_leaves_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown key 'rate'; did you mean 'rates'"):
        suite_of(GRID.replace("rates", "rate"), tmp_path)


def test_models_need_datasets(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give models and datasets, or pairs"):
        suite_of(GRID.replace('datasets = ["digits"]', ""), tmp_path)


def test_a_misspelt_recipe_key_gets_a_hint(tmp_path: Path) -> None:
    text = PAIRS.replace("batch_size", "batchsize")
    with pytest.raises(UsageError, match=r"pairs\.0\.recipe\.batchsize.*'batch_size'"):
        suite_of(text, tmp_path)


def test_a_recipe_value_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pairs\.0\.recipe\.batch_size: .*-32"):
        suite_of(PAIRS.replace("32", "-32"), tmp_path)


def test_a_file_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(b"\xff\xfename = 'x'")
    with pytest.raises(UsageError, match="cannot be read as text"):
        load_suite(str(path))


@pytest.mark.parametrize(
    ("typed", "says"), [("smok", "did you mean smoke"), ("quantum", "known:.*core.*smoke")]
)
def test_an_unknown_suite_gets_a_hint(typed: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"no suite or file '{typed}'; {says}"):
        load_suite(typed)


def test_a_recipe_override_replaces_what_it_names_only(pairs: Suite) -> None:
    recipe = Recipe(optimizer="sgd", lr=0.1, momentum=0.9, batch_size=128)
    assert pairs.pairs[0].recipe.apply(recipe) == Recipe(
        optimizer="sgd", lr=0.1, momentum=0.9, batch_size=32
    )
    assert pairs.pairs[1].recipe.apply(recipe) == recipe


def test_an_override_may_ask_for_whole_batches_decay_and_more_epochs(tmp_path: Path) -> None:
    asked = '{ optimizer = "adamw", weight_decay = 1.0, batch_size = 0, min_epochs = 100 }'
    (pair, *_) = suite_of(PAIRS.replace("{ batch_size = 32 }", asked), tmp_path).pairs
    assert pair.recipe.apply(Recipe()) == Recipe(
        optimizer="adamw", weight_decay=1.0, batch_size=0, min_epochs=100
    )


def test_axes_cross_in_a_fixed_order(grid: Suite) -> None:
    crossed = grid.replace({"datasets": ["digits", "mnist"]})
    assert names(crossed) == [
        ("mlp", "digits"),
        ("cnn", "digits"),
        ("mlp", "mnist"),
        ("cnn", "mnist"),
    ]


def test_replacing_nothing_changes_nothing(grid: Suite, pairs: Suite) -> None:
    for suite in (grid, pairs):
        assert suite.replace({"models": None, "rates": None}) == suite


def test_an_option_replaces_its_axis_and_leaves_the_rest(grid: Suite) -> None:
    replaced = grid.replace({"rates": [0.2, 0.6], "decoders": ["masc"], "test_size": 50})
    assert replaced.rates == (0.2, 0.6)
    assert replaced.decoders == ("masc",)
    assert replaced.test_size == 50
    assert replaced.models == grid.models
    assert grid.rates == (0.0, 0.4)


@pytest.mark.parametrize(
    ("axes", "name"),
    [
        ({"models": ["mlp"]}, "grid"),
        ({"rates": [0.4]}, "grid"),
        ({"kinds": ["memorized"], "labels": ["corrupted"]}, "grid"),
        ({"decoders": ["masc"]}, "grid"),
        ({"validation_fraction": 0.1}, "grid"),  # the value that it has
        ({"rates": [0.4, 0.6]}, "grid+rates"),
        ({"datasets": ["mnist"]}, "grid+pairs"),
        ({"train_size": 500}, "grid+train_size=500"),
        ({"max_layer_dim": 0}, "grid+max_layer_dim=0"),
        (
            {"order_seeds": [1], "init_seeds": [1], "noise_seeds": [1], "seeds": [1]}
            | {"rates": [1.0], "noises": ["flip"], "test_size": 50, "train_size": 50},
            "grid+noises+rates+seeds+noise_seeds+init_seeds+order_seeds+train_size=50+test_size=50",
        ),
        ({"models": ["paper-mlp"], "seeds": [1], "test_size": 50}, "grid+pairs+seeds+test_size=50"),
    ],
)
def test_a_part_of_a_suite_keeps_its_name_and_another_suite_does_not(
    axes: dict[str, Any], name: str, grid: Suite
) -> None:
    assert grid.replace(axes).name == name


def test_pairs_with_another_recipe_are_another_suite(pairs: Suite) -> None:
    assert pairs.replace({"models": ["cnn"]}).name == "pairs"
    assert pairs.replace({"models": ["cnn"], "datasets": ["mnist"]}).name == "pairs+pairs"


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"rates": [0.2, 1.5]}, "rates: 1.5 should be less than or equal to 1"),
        ({"rates": ["x"]}, "rates: 'x' should be a valid number"),
        ({"rates": 0.4}, "rates takes a list, such as rates=[0.4]"),
        ({"kinds": ["messy"]}, "kinds: 'messy' should be 'memorized', 'clean', "),
        ({"decoders": [3]}, "decoders: 3 should be a valid string"),
        ({"noise_seeds": [-1]}, "noise_seeds: -1 should be greater than or equal to 0"),
        ({"train_size": "few"}, "train_size: 'few' should be a valid integer"),
        ({"seeds": []}, "suite 'grid' with the options given: seeds is empty"),
    ],
)
def test_a_value_given_is_refused_in_the_words_of_its_user(
    axes: dict[str, Any], says: str, grid: Suite
) -> None:
    with pytest.raises(UsageError) as caught:
        grid.replace(axes)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("axes", "kept"),
    [
        ({"models": ["mlp"]}, [("mlp", "digits"), ("mlp", "mnist")]),
        ({"datasets": ["digits"]}, [("mlp", "digits"), ("cnn", "digits")]),
        ({"models": ["mlp"], "datasets": ["mnist"]}, [("mlp", "mnist")]),
    ],
)
def test_naming_models_or_datasets_narrows_pairs(
    axes: dict[str, Any], kept: list[tuple[str, str]], pairs: Suite
) -> None:
    narrowed = pairs.replace(axes)
    assert names(narrowed) == kept
    assert set(narrowed.pairs) <= set(pairs.pairs)  # with their recipes


@pytest.mark.parametrize(
    ("axes", "crossed"),
    [
        ({"models": ["cnn"], "datasets": ["mnist"]}, [("cnn", "mnist")]),
        ({"models": ["paper-mlp"]}, [("paper-mlp", "digits"), ("paper-mlp", "mnist")]),
        ({"datasets": ["svhn"]}, [("mlp", "svhn"), ("cnn", "svhn")]),
    ],
)
def test_names_that_no_pair_has_are_crossed(
    axes: dict[str, Any], crossed: list[tuple[str, str]], pairs: Suite
) -> None:
    replaced = pairs.replace(axes)
    assert names(replaced) == crossed
    assert all(pair.recipe == RecipeOverride() for pair in replaced.combinations())


def test_other_options_keep_pairs_and_recipes(pairs: Suite) -> None:
    replaced = pairs.replace({"rates": [0.2]})
    assert replaced.pairs == pairs.pairs
    assert replaced.pairs[0] == Pair(
        model="mlp", dataset="digits", recipe=RecipeOverride(batch_size=32)
    )
