"""Gaussian decoders: linear and quadratic discriminant analysis from class moments."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import torch
from torch.linalg import solve_triangular

from memgen_bench import NotApplicable
from memgen_bench.toolkit.decoders import as_tensor, eigh64
from memgen_plugins.decoders.base.argmax import LinearScores, MomentClassifier, not_zero
from memgen_plugins.decoders.base.ranges import FRACTION, NOT_NEGATIVE
from memgen_plugins.decoders.base.triangular import times_upper, upper_factor, whitened

if TYPE_CHECKING:
    from collections.abc import Callable

    from memgen_bench.toolkit.decoders import Moments

# So many points are whitened at once: the products stay in the processor's cache.
_ROWS = 512


def _log_priors(moments: Moments) -> torch.Tensor:
    return torch.log(moments.counts.double() / moments.counts.sum())


def oas_shrinkage(covariance: torch.Tensor, count: int, dim: int | None = None) -> float:
    """Return the OAS shrinkage of n points' covariance towards a multiple of the identity.

    Args:
        covariance: D×D, or R×R where the points vary in R dimensions only.
        count: n.
        dim: D, if it is not that of the matrix.

    References:
        Oracle approximating shrinkage: Chen, Wiesel, Eldar & Hero 2010, arXiv 0907.4698, eq. 23
        without its factor 2/D, as in scikit-learn.
    """
    dim = dim or len(covariance)
    if dim == 1:
        return 0.0
    squares = float(torch.linalg.vector_norm(covariance)) ** 2 / dim**2
    level = float(covariance.trace() / dim) ** 2
    spread = (count + 1) * (squares - level / dim)
    # Up to rounding, `spread` is 0 where all directions vary alike.
    return 1.0 if spread <= 0 else min((squares + level) / spread, 1.0)


def shrunk_by_oas(covariance: torch.Tensor, count: int) -> torch.Tensor:
    """Return the covariance of n points, shrunk by OAS, D×D."""
    shrinkage = oas_shrinkage(covariance, count)
    level = covariance.trace() / len(covariance)
    covariance = covariance * (1 - shrinkage)
    covariance.diagonal().add_(shrinkage * level)
    return covariance


class LDA(LinearScores, MomentClassifier):
    """Linear discriminant analysis without regularisation.

    Features are scaled by their standard deviation within classes; directions whose standard
    deviation within classes is then below `tol` are left out, as in scikit-learn's `svd` solver,
    which computes the same from the points.

    Args:
        tol: Smallest standard deviation of a direction that is used.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64.
        intercept_: K, float64.

    Cost:
        Fit 2ND² + 9D³ FLOPs, predict 2MDK.

    References:
        Fisher 1936; scikit-learn's `LinearDiscriminantAnalysis`.
    """

    _parameter_constraints: ClassVar = {"tol": NOT_NEGATIVE}

    def __init__(self, tol: float = 1e-4) -> None:
        self.tol = tol

    def _fit(self, moments: Moments) -> None:
        count, mean = moments.counts.sum(), moments.mean()
        whitening = _whitening_of_few(moments, self.tol) or _whitening(moments, self.tol)
        shift = moments.means - mean
        white = whitening.white(shift)
        between = (moments.counts / max(len(shift) - 1, 1)).sqrt()[:, None] * white
        if not between.shape[1]:
            raise NotApplicable(f"no class varies in any direction; n_samples = {int(count)}")
        _, sizes, directions = torch.linalg.svd(between, full_matrices=False)
        directions = directions[sizes > self.tol * sizes.max()]
        axes = whitening.back(directions.T)
        projected = shift @ axes
        coef = projected @ axes.T
        offset = -projected.square().sum(dim=1) / 2 + _log_priors(moments)
        self._set(coef, offset - coef @ mean)


class _Whitening(NamedTuple):
    """A matrix W (D×R) that whitens points within classes, as the products with it.

    Attributes:
        white: Returns V W of rows V, P×D.
        back: Returns W V of columns V, R×P.
    """

    white: Callable[[torch.Tensor], torch.Tensor]
    back: Callable[[torch.Tensor], torch.Tensor]


def _scales(variance: torch.Tensor, moments: Moments) -> torch.Tensor:
    """Return the standard deviation of each feature within classes, 1 where there is none."""
    return not_zero(variance.clamp(min=0).sqrt(), moments.means.abs().amax(dim=0))


def _whitening(moments: Moments, tol: float) -> _Whitening:
    """Return the whitening of what varies by more than `tol` after features are scaled.

    Where that is all that varies at all, as a Cholesky factorisation tells, any root will do.
    """
    within = moments.within() / moments.counts.sum()
    scale = _scales(within.diagonal(), moments)
    within = within / torch.outer(scale, scale)
    alive = torch.nonzero(within.diagonal() > 0)[:, 0]
    if len(alive) and (factor := _factor(within[alive][:, alive], tol)) is not None:
        return _of_factor(factor, alive, scale)
    values, vectors = eigh64(within)
    used = values > tol**2
    whole = vectors[:, used] / scale[:, None] / values[used].sqrt()
    return _Whitening(lambda rows: rows @ whole, lambda columns: whole @ columns)


def _factor(matrix: torch.Tensor, tol: float) -> torch.Tensor | None:
    """Return the factor U of a matrix, UᵀU, or None where not all eigenvalues are above tol²."""
    below = matrix.clone()
    below.diagonal().sub_(tol**2)
    return None if upper_factor(below) is None else upper_factor(matrix)


def _of_factor(factor: torch.Tensor, alive: torch.Tensor, scale: torch.Tensor) -> _Whitening:
    """Return the whitening by the factor of the features that vary."""

    def white(rows: torch.Tensor) -> torch.Tensor:
        scaled = rows[:, alive] / scale[alive]
        found: torch.Tensor = solve_triangular(factor, scaled, upper=True, left=False)
        return found

    def back(columns: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(scale), columns.shape[1]).to(columns)
        found[alive] = solve_triangular(factor, columns, upper=True) / scale[alive, None]
        return found

    return _Whitening(white, back)


def _whitening_of_few(moments: Moments, tol: float) -> _Whitening | None:
    """Return the same whitening from the products of points that are few for their width."""
    if (few := moments.few_points()) is None:
        return None
    points, classes = few
    shifted = points - moments.means[classes]
    scale = _scales(shifted.square().sum(dim=0) / len(points), moments)
    scaled = shifted / scale / math.sqrt(len(points))
    values, vectors = eigh64(scaled @ scaled.T)
    used = values > tol**2
    inner = vectors[:, used] / values[used]
    return _Whitening(
        lambda rows: ((rows / scale) @ scaled.T) @ inner,
        lambda columns: (scaled.T @ (inner @ columns)) / scale[:, None],
    )


class ShrunkLDA(LinearScores, MomentClassifier):
    """Linear discriminant analysis on the mean of the classes' shrunk covariances.

    Each class's covariance is shrunk by OAS; they are averaged with the classes' shares.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64.
        intercept_: K, float64.

    Cost:
        Fit 2ND² + D³/3 FLOPs, predict 2MDK.

    References:
        Friedman 1989; Chen, Wiesel, Eldar & Hero 2010. scikit-learn's `eigen` solver with
        `covariance_estimator=OAS()` decides the same.
    """

    def _fit(self, moments: Moments) -> None:
        self._set(*_tied_scores(moments, _log_priors(moments)))


class Mahalanobis(LinearScores, MomentClassifier):
    """Nearest class mean by the Mahalanobis distance under one shared covariance.

    That covariance is the mean of the classes' covariances, each shrunk by OAS: `ShrunkLDA` with
    equal priors. The *relative* Mahalanobis distance subtracts the distance to the mean of all
    points, which is the same for every class: it decides the same, and differs only as a score of
    outliers.

    Attributes:
        classes_: The classes seen, ascending.
        coef_: K×D, float64.
        intercept_: K, float64.

    Cost:
        Fit 2ND² + D³/3 FLOPs, predict 2MDK.

    References:
        Lee, Lee, Lee & Shin 2018, arXiv 1807.03888; relative: Ren et al. 2021, arXiv 2106.09022.
    """

    def _fit(self, moments: Moments) -> None:
        self._set(*_tied_scores(moments, torch.zeros_like(moments.means[:, 0])))


class Tied(NamedTuple):
    """The whitening by the mean of the classes' covariances, each shrunk by OAS.

    Attributes:
        mean: The mean m of all points, D.
        basis: An orthonormal basis B of what the points span about it, D×R; None for B = 1.
        means: Means of the classes along it, Bᵀ(m_k − m), K×R.
        whitening: W with Wᵀ C W = 1 for that covariance C along the basis, upper triangular, R×R.
    """

    mean: torch.Tensor
    basis: torch.Tensor | None
    means: torch.Tensor
    whitening: torch.Tensor

    def along(self, points: torch.Tensor) -> torch.Tensor:
        """Return Bᵀ(x − m) of points x in float64, N×R, as a copy."""
        shifted = points.double() - self.mean
        return shifted if self.basis is None else shifted @ self.basis

    def back(self, directions: torch.Tensor) -> torch.Tensor:
        """Return directions along the basis (columns, R×P) in the space of the points, D×P."""
        return directions if self.basis is None else self.basis @ directions


def tied(moments: Moments) -> Tied:
    """Return the whitening by the mean of the classes' shrunk covariances.

    Raises:
        NotApplicable: No class varies.
    """
    return moments.shared("tied covariance", partial(_tied_covariance, moments))


def _tied_covariance(moments: Moments) -> Tied:
    dim, mean, basis = moments.dim, moments.mean(), None
    shift = mean
    if (found := moments.along_span()) is not None:
        mean, basis, moments = found
        shift = torch.zeros_like(moments.means[0])
    shares, level = moments.counts.double() / moments.counts.sum(), 0.0
    pooled = torch.zeros(moments.dim, moments.dim, dtype=torch.float64, device=mean.device)
    for k, share in enumerate(shares.tolist()):
        covariance = moments.covariance(k)
        shrinkage = oas_shrinkage(covariance, int(moments.counts[k]), dim)
        pooled.add_(covariance, alpha=share * (1 - shrinkage))
        level += share * shrinkage * float(covariance.trace()) / dim
    pooled.diagonal().add_(level)
    if (parts := whitened(pooled)) is None:
        raise NotApplicable(f"no class varies; n_samples = {int(moments.counts.sum())}")
    return Tied(mean, basis, moments.means - shift, parts[0])


def _tied_scores(moments: Moments, log_priors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return coefficients and intercepts of Gaussians with one covariance."""

    def scores() -> tuple[torch.Tensor, torch.Tensor]:
        found = tied(moments)
        white = found.means @ found.whitening
        coef = found.back(found.whitening @ white.T).T
        return coef, -white.square().sum(dim=1) / 2 - coef @ found.mean

    coef, intercept = moments.shared("tied scores", scores)
    return coef, intercept + log_priors


