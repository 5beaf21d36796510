"""The network's own readout at an earlier epoch, or averaged over epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator

from memgen_bench import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench import TrainingRecord


class EarlyStopped(BaseEstimator):  # type: ignore[misc] # untyped base
    """The readout of the epoch with the highest accuracy on noisy validation labels.

    Cost:
        A forward pass over the validation images after each epoch of the training, and over the
        test images after each that is better than all before it.

    References:
        Arpit et al. 2017, arXiv 1706.05394; Li, Soltanolkotabi & Oymak 2020, arXiv 1903.11680.
    """

    def recall(self, record: TrainingRecord) -> tuple[int, Sequence[int]]:
        """Return that epoch and its predictions."""
        if not record.best_validation_epoch:
            raise NotApplicable("no epoch was validated; set validation_fraction above 0")
        return record.best_validation_epoch, record.best_validation_predictions


class BestEpoch(BaseEstimator):  # type: ignore[misc] # untyped base
    """The readout of the tested epoch with the highest accuracy on test: an oracle, never ranked.

    Not every epoch is tested: see `TrainingRecord.test_accuracy`.

    Cost:
        A forward pass over the test images after each tested epoch of the training.

    References:
        Arpit et al. 2017, arXiv 1706.05394.
    """

    def recall(self, record: TrainingRecord) -> tuple[int, Sequence[int]]:
        """Return that epoch and its predictions."""
        if not record.best_test_epoch:
            raise NotApplicable("no epoch was tested")
        return record.best_test_epoch, record.best_test_predictions


class TimeAveraged(BaseEstimator):  # type: ignore[misc] # untyped base
    """The readout of the mean over epochs of the network's probabilities.

    Each tested epoch stands for itself and those since the one before it that was tested. It needs
    no validation labels, and is a reference, never ranked.

    Cost:
        A forward pass over the test images after each tested epoch of the training.

    References:
        Laine & Aila 2017, arXiv 1610.02242 (temporal ensembling), with all epochs alike; for noisy
        labels Nguyen et al. 2020, arXiv 1910.01842.
    """

    def recall(self, record: TrainingRecord) -> tuple[int, Sequence[int]]:
        """Return the last epoch and the predictions of the mean until then."""
        if not record.averaged_predictions:
            raise NotApplicable("the mean over epochs was not kept; train again (--fresh)")
        return len(record.loss), record.averaged_predictions
