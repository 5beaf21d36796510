"""The plain decoders of one layer by name, and the hook that offers all decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_bench import DecoderSpec, hookimpl
from memgen_plugins.decoders.catalogue.network import network_decoders
from memgen_plugins.decoders.catalogue.offering import decoder, estimator
from memgen_plugins.decoders.catalogue.robust import robust_decoders

if TYPE_CHECKING:
    from memgen_bench import Need

_MASC = (
    "Ketha & Ramaswamy 2025, arXiv 2501.14687; the same decision as CLAFIC: Watanabe, Lambert, "
    "Kulikowski, Buxton & Walker 1967"
)
_SHRUNK = "covariances shrunk per class by OAS (Chen et al. 2010)"
_SHRINKAGE = "Friedman 1989; Chen, Wiesel, Eldar & Hero 2010"
_MEANS = "Rocchio 1971; Mensink et al. 2013"


def _spec(
    name: str,
    place: str,
    summary: str,
    citation: str,
    *,
    needs: tuple[Need, ...] = (),
    version: int = 3,
    slow: bool = False,
    **parameters: Any,
) -> DecoderSpec:
    build = estimator(place, **parameters)
    return decoder(name, build, summary, citation, needs=needs, version=version, slow=slow)


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer subspace, class-mean, Gaussian, linear and neighbour decoders, plain and robust."""
    of_layers = [*_plain(), *robust_decoders(_plain())]
    return [*of_layers, *network_decoders(of_layers)]


def _plain() -> list[DecoderSpec]:
    masc = "minimum angle subspace classifier"
    return [
        _spec("masc", "layer.subspace:MASC", f"{masc}, 99 % of the variance (the paper's)", _MASC),
        _spec(
            "masc-75", "layer.subspace:MASC", f"{masc}, 75 % of the variance", _MASC, variance=0.75
        ),
        _spec(
            "velpic",
            "layer.subspace:VeLPIC",
            "first principal vector of each class",
            "Ketha & Ramaswamy 2026, arXiv 2603.19865",
        ),
        _spec("ncm", "layer.centroid:CosineCentroid", "nearest class mean by cosine", _MEANS),
        _spec(
            "ncm-euclidean",
            "layer.centroid:EuclideanCentroid",
            "nearest class mean by Euclidean distance",
            _MEANS,
        ),
        _spec(
            "lda",
            "layer.gaussian:LDA",
            "linear discriminant analysis, not regularised",
            "Fisher 1936",
        ),
        _spec(
            "lda-shrunk",
            "layer.gaussian:ShrunkLDA",
            f"linear discriminant analysis, {_SHRUNK}",
            _SHRINKAGE,
        ),
        _spec(
            "qda-shrunk",
            "layer.gaussian:ShrunkQDA",
            f"quadratic discriminant analysis, {_SHRUNK}",
            _SHRINKAGE,
        ),
        _spec(
            "logreg",
            "layer.linear:LogisticRegression",
            "logistic regression (linear probe), C = 0.001",
            "Alain & Bengio 2016, arXiv 1610.01644",
            slow=True,
        ),
        _spec(
            "linear-svm",
            "layer.linear:LinearSVM",
            "linear support vector machine, one against the rest, C = 0.001",
            "Cortes & Vapnik 1995",
            slow=True,
        ),
        _spec(
            "ridge",
            "layer.linear:Ridge",
            "least squares on one-hot labels, alpha = 1",
            "Hoerl & Kennard 1970",
        ),
        *(
            _spec(
                f"knn-{k}",
                "layer.neighbors:CosineNeighbors",
                f"majority of the {k} nearest neighbours by cosine",
                "Cover & Hart 1967",
                needs=("neighbors",),
                version=4,
                n_neighbors=k,
            )
            for k in (5, 50)
        ),
        _spec(
            "wann",
            "layer.neighbors:ReliableNeighbors",
            "vote of 11 to 51 nearest neighbours by cosine, weighed by their labels' reliability",
            "Di Salvo et al. 2025, arXiv 2408.14358",
            needs=("neighbors",),
            version=1,
            slow=True,
        ),
        _spec(
            "nnk",
            "layer.nnk:KernelNeighbors",
            "vote of the neighbours that reconstruct a point, weighed by their labels' reliability",
            "Shekkizhar & Ortega 2020, arXiv 1910.09383; Bozkurt & Ortega 2025, arXiv 2508.00202",
            needs=("neighbors",),
            version=1,
            slow=True,
        ),
    ]
