"""Decoders with parameters in their names: found wherever a decoder is named, built with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

import memgen_bench
from memgen_bench import DecoderSpec, UsageError, load_registry
from memgen_bench.plugin.given_parameters import joined, split, with_parameters
from memgen_bench.plugin.parameters import built_parameters

DECODERS = load_registry().decoders


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("a[x=1]", {"x": 1}),
        ("a[ y = 0.5 , x=-2]", {"x": -2, "y": 0.5}),
        ("a[x=1e-3,w=cosine]", {"x": 1e-3, "w": "cosine"}),
        ("a[x=true,y=False,z=None]", {"x": True, "y": False, "z": None}),
        ("a[x__y=1]", {"x__y": 1}),
    ],
)
def test_parameters_are_read_and_sorted(name: str, given: dict[str, Any]) -> None:
    base, found = split(name)
    assert (base, dict(found)) == ("a", given)
    assert split(joined(base, found)) == (base, found)


@pytest.mark.parametrize(
    "name", ["knn-5[", "knn-5[]", "knn-5[x]", "knn-5[x=1,]", "knn-5[x=1,x=2]", "[x=1]", "knn-5]x["]
)
def test_what_is_written_wrongly_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"written as knn-5\[n_neighbors=20\]"):
        DECODERS.find(name)


def test_a_decoder_is_built_with_them_under_one_name() -> None:
    spec = DECODERS.find("rda-50[ shrinkage=0.30 ]")
    assert spec.name == "rda-50[shrinkage=0.3]"
    assert spec.version == DECODERS["rda-50"].version
    assert json.loads(built_parameters(spec))["shrinkage"] == 0.3
    assert DECODERS.plugin(spec.name) == DECODERS.plugin("rda-50")
    built: Any = memgen_bench.build_decoder("knn-5[n_neighbors=20]")
    assert built.get_params()["n_neighbors"] == 20


def test_they_may_stand_in_a_chain_and_beside_features() -> None:
    spec = DECODERS.find("ncm>rda-50[shrinkage=.3]|pixels")
    assert (spec.name, spec.beside) == ("ncm>rda-50[shrinkage=0.3]|pixels", "pixels")
    assert '"then__shrinkage": 0.3' in built_parameters(spec)


def test_a_misspelt_parameter_gets_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no parameter 'nn'; it has n_neighbors"):
        built_parameters(DECODERS.find("knn-5[nn=2]"))
    with pytest.raises(UsageError, match="there is no decoder 'kn-5'; did you mean knn-5"):
        DECODERS.find("kn-5[nn=2]")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("knn-5[n_neighbors=abc]", "must be an int in the range \\[1, inf\\). Got 'abc' instead"),
        ("knn-5[n_neighbors=2.5]", "must be an int"),
        ("knn-5[n_neighbors=0]", "must be an int in the range \\[1, inf\\). Got 0"),
        ("masc[variance=1]", "a float in the range \\(0.0, 1.0\\)"),
        ("lda-told[rate=1]", "'rate' parameter of Debiased must be None or a float in the range"),
        ("lda-told[estimator__pooling=-1]", "'pooling' parameter of RDA"),
        ("ncm>knn-5[n_neighbors=-1]", "'n_neighbors' parameter of CosineNeighbors"),
        ("knn-tuned[grid=3]", "grid=3 is not of the type of its default, {'n_neighbors'"),
    ],
)
def test_a_value_that_no_reading_could_be_made_with_is_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        built_parameters(DECODERS.find(name))


class Plain:
    """A decoder that says nothing of its parameters, and sets only even ones."""

    def __init__(self, count: int = 2, share: float = 0.5, name: str = "a", free: Any = None):
        self.given = {"count": count, "share": share, "name": name, "free": free}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self.given

    def set_params(self, **given: Any) -> None:
        if given.get("count", 0) % 2:
            raise ValueError("count must\nbe even")
        self.given |= given


PLAIN = DecoderSpec(name="plain", summary="plain", build=Plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [{"count": 4, "share": 1, "name": "b"}, {"free": "x"}, {"free": 0.5, "share": 0.25}]
)
def test_values_of_the_types_of_defaults_are_taken(given: dict[str, Any]) -> None:
    built: Any = with_parameters(PLAIN, tuple(given.items())).build()
    assert built.given.items() >= given.items()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("count", 2.5, "count=2.5 is not of the type of its default, 2"),
        ("count", "x", "count=x is not of the type"),
        ("share", "x", "share=x is not of the type of its default, 0.5"),
        ("share", True, "share=True is not of the type"),
        ("name", 3, "name=3 is not of the type of its default, 'a'"),
        ("count", 3, r"decoder plain\[count=3\]: count must be even"),
    ],
)
def test_values_of_other_types_are_refused(key: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_parameters(PLAIN, ((key, value),)).build()


def test_a_reading_has_them_in_its_identity(plan_digits: Any) -> None:
    plan = plan_digits(decoders=["knn-5", "knn-5[n_neighbors=20]"])
    decodings = plan.networks[0].decoders
    assert [decoding.decoder for decoding in decodings] == ["knn-5", "knn-5[n_neighbors=20]"]
    assert len({json.loads(decoding.params)["n_neighbors"] for decoding in decodings}) == 2
