"""Decoders in a row by name: found wherever a decoder is named, and fitted one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import memgen_bench
from memgen_bench import DecoderSpec, UsageError, load_registry
from memgen_bench.decode.relabelling import Relabelled
from memgen_bench.plan.suite import Suite
from memgen_bench.plugin.composition import compose
from memgen_plugins.decoders.layer.centroid import CosineCentroid
from memgen_plugins.decoders.layer.gaussian import RDA, ShrunkLDA
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors
from memgen_plugins.decoders.robust.tuned import Tuned

if TYPE_CHECKING:
    from pathlib import Path

DECODERS = load_registry().decoders
RNG = np.random.default_rng(0)
TRUE = np.arange(120) % 4
X = (np.eye(4)[TRUE] * 4 + RNG.standard_normal((120, 4))).astype(np.float32)
GIVEN = np.where(RNG.random(120) < 0.3, 0, TRUE)


def test_the_second_decoder_learns_what_the_first_one_predicts() -> None:
    relabelled = ShrunkLDA().fit(X, GIVEN).predict(X)
    assert (relabelled != GIVEN).any()
    by_hand = CosineNeighbors(9).fit(X, relabelled).predict(X)
    fitted = Relabelled(ShrunkLDA(), CosineNeighbors(9)).fit(X, GIVEN)
    assert (fitted.predict(X) == by_hand).all()
    assert (by_hand != CosineNeighbors(9).fit(X, GIVEN).predict(X)).any()


def test_each_gets_the_extras_that_it_takes_and_says_what_it_chose() -> None:
    tuned = Tuned(RDA(), {"shrinkage": (0.1, 0.9)})
    fitted = Relabelled(CosineCentroid(), tuned).fit(X, GIVEN, validation=(X, TRUE))
    assert fitted.chosen_ == {"then": fitted.then_.chosen_}
    assert set(fitted.chosen_["then"]) == {"shrinkage"}


def test_a_row_is_what_one_of_its_parts_is() -> None:
    one = DecoderSpec(name="a", summary="", build=CosineCentroid, stochastic=True)
    other = DecoderSpec(name="b", summary="", build=CosineCentroid, slow=True)
    row = compose("a>b", [one, other])
    assert (row.stochastic, row.slow) == (True, True)


def test_any_names_may_stand_in_a_row() -> None:
    spec = DECODERS.find("ncm>rda>knn-5")
    built: Any = spec.build()
    assert [type(each).__name__ for each in (built.first.first, built.first.then, built.then)] == [
        "CosineCentroid",
        "Tuned",
        "CosineNeighbors",
    ]
    assert spec.needs == ("validation", "neighbors")
    assert spec.version == sum(DECODERS[name].version for name in ("ncm", "rda", "knn-5"))
    assert DECODERS.find("ncm>logreg-tuned").slow
    assert DECODERS.find("ncm>lda-told").needs == ("transition",)


def test_points_stand_after_a_whole_decoder_and_leave_its_name_as_it_is() -> None:
    for name, base, points in [
        ("lda-shrunk@both", "lda-shrunk", "both"),
        ("ncm>knn-5[n_neighbors=9]@held-out", "ncm>knn-5[n_neighbors=9]", "held_out"),
        ("ridge-tuned|pixels@held_out", "ridge-tuned|pixels", "held_out"),
    ]:
        found = DECODERS.find(name)
        assert (found.name, found.fitted_on) == (base, points)
        assert found.version == DECODERS.find(base).version
    assert DECODERS.stages("ncm>knn-5@both") == ["ncm", "knn-5"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ncm@bth", r"'ncm@bth': the points after @ are training, held-out, both, once and last"),
        ("ncm@both>rda", r"'ncm@both>rda': the points after @ are"),
        ("ncm@both@both", r"once and last"),
        ("early-stopped@both", r"'early-stopped' reads epochs of a training"),
        ("lda-shrnk>knn-5", r"no decoder 'lda-shrnk'; did you mean lda-shrunk"),
        ("ncm>", r"no decoder ''"),
        ("rog>ncm", r"'rog' has scope 'network'; only decoders of one layer"),
    ],
)
def test_a_row_that_cannot_be_says_which_part_of_it(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DECODERS.find(name)


def test_only_decoders_stand_in_a_row() -> None:
    with pytest.raises(UsageError, match="no noise 'uniform>flip'"):
        load_registry().noises.find("uniform>flip")


PLUGIN = """
import numpy as np
from memgen_bench import DecoderSpec, hookimpl

class First:
    def fit(self, X, y):
        assert isinstance(X, np.ndarray)
        self.label = y.min()
    def predict(self, X):
        return np.full(len(X), self.label)

@hookimpl
def register_decoders():
    return [DecoderSpec(name="first", summary="the lowest label", build=First)]
"""


def test_a_row_runs_by_its_name_and_is_stored_with_every_plugin_in_it(tmp_path: Path) -> None:
    plugin = tmp_path / "first.py"
    plugin.write_text(PLUGIN)
    suite = Suite(
        name="row",
        version=1,
        models=("mlp",),
        datasets=("digits",),
        rates=(0.4,),
        kinds=("untrained",),
        labels=("corrupted",),
        decoders=("rda>ncm", "ncm>first"),
        train_size=200,
        test_size=50,
    )
    summary = memgen_bench.run(
        suite, results=tmp_path / "results", plugins=[plugin], engine="serial"
    )
    assert summary.ok == summary.planned
    rows = pl.from_arrow(memgen_bench.read_results(tmp_path / "results"))
    assert isinstance(rows, pl.DataFrame)
    mixed = rows.filter(pl.col("decoder") == "ncm>first")
    assert mixed["decoder_plugin"].unique().to_list() == ["memgen-bench 0.1.0, file -"]
    assert mixed["chosen"].null_count() == mixed.height
    chosen = rows.filter(pl.col("decoder") == "rda>ncm")["chosen"]
    assert chosen.str.contains('"first": {"pooling"', literal=True).all()


# features beside a layer


def test_a_decoder_with_features_beside_a_layer_is_found_by_name() -> None:
    spec, alone = DECODERS["ridge-tuned|patches/100"], DECODERS["ridge-tuned"]
    assert (spec.beside, alone.beside) == ("patches/100", "")
    assert (spec.needs, spec.version, spec.build) == (alone.needs, alone.version, alone.build)
    assert DECODERS["lda>ncm|pixels"].beside == "pixels"
    assert DECODERS.stages("lda>ncm|pixels") == ["lda", "ncm"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody|pixels", "there is no decoder 'nobody'"),
        ("ensemble-lda|pixels", "takes a decoder of one layer"),
        ("knn-50|pixels", "takes a decoder of one layer that needs no neighbours"),
        ("ridge|pixels|patches/100", "features stand beside a layer once, and 'pixels' do"),
    ],
)
def test_what_cannot_have_features_beside_it_says_so(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DECODERS.find(name)
