"""Decoders fitted on those training points whose labels look right."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold

from memgen_bench.toolkit.decoders import Neighbors, moments_of
from memgen_plugins.decoders.base.ranges import ABOVE_ZERO, COUNT, SEVERAL
from memgen_plugins.decoders.base.triangular import times_upper
from memgen_plugins.decoders.base.wrapped import Wrapped
from memgen_plugins.decoders.layer.gaussian import tied
from memgen_plugins.decoders.layer.graph import adjacent

if TYPE_CHECKING:
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]


class _Cleaned(Wrapped):
    """A decoder fitted on kept points only; a class that would lose all its points keeps all.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.
    """

    def _fit(self, X: Any, y: Any, **needs: Any) -> Self:
        points, classes, index = self._start(X, y)
        kept = self._keep(points, index, **needs)
        lost = np.bincount(index[kept], minlength=len(classes)) == 0
        self.kept_ = kept | lost[index]
        rows = torch.from_numpy(np.flatnonzero(self.kept_)).to(points.device)
        labels = torch.from_numpy(index).to(points.device)
        self._take(clone(self.estimator).fit(points[rows], labels[rows]))
        self.classes_ = self.estimator_.classes_ = classes
        return self

    @abstractmethod
    def _keep(self, X: torch.Tensor, index: npt.NDArray[np.int64], **needs: Any) -> Flags:
        """Return which points have labels that look right; `index` is each point's class."""


class NeighborFilter(_Cleaned):
    """Keep the points whose label wins the vote of their nearest neighbours, then fit.

    Args:
        estimator: The decoder to fit on what is kept.
        n_neighbors: Number of neighbours that vote, not counting the point itself; a tie goes to
            the point's own label where that has part in it.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.

    Cost:
        2N²D FLOPs beside the decoder's own.

    References:
        Bahri, Jiang & Gupta 2020, arXiv 2004.12289 (deep k-NN), there on logits.
    """

    _parameter_constraints: ClassVar = {"n_neighbors": COUNT}

    def __init__(self, estimator: Any, n_neighbors: int = 20) -> None:
        self.estimator = estimator
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any, neighbors: Neighbors | None = None) -> Self:
        """Fit on activations X (N×D) and labels y (N); `neighbors` is a search among X."""
        return self._fit(X, y, neighbors=neighbors)

    def _keep(self, X: torch.Tensor, index: npt.NDArray[np.int64], **needs: Any) -> Flags:
        search = needs["neighbors"] or Neighbors(X)
        votes = adjacent(search, X, self.n_neighbors) @ np.eye(index.max() + 1)[index]
        kept: Flags = votes[np.arange(len(index)), index] >= votes.max(axis=1)
        return kept


class FINE(_Cleaned):
    """Keep the points that lie along the first axis of their class, then fit.

    A point scores ⟨x/‖x‖, v_y⟩² with v_y the first eigenvector of its class's uncentred second
    moment; in each class a mixture of two Gaussians parts the scores, and the points that more
    likely belong to the one with the higher mean are kept.

    Args:
        estimator: The decoder to fit on what is kept.
        random_state: Seed of the mixtures.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.

    Cost:
        2ND² + 9KD³ FLOPs beside the decoder's own.

    References:
        Kim, Ko, Cho, Choi & Yun 2021, arXiv 2102.11628.
    """

    def __init__(self, estimator: Any, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N)."""
        return self._fit(X, y)

    def _keep(self, X: torch.Tensor, index: npt.NDArray[np.int64], **needs: Any) -> Flags:
        moments, kept = moments_of(X, index), np.ones(len(X), bool)
        for k in range(len(moments.classes)):
            rows = np.flatnonzero(index == k)
            points = X[torch.from_numpy(rows).to(X.device)].double()
            lengths = torch.linalg.vector_norm(points, dim=1).clamp(min=1e-30)
            along = (points @ moments.axes(k)[1][:, 0].double()) / lengths
            kept[rows] = self._upper(along.square().cpu().numpy())
        return kept

    def _upper(self, scores: npt.NDArray[np.float64]) -> Flags:
        """Return which scores belong to the Gaussian with the higher mean."""
        if len(scores) < 2 or np.ptp(scores) < 1e-9:
            return np.ones(len(scores), bool)
        mixture = GaussianMixture(2, random_state=self.random_state, reg_covar=1e-9)
        found: Flags = mixture.fit_predict(scores[:, None]) == mixture.means_[:, 0].argmax()
        return found


class Trimmed(_Cleaned):
    """Keep the points of each class that are nearest to its mean, then fit.

    Distances are Mahalanobis ones under the mean of the classes' covariances, each shrunk by OAS:
    one concentration step towards the minimum covariance determinant, from all points.

    Args:
        estimator: The decoder to fit on what is kept.
        share: Share of each class that is kept, in (0, 1].

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.

    Cost:
        4ND² + D³/3 FLOPs beside the decoder's own.

    References:
        Rousseeuw & Van Driessen 1999; Lee, Yun, Lee, Lee & Shin 2019, arXiv 1901.11300 (RoG).
    """

    _parameter_constraints: ClassVar = {"share": ABOVE_ZERO}

    def __init__(self, estimator: Any, share: float = 0.7) -> None:
        self.estimator = estimator
        self.share = share

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N)."""
        return self._fit(X, y)

    def _keep(self, X: torch.Tensor, index: npt.NDArray[np.int64], **needs: Any) -> Flags:
        moments = moments_of(X, index)
        found = tied(moments)
        kept = np.zeros(len(X), bool)
        for k, mean in enumerate(found.means):
            rows = np.flatnonzero(index == k)
            along = found.along(X[torch.from_numpy(rows).to(X.device)]) - mean
            white = times_upper(along, found.whitening)
            nearest = white.square().sum(dim=1).argsort(stable=True).cpu().numpy()
            kept[rows[nearest[: int(np.ceil(self.share * len(rows)))]]] = True
        return kept


