"""Linear decoders on standardised activations (scikit-learn's)."""

from __future__ import annotations

from typing import Any

from memgen_bench import DecoderSpec, hookimpl


def _standardised(classifier: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier)


def _build_logreg() -> Any:
    from sklearn.linear_model import LogisticRegression

    return _standardised(LogisticRegression(C=1e-3, max_iter=1000))


def _build_linear_svm() -> Any:
    from sklearn.svm import LinearSVC

    return _standardised(LinearSVC(C=1e-3, max_iter=10_000))


def _build_ridge() -> Any:
    from sklearn.linear_model import RidgeClassifier

    return _standardised(RidgeClassifier(alpha=1.0))


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer logistic regression, a linear support vector machine and ridge regression."""
    return [
        DecoderSpec(
            name="logreg",
            summary="logistic regression (linear probe), C = 0.001",
            citation="Alain & Bengio 2016, arXiv 1610.01644",
            build=_build_logreg,
        ),
        DecoderSpec(
            name="linear-svm",
            summary="linear support vector machine, one against the rest, C = 0.001",
            citation="Cortes & Vapnik 1995",
            build=_build_linear_svm,
        ),
        DecoderSpec(
            name="ridge",
            summary="least squares on one-hot labels, alpha = 1",
            citation="Hoerl & Kennard 1970",
            build=_build_ridge,
        ),
    ]
