"""Class moments: the statistics of each class from which many decoders are fitted.

They come in two forms with one interface. *Streamed* moments are D×D sums that were added up while
activations were computed. *Kept* moments hold the points themselves, which take less memory if
there are few for their width, and compute moments on demand; where a class has fewer points than
dimensions, its axes come from the Gram matrix of its points. The form, and the blocks of the
computation, depend on shapes alone.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from scipy.linalg.blas import dsyrk

from memgen_bench.compute import as_tensor, best_by_scipy, block_rows, finish
from memgen_bench.decode.eigen import SIDE_BY_SIDE, eigh, eigh_each
from memgen_bench.decode.footprint import WAITING_BYTES, keeps_points
from memgen_bench.decode.known_moments import find_known
from memgen_bench.decode.lent_memory import LentMemory
from memgen_bench.decode.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memgen_bench.arrays import LabelVector

T = TypeVar("T")

# Points are added up when there are this many, on average, for each class, or the buffer is full.
_ROWS_A_CLASS = 1024
# With so few points, as a share of their width, it pays to compute in the space that they span.
_FEW = 0.75
# The most bytes of a result that is remembered when the moments are gone.
_SMALL = 1 << 20
# The rows and columns of a block of a large square matrix.
_BLOCK = 256
# On a GPU a Gram matrix is computed in blocks of so many rows, each up to the diagonal.
_GRAM_BLOCK = 96


@dataclass
class _Account:
    """The account of one decoder: its charges for results that it shares with others.

    Attributes:
        seconds: Seconds of earlier computations that it used.
        paid: Names of the results that it was charged for.
        used: Seconds of each result that the one which is being computed has used so far.
        computed: Seconds of all that was computed for it.
    """

    seconds: float
    paid: set[str] = field(default_factory=set)
    used: dict[str, float] = field(default_factory=dict)
    computed: float = 0.0


class Moments(ABC):
    """The moments of the points of each class.

    Matrices are float64 tensors on the device where the points are, unless said otherwise;
    `np.asarray` turns those on the CPU into arrays. They belong to all decoders and must not be
    written to. Results computed from them are kept and shared by decoders; each decoder gets a view
    of its own, `for_decoder`, whose account holds the time that it would have spent alone.

    Attributes:
        classes: The labels with at least one point, ascending, K.
        counts: Number of points of each class, K.
        means: Mean of each class, K×D.
        scratch: The storage of large results.
        lent: What decoders get of them.
    """

    classes: LabelVector
    counts: torch.Tensor
    means: torch.Tensor
    _part = ""  # what the names of results begin with in an account

    def __init__(self, adding_seconds: float, scratch: Scratch | None = None) -> None:
        self.scratch = scratch or Scratch()
        self._account, self._adding_seconds = _Account(adding_seconds), adding_seconds
        self._kept: dict[str, tuple[Any, dict[str, float]]] = {}
        self.lent = LentMemory()
        self.lent.lend(self.classes, self.counts, self.means)

    def for_decoder(self) -> Moments:
        """Return a view that shares all results and has an account of its own."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._account = _Account(self._adding_seconds)
        return view

    @property
    def seconds(self) -> float:
        """The account: seconds of adding up, and of earlier computations that were used."""
        return self._account.seconds

    def _once(self, name: str, compute: Callable[[], T]) -> T:
        """Compute a named result, or return the earlier one, and add its cost to the account.

        The costs of other results that it used are kept apart, so that none is counted twice.
        """
        account = self._account
        if name in self._kept:
            value, used = self._kept[name]
            account.seconds += sum(cost for step, cost in used.items() if step not in account.paid)
        else:
            outer, account.used = account.used, {}
            before, started = account.computed, time.perf_counter()
            value = compute()
            finish(self.means.device)
            own = time.perf_counter() - started - (account.computed - before)
            account.computed += own
            self.lent.lend(value)
            used = account.used | {f"{self._part}{name}": own}
            self._kept[name], account.used = (value, used), outer
        account.used |= used
        account.paid |= used.keys()
        found: T = value
        return found

    def shared(self, name: str, compute: Callable[[], T]) -> T:
        """Return a result that decoders compute from these moments, computed only once.

        Each decoder is charged for it. It must not be written to.

        Args:
            name: A name that says what it is; no other result may have it.
            compute: Returns it, and depends on these moments alone.
        """
        return self._once(f"shared: {name}", compute)

    def small_results(self) -> dict[str, Any]:
        """Return the results so far that take little memory, for `remember`."""
        return {name: found for name, found in self._kept.items() if _bytes(found[0]) <= _SMALL}

    def remember(self, results: dict[str, Any]) -> None:
        """Take results of other moments, which are of the same points with the same labels."""
        for value, _ in results.values():
            self.lent.lend(value)
        self._kept.update(results)

    def _held(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return a matrix to keep, which may be moved to a file."""
        if not matrix.is_cpu:
            return matrix
        return as_tensor(self.scratch.hold(matrix.contiguous().numpy()))

    @property
    def dim(self) -> int:
        """Width D of the points."""
        return self.means.shape[1]

    @abstractmethod
    def second(self, k: int) -> torch.Tensor:
        """Return Σ x xᵀ over the points of the k-th class, D×D."""

    def axes(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the principal axes of the k-th class about the origin.

        They are the eigenvalues (descending, R, float64) and the eigenvectors (columns, D×R,
        float32; see `eigen.eigh`) of the uncentred second moment Σ x xᵀ / n_k; R = min(n_k, D).
        """
        return self._once("axes", self._all_axes)[k]

    def _all_axes(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        classes = range(len(self.classes))
        return [self._axes(k, *solved) for k, solved in enumerate(self._solved(classes))]

    def _solved(self, classes: Sequence[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the solutions of the classes' eigenproblems; small ones are solved in parallel."""
        if max(map(self._side, classes)) > SIDE_BY_SIDE:
            yield from (eigh(self._square(k)) for k in classes)
        else:
            yield from eigh_each([self._square(k) for k in classes])

    def _side(self, k: int) -> int:
        """Return the size of the eigenproblem of the k-th class."""
        return self.dim

    def _square(self, k: int) -> torch.Tensor:
        """Return the matrix of the eigenproblem of the k-th class."""
        return self.second(k) / self.counts[k]

    def _axes(
        self, k: int, values: torch.Tensor, vectors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eigenvalues and axes from the solution of the eigenproblem."""
        rank = min(int(self.counts[k]), self.dim)
        return values[:rank], self._held(vectors[:, :rank])

    def along_span(self) -> tuple[torch.Tensor, torch.Tensor, Moments] | None:
        """Return moments in the space that few points span, or None where it does not pay.

        Returns:
            The mean m of all points (D), an orthonormal basis B of the space that contains them
            (D×R), and the moments of Bᵀ(x − m); R is at most three quarters of D.
        """
        return None

    def few_points(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the points themselves where they are few for their width, else None.

        Returns:
            The points (N×D, float64; N at most three quarters of D), and each one's class (N).
        """
        return None

    def covariance(self, k: int) -> torch.Tensor:
        """Return the covariance of the k-th class about its mean (divided by n_k), D×D."""
        mean = self.means[k]
        return torch.addr(self.second(k), mean, mean, beta=1 / float(self.counts[k]), alpha=-1)

    def within(self) -> torch.Tensor:
        """Return the scatter within classes, Σ_k n_k·covariance(k), D×D."""
        return self._once("within", self._within)

    def _within(self) -> torch.Tensor:
        scatter = torch.zeros(self.dim, self.dim, dtype=torch.float64, device=self.means.device)
        for k in range(len(self.classes)):
            scatter += self.counts[k] * self.covariance(k)
        return self._held(scatter)

    def total(self) -> torch.Tensor:
        """Return the scatter of all points about their mean, D×D."""
        shift = self.means - self.mean()
        return self.within() + (shift.T * self.counts) @ shift

    def mean(self) -> torch.Tensor:
        """Return the mean of all points, D."""
        return (self.counts.double() / self.counts.sum()) @ self.means


def _bytes(value: Any) -> float:
    """Return the memory of tensors, also within tuples; infinite for anything else."""
    if isinstance(value, tuple | list):
        return sum(map(_bytes, value))
    return value.nbytes if isinstance(value, torch.Tensor) else math.inf


class StreamedMoments(Moments):
    """Moments that were added up batch by batch.

    Args:
        counts: Number of points of each label 0..K-1.
        sums: Sum of the points of each label, K×D.
        lower: Σ x xᵀ over the points of each label, K×D×D; only the lower triangles are used.
        adding_seconds: Seconds that adding up took.
    """

    def __init__(
        self,
        counts: torch.Tensor,
        sums: torch.Tensor,
        lower: torch.Tensor,
        adding_seconds: float,
    ) -> None:
        self._labels = torch.nonzero(counts).flatten().tolist()
        self.classes = np.array(self._labels, dtype=np.int64)
        self.counts = counts[self._labels]
        self.means = sums[self._labels] / self.counts[:, None]
        self._lower = lower
        super().__init__(adding_seconds)

    def second(self, k: int) -> torch.Tensor:
        """Return Σ x xᵀ over the points of the k-th class, D×D."""
        return symmetric(self._lower[self._labels[k]])


class KeptMoments(Moments):
    """Moments that are computed from the points on demand.

    Args:
        X: Points, N×D, perhaps in a memory-mapped file.
        y: Labels of the points, N.
        device: The device to compute on; by default that of X.
        scratch: The storage of large results.
    """

    def __init__(
        self,
        X: torch.Tensor,
        y: LabelVector,
        *,
        device: torch.device | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        started = time.perf_counter()
        self._X, self._y, self._device = X, y, device or X.device
        self.classes = np.unique(y)
        self._rows = [
            torch.from_numpy(np.flatnonzero(y == label)).to(X.device) for label in self.classes
        ]
        self.counts = torch.tensor([len(rows) for rows in self._rows], device=self._device)
        self.means = torch.stack([self._mean(k) for k in range(len(self._rows))])
        super().__init__(time.perf_counter() - started, scratch)

    def along_span(self) -> tuple[torch.Tensor, torch.Tensor, Moments] | None:
        """Return moments in the space that few points span, or None where it does not pay."""
        if not self._are_few:
            return None
        mean, basis, moments = self._once("span", self._along_span)
        view = moments.for_decoder()
        view._account = self._account
        return mean, basis, view

    @property
    def _are_few(self) -> bool:
        return len(self._X) <= _FEW * self.dim

    def _along_span(self) -> tuple[torch.Tensor, torch.Tensor, Moments]:
        mean = self.mean()
        shifted = self._X.to(self._device).double() - mean
        basis = torch.linalg.qr(shifted.T).Q
        moments = KeptMoments(shifted @ basis, self._y)
        moments._part = "span: "
        self.lent.lend(moments.classes, moments.counts, moments.means)
        moments.lent = self.lent
        return mean, basis, moments

    def few_points(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the points themselves where they are few for their width, else None."""
        if not self._are_few:
            return None
        classes = torch.from_numpy(np.searchsorted(self.classes, self._y))
        return self._X.to(self._device).double(), classes.to(self._device)

    def _points(self, k: int) -> Iterator[torch.Tensor]:
        """Yield the points of a class in blocks."""
        for rows in torch.split(self._rows[k], block_rows(self._X.shape[1])):
            yield self._X.index_select(0, rows).to(self._device)

    def _mean(self, k: int) -> torch.Tensor:
        sums = [points.sum(dim=0, dtype=torch.float64) for points in self._points(k)]
        return torch.stack(sums).sum(dim=0) / len(self._rows[k])

    def second(self, k: int) -> torch.Tensor:
        """Return Σ x xᵀ over the points of the k-th class, D×D."""
        return self._once(f"second {k}", lambda: self._held(self._gram(self.dim, self._points(k))))

    def _gram(self, size: int, blocks: Iterator[torch.Tensor]) -> torch.Tensor:
        lower = torch.zeros(size, size, dtype=torch.float64, device=self._device)
        for block in blocks:
            add_gram(lower, block.double())
        return symmetric(lower)

    def _side(self, k: int) -> int:
        return min(len(self._rows[k]), self.dim)

    def _square(self, k: int) -> torch.Tensor:
        """Return the second moment, or the n×n Gram matrix if it is smaller."""
        count = len(self._rows[k])
        if count >= self.dim:
            return super()._square(k)
        return self._gram(count, (columns.T for _, columns in self._columns(k))).div_(count)

    def _axes(
        self, k: int, values: torch.Tensor, vectors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        count = len(self._rows[k])
        if count >= self.dim:
            return super()._axes(k, values, vectors)
        if self._device.type == "cpu":
            axes = as_tensor(self.scratch.empty((self.dim, count)))
        else:
            axes = torch.empty(self.dim, count, device=self._device)
        for place, columns in self._columns(k):
            torch.matmul(columns.T.float(), vectors, out=axes[place])
        axes /= torch.linalg.vector_norm(axes, dim=0).clamp_(min=1e-30)
        return values, axes

    def _columns(self, k: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield a class's points in blocks of columns, each with the slice of its columns."""
        rows = self._rows[k]
        width = block_rows(len(rows))
        for start in range(0, self.dim, width):
            place = slice(start, start + width)
            yield place, self._X[:, place][rows].to(self._device)


def add_gram(lower: torch.Tensor, rows: torch.Tensor) -> None:
    """Add rowsᵀ·rows to at least the lower triangle of a D×D matrix.

    Products are in float64: in float32 a direction is lost in which points are ten thousand times
    closer to each other than in others, and LDA, which needs it, would be another classifier.
    """
    if best_by_scipy(lower):  # a row-major lower triangle is a column-major upper one
        dsyrk(1.0, rows.numpy().T, beta=1.0, c=lower.numpy().T, overwrite_c=True)
        return
    for start in range(0, len(lower), _GRAM_BLOCK):
        stop = min(start + _GRAM_BLOCK, len(lower))
        lower[start:stop, :stop].addmm_(rows[:, start:stop].T, rows[:, :stop])


def symmetric(lower: torch.Tensor) -> torch.Tensor:
    """Return the symmetric matrix whose lower triangle is given; large ones block by block.

    A transposed block fits the processor's cache, and a whole matrix of 1,024 columns does not.
    """
    if len(lower) <= 2 * _BLOCK:
        return torch.tril(lower).add_(torch.tril(lower, -1).T)
    full = lower.clone()
    for start in range(0, len(full), _BLOCK):
        stop = start + _BLOCK
        full[start:stop, stop:] = full[stop:, start:stop].T
        full[start:stop, start:stop] = symmetric(full[start:stop, start:stop])
    return full


class _Sums:
    """Counts, sums and second moments of groups of points; group -1 is left out."""

    def __init__(self, groups: LabelVector, count: int, dim: int, device: torch.device) -> None:
        self._groups, self._position = groups, 0
        self.counts = torch.zeros(count, dtype=torch.int64, device=device)
        self.sums = torch.zeros(count, dim, dtype=torch.float64, device=device)
        self.lower = torch.zeros(count, dim, dim, dtype=torch.float64, device=device)
        self.seconds = 0.0

    def add(self, rows: torch.Tensor) -> None:
        """Add the next points."""
        started = time.perf_counter()
        groups = self._groups[self._position : self._position + len(rows)]
        self._position += len(rows)
        order = np.argsort(groups, kind="stable")
        found, starts = np.unique(groups[order], return_index=True)
        for group, members in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
            if group >= 0:
                chosen = torch.from_numpy(members).to(rows.device)
                self._add(group, rows.index_select(0, chosen).double())
        finish(rows.device)
        self.seconds += time.perf_counter() - started

    def _add(self, group: int, points: torch.Tensor) -> None:
        self.counts[group] += len(points)
        self.sums[group] += points.sum(dim=0)
        add_gram(self.lower[group], points)

    def merge(self, other: _Sums) -> None:
        """Add the sums of other points in the same groups."""
        started = time.perf_counter()
        self.counts += other.counts
        self.sums += other.sums
        self.lower += other.lower
        self.seconds += other.seconds + time.perf_counter() - started

    def moments(self) -> Moments:
        """Return the moments of the groups."""
        return StreamedMoments(self.counts, self.sums, self.lower, self.seconds)


@dataclass(frozen=True)
class Labelling:
    """The labels of all training points under one draw.

    Attributes:
        vectors: The label vectors `corrupted` and `true`, or `true` alone; N each.
        wanted: The kinds of labels whose moments are needed.
    """

    vectors: Mapping[str, LabelVector]
    wanted: frozenset[str]

    def bytes(self, num_classes: int, dim: int) -> int:
        """Return the bytes that the sums take."""
        sets = len(self.wanted) + (len(self.vectors) > 1)
        return 8 * sets * num_classes * dim**2


class Adding:
    """Adds up the moments of points that come in batches, for each of the wanted labels.

    Points whose given label is the true one are added up once for both kinds of labels, other
    points for each kind.

    Args:
        labelling: The labels of all points that will come.
        num_classes: K; labels are 0..K-1.
        dim: Width D of the points.
        device: The device to compute on.
    """

    def __init__(
        self, labelling: Labelling, *, num_classes: int, dim: int, device: torch.device
    ) -> None:
        first, *others = labelling.vectors.values()
        agree = np.logical_and.reduce([labels == first for labels in others])

        def sums(vector: LabelVector) -> _Sums:
            return _Sums(vector, num_classes, dim, device)

        self._shared = sums(np.where(agree, first, -1)) if others else None
        self._own = {
            labels: sums(np.where(agree, -1, vector) if others else vector)
            for labels, vector in labelling.vectors.items()
            if labels in labelling.wanted
        }
        self._merged: set[str] = set()
        block = min(_ROWS_A_CLASS * num_classes, WAITING_BYTES // (4 * dim), len(first))
        self._waiting = torch.empty(max(1, block), dim, device=device)
        self._count = 0

    def add(self, rows: torch.Tensor) -> None:
        """Add the next points, B×D."""
        block = len(self._waiting)
        while len(rows):
            if not self._count and len(rows) >= block:  # a whole block need not wait
                self._add(rows[:block])
                rows = rows[block:]
                continue
            taken = rows[: block - self._count]
            self._waiting[self._count : self._count + len(taken)] = taken
            self._count += len(taken)
            rows = rows[len(taken) :]
            if self._count == block:
                self._flush()

    def _flush(self) -> None:
        if self._count:
            self._add(self._waiting[: self._count])
        self._count = 0

    def _add(self, block: torch.Tensor) -> None:
        for sums in [*([self._shared] if self._shared else []), *self._own.values()]:
            sums.add(block)

    def moments(self, labels: str) -> Moments:
        """Return the moments under one of the wanted labels, after all points were added."""
        self._flush()
        if self._shared and labels not in self._merged:
            self._own[labels].merge(self._shared)
            self._merged.add(labels)
        return self._own[labels].moments()


def moments_of(X: Any, y: LabelVector) -> Moments:
    """Return the moments of points X (N×D) with labels y (N, 0..K-1), in the smaller form.

    A decoder that asks for those of the points and labels that it is fitted on gets what all
    decoders share.
    """
    X, num_classes = as_tensor(X), int(np.max(y)) + 1
    known: Moments | None = find_known(X, y)
    if known is not None:
        return known
    if keeps_points(len(X), X.shape[1], num_classes):
        return KeptMoments(X, y)
    labelling = Labelling({"true": np.asarray(y)}, frozenset({"true"}))
    adding = Adding(labelling, num_classes=num_classes, dim=X.shape[1], device=X.device)
    adding.add(X)
    return adding.moments("true")
