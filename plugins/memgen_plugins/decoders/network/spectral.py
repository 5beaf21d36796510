"""Decoders of networks that add two one-hot numbers, which look at the spectra of their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn

from memgen_bench import NotApplicable
from memgen_plugins.decoders.network.head import find_head, new_head, read_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Complex = npt.NDArray[np.complex128]

_SHARES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02)


class _Adder(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped base
    """A network that adds two one-hot numbers, read out with another last module.

    Attributes:
        classes_: The classes seen, ascending.
        head_: The module in place of the last one.
        chosen_: What was chosen on noisy validation labels.
    """

    _hidden: str
    head_: nn.Linear

    def _start(self, X: Mapping[str, Any], y: Any, network: nn.Module) -> nn.Linear:
        """Set `classes_` and the layer to read, and return the last module."""
        module, self._hidden = find_head(network, X)
        self.classes_ = np.unique(np.asarray(y))
        return module

    def _choose(self, heads: Iterable[tuple[dict[str, Any], nn.Linear]], validation: Any) -> None:
        """Keep the head that is most accurate on validation, the first of equals, or the first."""
        best = -1.0
        for chosen, head in heads:
            accuracy = 0.0 if validation is None else self._accuracy(head, *validation)
            if accuracy > best:
                best, self.head_, self.chosen_ = accuracy, head, chosen

    def _accuracy(self, head: nn.Linear, X: Mapping[str, Any], labels: Any) -> float:
        return float(np.mean(read_out(head, X[self._hidden]) == np.asarray(labels)))

    def predict(self, X: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the argmax of the network with its new head, for each point."""
        return read_out(self.head_, X[self._hidden])


class SpectrumPruned(_Adder):
    """The network without the hidden units that the spectra of their weights tell to memorize.

    Units that compute a sum modulo p see each summand through a wave of one frequency; those that
    memorize single pairs see it through noise. So the share of the units whose spectra are
    sparsest is kept, and the network read out without the others. The share is chosen on noisy
    validation labels; ties go to the larger one, and without them no unit is pruned. Classes
    without points are never predicted.

    This needs a network of two linear modules with one layer of units between them, whose inputs
    are two one-hot numbers below p, and p classes.

    Args:
        shares: Shares of the units to keep that are tried, descending.

    Attributes:
        classes_: The classes seen, ascending.
        ratios_: The inverse participation ratio of each of the H units, float64.
        head_: The last module, with weights of 0 for units that are pruned.
        chosen_: The share kept.

    Cost:
        Fit 10·H·p·log₂ p FLOPs for the spectra, and 2MHK for M validation points and each share;
        predict 2MHK.

    References:
        Doshi, Das, He & Gromov 2024, arXiv 2310.13061. A unit's ratio is the mean of those of its
        two vectors of input weights; output weights are not looked at.
    """

    def __init__(self, shares: Sequence[float] = _SHARES) -> None:
        self.shares = shares

    def fit(self, X: Mapping[str, Any], y: Any, network: nn.Module, validation: Any = None) -> Self:
        """Fit on the activations X of each layer (N×D tensors) and labels y (N).

        Raises:
            NotApplicable: The network does not read two one-hot numbers, or is deeper.
        """
        module = self._start(X, y, network)
        self.ratios_ = participation_ratios(spectra(network))
        order = np.argsort(-self.ratios_, kind="stable")
        shares = (1.0,) if validation is None else self.shares
        self._choose(
            (
                ({"share": share}, self._pruned(module, order[: max(1, round(share * len(order)))]))
                for share in shares
            ),
            validation,
        )
        return self

    def _pruned(self, module: nn.Linear, kept: npt.NDArray[np.int64]) -> nn.Linear:
        """Return the last module without all units but those kept."""
        weight = module.weight.detach().cpu().numpy()[self.classes_]
        coef = np.zeros_like(weight)
        coef[:, kept] = weight[:, kept]
        bias = np.zeros(len(module.weight)) if module.bias is None else module.bias.detach().cpu()
        return new_head(module, self.classes_, coef, np.asarray(bias)[self.classes_])


