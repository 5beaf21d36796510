"""What a page says of a decoder is what its plugin says."""

from __future__ import annotations

from memgen_leaderboard.page.decoders import about


def test_a_decoder_is_described_by_its_specification_and_docstring() -> None:
    found = {
        name: dict(terms)
        for name, terms in about(["masc", "best-epoch", "nobody", "ncm|pixels"]).items()
    }
    assert found.keys() == {"masc", "best-epoch", "ncm|pixels"}
    masc = found["masc"]
    assert masc["method"].startswith("minimum angle subspace classifier")
    assert "2501.14687" in masc["source"]
    assert masc["reads"] == "one layer at a time"
    assert masc["sees"] == "activations, given labels"
    assert "FLOPs" in masc["cost"]
    assert "not ranked" in found["best-epoch"]["sees"]
