"""The record of a training, which decoders of scope `training` read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from memgen_bench.protocol import MEMORIZED


@dataclass(kw_only=True)
class TrainingRecord:
    """The record of a network's training, epoch by epoch, and its certificate.

    Attributes:
        loss: Mean loss of each epoch.
        train_accuracy: Running train accuracy on the given labels.
        validation_accuracy: Accuracy on noisy validation labels; empty without validation.
        test_accuracy: Accuracy on true test labels; None for an epoch that was not tested. Tested
            are the first epoch, the last, each that is better on noisy validation than all before
            it, and a geometric grid.
        best_validation_epoch: First epoch (from 1) that is best on noisy validation; 0: none.
        best_test_epoch: First of the tested epochs that is best on test (an oracle).
        best_validation_predictions: Test predictions after `best_validation_epoch`.
        best_test_predictions: Test predictions after `best_test_epoch`.
        averaged_predictions: Test predictions of the mean of the probabilities after the tested
            epochs, each weighed by the epochs since the one before; none where that mean is not
            known, as of a training that an earlier version began.
        stop_reason: `target` or `max_epochs`.
        seconds: Wall time of all epochs, evaluations included.
        accuracy_given: Eval-mode accuracy on the given labels.
        accuracy_wrong: The same on wrongly labelled images alone; None if there are none.
    """

    loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float | None] = field(default_factory=list)
    best_validation_epoch: int = 0
    best_test_epoch: int = 0
    best_validation_predictions: list[int] = field(default_factory=list)
    best_test_predictions: list[int] = field(default_factory=list)
    averaged_predictions: list[int] = field(default_factory=list)
    stop_reason: str = ""
    seconds: float = 0.0
    accuracy_given: float = 0.0
    accuracy_wrong: float | None = None

    @property
    def memorized(self) -> bool:
        """Whether the network memorized its labels, the wrong ones too, whatever stopped it."""
        wrong = self.accuracy_wrong is None or self.accuracy_wrong >= MEMORIZED
        return wrong and self.accuracy_given >= MEMORIZED

    def tested(self) -> dict[int, float]:
        """Return test accuracy by epoch (from 1), of the epochs that were tested."""
        curve = enumerate(self.test_accuracy, start=1)
        return {epoch: accuracy for epoch, accuracy in curve if accuracy is not None}

    def without_test(self) -> TrainingRecord:
        """Return the record without the fields that depend on test labels."""
        return replace(self, test_accuracy=[], best_test_epoch=0, best_test_predictions=[])