class SpectrumTold(_Adder):
    """The sum of two numbers read from hidden units frequency by frequency, told that it is a sum.

    A unit that sees both summands a and b through waves of frequency k can tell exp 2πik(a+b)/p.
    So exp 2πiky/p of the given labels y is fitted, for each k, by ridge regression on the
    standardised units whose input weights have most power at k, and on no others; class c scores
    Σ_k Re[exp(−2πikc/p)·ŷ_k] over the best frequencies. These are the ones whose waves agree best
    with noisy validation labels, on which their number and the penalty are chosen, too.

    It knows which rule made the labels, and that tells labels apart as no name does: it says what
    a network held that only an insider can read, and is never ranked.

    Args:
        alphas: Penalties to try, each against a sum over points.
        counts: Numbers of frequencies to try.

    Attributes:
        classes_: The classes seen, ascending.
        frequencies_: The frequency of each of the H units.
        head_: The module that maps units to scores.
        chosen_: The penalty and the number of frequencies.

    Cost:
        Fit 2N·Σ_k H_k² FLOPs with H_k units of frequency k, and 2MHK for M validation points,
        each penalty and each number; predict 2MHK.

    References:
        In the spirit of Liu & Lu 2026, arXiv 2605.18022, and of Gromov 2023, arXiv 2301.02679.
    """

    def __init__(
        self,
        alphas: Sequence[float] = (10.0, 1.0, 100.0, 1000.0),
        counts: Sequence[int] = (1, 2, 3, 5, 8, 12, 20),
    ) -> None:
        self.alphas = alphas
        self.counts = counts

    def fit(self, X: Mapping[str, Any], y: Any, network: nn.Module, validation: Any) -> Self:
        """Fit on the activations X of each layer (N×D tensors) and labels y (N).

        Raises:
            NotApplicable: The network does not read two one-hot numbers, or is deeper.
        """
        module = self._start(X, y, network)
        power = np.abs(spectra(network)) ** 2
        self._modulus = p = power.shape[2]
        self.frequencies_ = power[:, :, 1 : p // 2 + 1].sum(axis=1).argmax(axis=1) + 1
        self._choose(self._heads(module, X[self._hidden], np.asarray(y), validation), validation)
        return self

    def _heads(
        self, module: nn.Linear, hidden: Any, y: npt.NDArray[np.int64], validation: Any
    ) -> Iterator[tuple[dict[str, Any], nn.Linear]]:
        """Yield each choice with the head that it makes."""
        units = np.asarray(hidden.cpu(), np.float64)
        mean, scale = units.mean(axis=0), units.std(axis=0)
        scale[scale == 0] = 1
        units = (units - mean) / scale
        held = (np.asarray(validation[0][self._hidden].cpu(), np.float64) - mean) / scale
        for alpha in self.alphas:
            wave = self._fitted(units, y, alpha)
            best = self._ordered(held, np.asarray(validation[1]), wave)
            turned = np.conj(self._waves(self.classes_))  # classes × units
            for count in self.counts:
                kept = np.isin(self.frequencies_, best[:count])
                coef = np.real(turned * wave) * kept / scale
                head = new_head(module, self.classes_, coef, -coef @ mean)
                yield {"alpha": alpha, "frequencies": count}, head

    def _fitted(self, units: Floats, y: npt.NDArray[np.int64], alpha: float) -> Complex:
        """Return the weight of each unit in the wave of its frequency, H."""
        wave = np.zeros(units.shape[1], complex)
        for k in np.unique(self.frequencies_):
            own = self.frequencies_ == k
            some, aim = units[:, own], np.exp(2j * np.pi * k * y / self._modulus)
            gram = some.T @ some + alpha * np.eye(some.shape[1])
            wave[own] = np.linalg.solve(gram, some.T @ (aim - aim.mean()))
        return wave

    def _ordered(self, held: Floats, y: npt.NDArray[np.int64], wave: Complex) -> npt.NDArray[Any]:
        """Return the frequencies by how well their waves agree with labels, the best first."""
        frequencies = np.unique(self.frequencies_)
        read = np.stack(
            [held[:, own] @ wave[own] for own in frequencies[:, None] == self.frequencies_], axis=1
        )
        aim = np.exp(2j * np.pi * np.outer(y, frequencies) / self._modulus)
        size = np.sqrt((np.abs(read) ** 2).mean(axis=0))
        agreement = np.real(read * np.conj(aim)).mean(axis=0) / np.maximum(size, 1e-30)
        return frequencies[np.argsort(-agreement, kind="stable")]

    def _waves(self, labels: npt.NDArray[np.int64]) -> Complex:
        """Return exp 2πiky/p for each label and unit."""
        waves: Complex = np.exp(2j * np.pi * np.outer(labels, self.frequencies_) / self._modulus)
        return waves


def spectra(network: nn.Module) -> Complex:
    """Return the discrete Fourier transforms of each unit's weights on the two inputs, H×2×p.

    Raises:
        NotApplicable: The network has not two linear modules, or they do not read two one-hot
            numbers below p and tell p classes.
    """
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if len(linear) != 2:
        raise NotApplicable(f"the network has {len(linear)} linear modules, not two")
    first, last = linear
    classes = last.out_features
    if first.in_features != 2 * classes:
        raise NotApplicable(
            f"the network has {first.in_features} inputs, not two one-hot numbers of "
            f"{classes} classes"
        )
    if first.out_features != last.in_features:
        raise NotApplicable("there is more than one layer between the two linear modules")
    weights = first.weight.detach().cpu().double().numpy().reshape(-1, 2, classes)
    found: Complex = np.fft.fft(weights, axis=2)
    return found


def participation_ratios(spectrum: Complex) -> Floats:
    """Return the inverse participation ratio Σ P² / (Σ P)² of the power P, mean over inputs.

    It is 1/2 for a wave of one frequency, which has two terms, and about 2/p for noise.

    Args:
        spectrum: H×2×p.
    """
    power = np.abs(spectrum) ** 2
    total = np.maximum(power.sum(axis=2), np.finfo(np.float64).tiny)
    ratios: Floats = ((power / total[:, :, None]) ** 2).sum(axis=2).mean(axis=1)
    return ratios
