"""Gaussian decoders: scikit-learn's discriminant analyses, plain and shrunk."""

from __future__ import annotations

from typing import Any

from memgen_bench import DecoderSpec, hookimpl


def _build_lda() -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis()


def _build_lda_shrunk() -> Any:
    from sklearn.covariance import OAS
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS())


def _build_qda_shrunk() -> Any:
    from sklearn.covariance import OAS
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    # A shrunk covariance has full rank; the default tol is absolute, and so refuses small features.
    return QuadraticDiscriminantAnalysis(solver="eigen", covariance_estimator=OAS(), tol=0.0)


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer LDA, and LDA and QDA with shrunk covariances."""
    shrunk = "covariances shrunk per class by OAS (Chen et al. 2010)"
    return [
        DecoderSpec(
            name="lda",
            summary="linear discriminant analysis, not regularised",
            citation="Fisher 1936",
            build=_build_lda,
        ),
        DecoderSpec(
            name="lda-shrunk",
            summary=f"linear discriminant analysis, {shrunk}",
            citation="Friedman 1989; Chen, Wiesel, Eldar & Hero 2010",
            build=_build_lda_shrunk,
        ),
        DecoderSpec(
            name="qda-shrunk",
            summary=f"quadratic discriminant analysis, {shrunk}",
            citation="Friedman 1989; Chen, Wiesel, Eldar & Hero 2010",
            build=_build_qda_shrunk,
        ),
    ]