class _Quadratic(MomentClassifier):
    """Quadratic discriminant analysis; subclasses choose the covariance of each class.

    Where points are few for their width, all classes vary alike, c_k, in the directions that no
    point reaches: there it takes only the length of what a point has along them.

    Attributes:
        classes_: The classes seen, ascending.
        span_: The mean m of all points and an orthonormal basis B of what they span (D×R), R < D;
            None where points are used as they are, for then B = 1 and m = 0.
        means_: Means of Bᵀ(x − m), K×R, float64.
        whitenings_: W_k of each class with W_kᵀ C_k W_k = 1, upper triangular, R×R, float32.
        floors_: c_k, K, float64.
        offsets_: −log √|C_k| + log(n_k / N), K, float64.
    """

    @abstractmethod
    def _shrinkage(self, covariance: torch.Tensor, count: int, dim: int) -> float:
        """Return the shrinkage of a class's covariance towards the multiple of the identity."""

    def _covariance(self, moments: Moments, k: int) -> torch.Tensor:
        """Return the covariance of the k-th class before it is shrunk; it may be written to."""
        return moments.covariance(k)

    def _fit(self, moments: Moments) -> None:
        priors, dim, self.span_ = _log_priors(moments), moments.dim, None
        if (found := moments.along_span()) is not None:
            mean, basis, moments = found
            self.span_ = mean.cpu().numpy(), basis.float().cpu().numpy()
        self.means_ = moments.means.cpu().numpy()
        self.whitenings_, floors, offsets = [], [], []
        for k, label in enumerate(moments.classes):
            count, covariance = int(moments.counts[k]), self._covariance(moments, k)
            shrinkage = self._shrinkage(covariance, count, dim)
            floors.append(shrinkage * float(covariance.trace()) / dim)
            covariance.mul_(1 - shrinkage).diagonal().add_(floors[-1])
            beyond = dim - len(covariance)
            parts = whitened(covariance)
            if parts is None or (beyond and floors[-1] <= 0):
                raise NotApplicable(f"class {label} does not vary; n_samples = {count}")
            whitening, log_root = parts
            self.whitenings_.append(moments.scratch.hold(whitening.float().cpu().numpy()))
            log_root += beyond * math.log(floors[-1]) / 2 if beyond else 0.0
            offsets.append(float(priors[k]) - log_root)
        self.floors_, self.offsets_ = np.array(floors), np.array(offsets)

    def _scores(self, X: torch.Tensor) -> torch.Tensor:
        X, beyond = self._along_span(X)
        scores = torch.empty(len(X), len(self.means_), dtype=torch.float64, device=X.device)
        for k, (mean, whitening) in enumerate(zip(self.means_, self.whitenings_, strict=True)):
            centre, upper = as_tensor(mean).to(X), as_tensor(whitening).to(X)
            found = [
                times_upper(rows - centre, upper).square_().sum(dim=1)
                for rows in torch.split(X, _ROWS)
            ]
            squares = torch.cat(found).double()
            if beyond is not None:
                squares += beyond / float(self.floors_[k])
            scores[:, k] = float(self.offsets_[k]) - squares / 2
        return scores

    def _along_span(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return points along the span, and the squared length of what they have beyond it."""
        if self.span_ is None:
            return X, None
        mean, basis = (as_tensor(part).to(X) for part in self.span_)
        shifted = X - mean
        along = shifted @ basis
        return along, (shifted - along @ basis.T).square().sum(dim=1).double()


class ShrunkQDA(_Quadratic):
    """Quadratic discriminant analysis with the covariance of each class shrunk by OAS.

    Attributes:
        classes_: The classes seen, ascending.
        span_: What few points span: their mean and a basis (D×R); None where they span more.
        means_: The means along the span, K×R, float64.
        whitenings_: W_k of each class with W_kᵀ C_k W_k = 1, upper triangular, R×R, float32.
        floors_: The variance of each class beyond the span, K, float64.
        offsets_: −log √|C_k| + log(n_k / N), K, float64.

    Cost:
        Fit ND² + 2KD³/3 FLOPs, predict MKD²; with N ≤ 3D/4 points fit 2DN² + 2KN³/3, predict
        4MDN + MKN².

    References:
        Friedman 1989; Chen, Wiesel, Eldar & Hero 2010. scikit-learn's `eigen` solver with
        `covariance_estimator=OAS()` decides the same.
    """

    def _shrinkage(self, covariance: torch.Tensor, count: int, dim: int) -> float:
        return oas_shrinkage(covariance, count, dim)


class RDA(_Quadratic):
    """Regularised discriminant analysis, between quadratic and linear, and full and spherical.

    With C_k the covariance of class k and C that within classes, class k has the covariance
    S_k = ((1 − λ)·n_k·C_k + λ·N·C) / ((1 − λ)·n_k + λ·N), and then (1 − γ)·S_k + γ·tr(S_k)/D·1.

    Args:
        pooling: λ in [0, 1]; 0 is quadratic, 1 is linear discriminant analysis.
        shrinkage: γ in [0, 1]; 1 leaves only distances to the means.

    Attributes:
        classes_: The classes seen, ascending.
        span_: What few points span: their mean and a basis (D×R); None where they span more.
        means_: The means along the span, K×R, float64.
        whitenings_: W_k of each class with W_kᵀ C_k W_k = 1, upper triangular, R×R, float32.
        floors_: The variance of each class beyond the span, K, float64.
        offsets_: −log √|C_k| + log(n_k / N), K, float64.

    Cost:
        Fit ND² + 2KD³/3 FLOPs, predict MKD²; with N ≤ 3D/4 points fit 2DN² + 2KN³/3, predict
        4MDN + MKN².

    References:
        Friedman 1989. With λ = 0 scikit-learn's `QuadraticDiscriminantAnalysis(solver="eigen",
        shrinkage=γ)` decides the same, with λ = 1 its `LinearDiscriminantAnalysis`.
    """

    _parameter_constraints: ClassVar = {"pooling": FRACTION, "shrinkage": FRACTION}

    def __init__(self, pooling: float = 0.5, shrinkage: float = 0.5) -> None:
        self.pooling = pooling
        self.shrinkage = shrinkage

    def _shrinkage(self, covariance: torch.Tensor, count: int, dim: int) -> float:
        return self.shrinkage

    def _covariance(self, moments: Moments, k: int) -> torch.Tensor:
        own = (1 - self.pooling) * float(moments.counts[k])
        weight = own + self.pooling * float(moments.counts.sum())
        covariance = moments.covariance(k).mul_(own / weight)
        return covariance.add_(moments.within(), alpha=self.pooling / weight)