class ConfidentLearning(_Cleaned):
    """Keep the points that are not confidently of another class out of sample, then fit.

    For each fold a judge is fitted on all other points, and gives the probabilities of the fold's
    (the softmax of its scores). A class's threshold is the mean of its probability over the points
    that carry its label. A point is dropped where at least one class reaches its threshold and the
    likeliest of the classes that do is not the point's own.

    Args:
        estimator: The decoder to fit on what is kept.
        judge: The classifier that gives the probabilities.
        folds: Number of folds.

    Attributes:
        classes_: The classes seen, ascending.
        kept_: Whether each training point was kept, N.
        estimator_: The fitted decoder.

    Cost:
        `folds` fits of the judge beside the decoder's own.

    References:
        Northcutt, Jiang & Chuang 2021, arXiv 1911.00068: the off-diagonals of the confident joint.
        cleanlab's `find_label_issues(filter_by="confident_learning")` differs where the likeliest
        class of all does not reach its threshold: it never drops a point which has that label.
    """

    _parameter_constraints: ClassVar = {"folds": SEVERAL}

    def __init__(self, estimator: Any, judge: Any, folds: int = 5) -> None:
        self.estimator = estimator
        self.judge = judge
        self.folds = folds

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on activations X (N×D) and labels y (N)."""
        return self._fit(X, y)

    def _keep(self, X: torch.Tensor, index: npt.NDArray[np.int64], **needs: Any) -> Flags:
        counts = np.bincount(index)
        if len(counts) < 2 or counts.min() < 2:
            return np.ones(len(index), bool)
        kept: Flags = ~issues(index, self._probabilities(X, index, int(counts.min())))
        return kept

    def _probabilities(
        self, X: torch.Tensor, index: npt.NDArray[np.int64], most: int
    ) -> npt.NDArray[np.float64]:
        found = np.empty((len(index), index.max() + 1))
        folds = StratifiedKFold(min(self.folds, most)).split(index, index)
        labels = torch.from_numpy(index).to(X.device)
        for fitted, left_out in folds:
            train, test = (torch.from_numpy(rows).to(X.device) for rows in (fitted, left_out))
            judge = clone(self.judge).fit(X[train], labels[train])
            scores = judge.decision_function(X[test])
            if scores.ndim == 1:  # of two classes, the difference
                scores = np.stack([np.zeros_like(scores), scores], axis=1)
            found[left_out] = softmax(scores, axis=1)
        return found


def issues(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> Flags:
    """Return which labels are off the diagonal of the confident joint.

    Args:
        labels: Given labels 0..K-1, N.
        probabilities: Out-of-sample probabilities of each class, N×K.
    """
    own = np.arange(probabilities.shape[1])[None] == labels[:, None]
    thresholds = (probabilities * own).sum(axis=0) / own.sum(axis=0)
    confident = probabilities >= thresholds - 1e-6
    best = np.where(confident, probabilities, -1).argmax(axis=1)
    found: Flags = confident.any(axis=1) & (best != labels)
    return found
