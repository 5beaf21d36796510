"""Decoders for noisy labels: tuned on noisy validation, debiased, cleaning, or composed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memgen_bench import compose
from memgen_plugins.decoders.catalogue.offering import decoder, estimator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from functools import partial

    from memgen_bench import DecoderSpec

_FRIEDMAN = "Friedman 1989"
_FISHER = "Fisher 1936; Belhumeur, Hespanha & Kriegman 1997"
_WHITENED = "Fukunaga & Koontz 1970; Ketha & Ramaswamy 2025, arXiv 2501.14687"
_DEBIASED = "in the spirit of Natarajan et al. 2013 and van Rooyen & Williamson 2018"
_CORRECTED = "Patrini et al. 2017, arXiv 1609.03683"
_ROG = "Lee et al. 2019, arXiv 1901.11300"

_RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
_SHRINKAGES = (0.1, 0.3, 0.5, 0.7, 0.9)
_PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2)
_ON_VALIDATION = "chosen on noisy validation"


def robust_decoders(plain: Iterable[DecoderSpec]) -> list[DecoderSpec]:
    """Return the specifications of decoders for noisy labels; some are composed of `plain` ones."""
    gaussian, graph, selecting = _gaussian(), _graph_and_cleaning(), _selecting()
    by_name = {spec.name: spec for spec in [*plain, *gaussian, *graph, *selecting]}
    quick = compose("lda-shrunk>knn-50", [by_name["lda-shrunk"], by_name["knn-50"]])
    slow = ("lda-shrunk>qda-shrunk", "knn-50>rda-50", "spreading>rda-50")
    return [
        *gaussian,
        *_debiased(),
        *_tuned(),
        quick,
        *(
            replace(compose(name, [by_name[part] for part in name.split(">")]), slow=True)
            for name in slow
        ),
        *graph,
        *selecting,
        replace(compose("aum>lda-shrunk", [by_name["aum"], by_name["lda-shrunk"]]), slow=True),
        compose("early-loss>lda-shrunk", [by_name["early-loss"], by_name["lda-shrunk"]]),
        *_corrected(),
    ]


def _around(build: partial[Any], **grid: Any) -> partial[Any]:
    return estimator("robust.tuned:Tuned", estimator=build, grid=grid)


def _gaussian() -> list[DecoderSpec]:
    rda = estimator("layer.gaussian:RDA")
    masc = estimator("layer.whitened:WhitenedMASC")
    subspace = "in the Fisher subspace (at most K − 1 axes)"
    return [
        decoder("rda-50", rda, "regularised discriminant analysis, both weights 0.5", _FRIEDMAN),
        decoder(
            "rda",
            _around(rda, pooling=(0.0, 0.5, 1.0), shrinkage=_SHRINKAGES),
            f"regularised discriminant analysis, both weights {_ON_VALIDATION}",
            _FRIEDMAN,
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "mahalanobis",
            estimator("layer.gaussian:Mahalanobis"),
            "nearest class mean by Mahalanobis distance (the relative one decides the same)",
            "Lee et al. 2018, arXiv 1807.03888; Ren et al. 2021, arXiv 2106.09022",
        ),
        decoder(
            "masc-white",
            masc,
            "MASC after whitening all points, 2 axes for each class",
            _WHITENED,
            slow=True,
        ),
        decoder(
            "masc-white-tuned",
            _around(masc, n_components=(1, 2, 4, 8), shrinkage=(0.01, 0.1, 0.5)),
            f"MASC after whitening all points, axes and shrinkage {_ON_VALIDATION}",
            _WHITENED,
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "fisher-ncm",
            estimator(
                "layer.fisher:FisherSubspace", estimator=estimator("layer.centroid:CosineCentroid")
            ),
            f"nearest class mean by cosine {subspace}",
            _FISHER,
        ),
        decoder(
            "fisher-knn-50",
            estimator(
                "layer.fisher:FisherSubspace",
                estimator=estimator("layer.neighbors:CosineNeighbors", n_neighbors=50),
            ),
            f"majority of the 50 nearest neighbours by cosine {subspace}",
            _FISHER,
            version=2,
        ),
    ]


def _debiased() -> list[DecoderSpec]:
    inside = {
        "lda": estimator("layer.gaussian:RDA", pooling=1.0, shrinkage=0.3),
        "qda": estimator("layer.gaussian:RDA", pooling=0.5, shrinkage=0.5),
        "ncm": estimator("layer.centroid:CosineCentroid"),
    }
    found = []
    for name, build in inside.items():
        wrapped = estimator("robust.debiased:Debiased", estimator=build, shrunk=name != "ncm")
        found += [
            decoder(
                f"{name}-debiased",
                _around(wrapped, rate=_RATES),
                f"{name.upper()} from moments without the noise, its rate {_ON_VALIDATION}",
                _DEBIASED,
                needs=("validation",),
                version=2,
                slow=name != "ncm",
            ),
            decoder(
                f"{name}-told",
                wrapped,
                f"{name.upper()} from moments without the noise, which it is told",
                _DEBIASED,
                needs=("transition",),
                version=2,
                slow=name != "ncm",
            ),
        ]
    return found


def _tuned() -> list[DecoderSpec]:
    logreg, svm = estimator("layer.linear:LogisticRegression"), estimator("layer.linear:LinearSVM")
    return [
        decoder(
            "knn-tuned",
            _around(
                estimator("layer.neighbors:CosineNeighbors"), n_neighbors=(5, 10, 20, 50, 100, 200)
            ),
            f"majority of the k nearest neighbours by cosine, k {_ON_VALIDATION}",
            "Cover & Hart 1967",
            needs=("validation", "neighbors"),
            version=2,
            slow=True,
        ),
        decoder(
            "masc-tuned",
            _around(estimator("layer.subspace:MASC"), variance=(0.25, 0.5, 0.75, 0.9, 0.99)),
            f"minimum angle subspace classifier, share of the variance {_ON_VALIDATION}",
            "Ketha & Ramaswamy 2025, arXiv 2501.14687",
            needs=("validation",),
        ),
        decoder(
            "ridge-tuned",
            _around(estimator("layer.linear:Ridge"), alpha=(1.0, 10.0, 100.0, 1000.0, 10000.0)),
            f"least squares on one-hot labels, alpha {_ON_VALIDATION}",
            "Hoerl & Kennard 1970",
            needs=("validation",),
        ),
        decoder(
            "logreg-tuned",
            _around(logreg, C=_PENALTIES),
            f"logistic regression (linear probe), C {_ON_VALIDATION}",
            "Alain & Bengio 2016, arXiv 1610.01644",
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "logreg-gce",
            _around(
                estimator("robust.bounded:GeneralizedLogisticRegression"),
                C=(1e-4, 1e-3, 1e-2, 1e-1),
            ),
            f"logistic regression on the generalised cross entropy, C {_ON_VALIDATION}",
            "Zhang & Sabuncu 2018, arXiv 1805.07836",
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "logreg-cores",
            _around(
                estimator("robust.bounded:ConfidentLogisticRegression"),
                beta=(0.5, 1.0, 2.0),
                C=(1e-4, 1e-3, 1e-2),
            ),
            f"logistic regression that rewards confidence, C and reward {_ON_VALIDATION}",
            "Cheng et al. 2021, arXiv 2010.02347; Liu & Guo 2020, arXiv 1910.03231",
            needs=("validation",),
            slow=True,
        ),
        decoder(
            "linear-svm-tuned",
            _around(svm, C=_PENALTIES),
            f"linear support vector machine, one against the rest, C {_ON_VALIDATION}",
            "Cortes & Vapnik 1995",
            needs=("validation",),
            slow=True,
        ),
    ]


def _graph_and_cleaning() -> list[DecoderSpec]:
    lda, spreading = estimator("layer.gaussian:ShrunkLDA"), estimator("layer.graph:LabelSpreading")
    graph = "labels spread over the graph of nearest neighbours"
    zhou = "Zhou et al. 2003"
    return [
        decoder(
            "spreading",
            spreading,
            f"{graph}, 10 of each",
            zhou,
            needs=("neighbors",),
            version=2,
            slow=True,
        ),
        decoder(
            "spreading-tuned",
            _around(spreading, n_neighbors=(10, 30), alpha=(0.5, 0.9, 0.99)),
            f"{graph}, how many and how far {_ON_VALIDATION}",
            zhou,
            needs=("validation", "neighbors"),
            version=2,
            slow=True,
        ),
        decoder(
            "knn-filter-lda",
            estimator("robust.cleaning:NeighborFilter", estimator=lda),
            "shrunk LDA on the points whose 20 nearest neighbours vote for their label",
            "Bahri, Jiang & Gupta 2020, arXiv 2004.12289",
            needs=("neighbors",),
            version=2,
            slow=True,
        ),
        decoder(
            "fine-lda",
            estimator("robust.cleaning:FINE", estimator=lda),
            "shrunk LDA on the points that lie along their class's first axis",
            "Kim et al. 2021, arXiv 2102.11628",
            slow=True,
        ),
        decoder(
            "confident-lda",
            estimator(
                "robust.cleaning:ConfidentLearning",
                estimator=lda,
                judge=estimator("layer.linear:LogisticRegression"),
            ),
            "shrunk LDA on the points that are not confidently of another class out of sample",
            "Northcutt, Jiang & Chuang 2021, arXiv 1911.00068",
            slow=True,
            stochastic=True,  # the folds follow the order of the points
        ),
        decoder(
            "lda-iterated",
            estimator("robust.iterated:Iterated", estimator=lda),
            f"shrunk LDA fitted on its own labels again and again, how often {_ON_VALIDATION}",
            "Yarowsky 1995; Tanaka et al. 2018, arXiv 1803.11364",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "ridge-iterated",
            estimator("robust.iterated_ridge:IteratedRidge"),
            f"ridge fitted on its own leave-one-out labels again and again {_ON_VALIDATION}",
            "Allen 1974; Yarowsky 1995; Tanaka et al. 2018, arXiv 1803.11364",
            needs=("validation",),
            version=2,
            slow=True,
        ),
        decoder(
            "lda-weighed",
            estimator("robust.weighed:Weighed", estimator=lda),
            "shrunk LDA on held-out points, and training points by how little these memorized",
            "this package",
            needs=("held_out",),
            slow=True,
        ),
        decoder(
            "trimmed-lda",
            estimator("robust.cleaning:Trimmed", estimator=lda),
            "shrunk LDA on the 70 % of each class that are nearest to its mean",
            f"Rousseeuw & Van Driessen 1999; {_ROG}",
        ),
    ]


def _selecting() -> list[DecoderSpec]:
    ncm = estimator("layer.centroid:CosineCentroid")
    return [
        decoder(
            "aum",
            estimator("robust.selected:AreaUnderMargin", estimator=ncm),
            f"ncm on the points of each class with the largest margins, share {_ON_VALIDATION}",
            "Pleiss et al. 2020, arXiv 2001.10528",
            needs=("trajectory", "validation"),
            selects=True,
        ),
        decoder(
            "early-loss",
            estimator("robust.selected:EarlyLoss", estimator=ncm),
            "ncm on the points whose early losses are of the lower of two Gaussians",
            "Arazo et al. 2019, arXiv 1904.11238; Li et al. 2020, arXiv 2002.07394",
            needs=("trajectory",),
            selects=True,
        ),
    ]


def _corrected() -> list[DecoderSpec]:
    found = []
    for name in ("forward", "backward"):
        place = f"robust.corrected:{name.title()}LogisticRegression"
        found += [
            decoder(
                f"logreg-{name}",
                _around(estimator(place), rate=(0.2, 0.4, 0.6, 0.8), C=(1e-3, 1e-2)),
                f"logistic regression with {name} correction, C and rate {_ON_VALIDATION}",
                _CORRECTED,
                needs=("validation",),
                slow=True,
            ),
            decoder(
                f"logreg-{name}-told",
                estimator(place, C=1e-2),
                f"logistic regression with {name} correction for the noise it is told",
                _CORRECTED,
                needs=("transition",),
                slow=True,
            ),
        ]
    revised = estimator("robust.corrected:RevisedLogisticRegression")
    return [
        *found,
        decoder(
            "logreg-revision",
            _around(revised, rate=(0.2, 0.4, 0.6, 0.8), C=(1e-3, 1e-2)),
            f"logreg-forward with slack in the noise that it assumes, C and rate {_ON_VALIDATION}",
            "Xia et al. 2019, arXiv 1906.00189",
            needs=("validation",),
            slow=True,
        ),
    ]
