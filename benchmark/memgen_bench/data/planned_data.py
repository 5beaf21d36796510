"""The data of a planned network: images, split, and draws of labels."""

from __future__ import annotations

import copy
import functools
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench.data.corruption import CorruptedLabels, corrupt, rankable, realised_transition
from memgen_bench.data.datasets import load_data
from memgen_bench.data.splits import split_train, test_subset, train_sample
from memgen_bench.errors import DataError
from memgen_bench.global_state import preserved
from memgen_bench.hashing import array_digest
from memgen_bench.plugin.registry import load_registry
from memgen_bench.plugin.specs import Positions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from memgen_bench.arrays import Images, LabelVector
    from memgen_bench.plan.plan import Draw, PlannedNetwork
    from memgen_bench.plan.suite import FittedOn
    from memgen_bench.plugin.registry import Registry
    from memgen_bench.plugin.specs import Data

    # subsets that decoders are fitted on, with the random streams of their noise
    Parts = tuple[tuple["Subset", str], ...]


@dataclass(frozen=True, kw_only=True)
class DrawnLabels:
    """One draw of labels on a split.

    Attributes:
        train: Given labels of the training subset.
        validation: Given labels of the validation subset, from a random stream of their own.
        transition: P[true, given] of the noise, or of this draw where the noise states none; the
            identity matrix without noise.
        rankable: Whether the true label is the most likely given label.
    """

    train: CorruptedLabels
    validation: CorruptedLabels
    transition: npt.NDArray[np.float64]
    rankable: bool


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Images and true labels of one subset of a split, and their positions in the data set."""

    x: Images
    true: LabelVector
    positions: Positions


class PlannedData:
    """A planned network's data, split and labels.

    Args:
        network: The planned network.
        plugin_files: Plugin files that are not installed.
        data_dir: The data root.

    Attributes:
        registry: The registry in which the plan's names are looked up.
        train: The subset on which decoders are fitted; by default that on which the network is
            trained (see `fitted_on`).
        held_out: Which points of `train` no network is trained on.
        validation: The validation subset.
        test: The test subset, on which readings are scored.
        test_places: Positions of `test` within `whole_test`.
        whole_test: All test images, on which training curves are measured.
        sample: Positions within `train` on which train accuracy is measured.
        counts: Columns with the sizes of the subsets.

    Raises:
        DataError: The data are damaged, or differ from those of the plan.
    """

    def __init__(
        self, network: PlannedNetwork, plugin_files: tuple[str, ...], data_dir: Path
    ) -> None:
        info = network.data
        self.registry = registry(plugin_files)
        self.num_classes = info.task.num_classes
        data = _data(info.name, info.fingerprint, plugin_files, data_dir)
        split = split_train(
            data.train_y,
            seed=network.seed,
            train_size=network.train_size,
            validation_fraction=network.validation_fraction,
            held_out_fraction=network.held_out_fraction,
        )
        self._seed = network.seed
        test = test_subset(data.test_y, network.test_size)
        self.train = self._training = _subset(data.train_x, data.train_y, split.train)
        self._held_out = _subset(data.train_x, data.train_y, split.held_out)
        self._parts: Parts = ((self.train, "noise"),)
        self.held_out = np.zeros(len(split.train), bool)
        self.validation = _subset(data.train_x, data.train_y, split.validation)
        self.test = _subset(data.test_x, data.test_y, test)
        self.test_places = test
        self.whole_test = _subset(data.test_x, data.test_y, np.arange(len(data.test_y)))
        self.sample = train_sample(self.train.true, network.seed)
        self.counts = {
            "train_count": len(split.train),
            "held_out_count": len(split.held_out),
            "validation_count": len(split.validation),
        }
        self._draws: dict[Draw | None, DrawnLabels] = {}

    @property
    def images(self) -> Images:
        """The images of the training and held-out subsets, on which features are fitted."""
        return _joined([self._training, self._held_out]).x

    def labels(self, draw: Draw | None) -> DrawnLabels:
        """Return the labels of a draw; of None, the true labels."""
        if draw not in self._draws:
            self._draws[draw] = self._draw(draw)
        return self._draws[draw]

    def fitted_on(self, points: FittedOn) -> PlannedData:
        """Return the same data for decoders that are fitted on other points."""
        if points == "training":
            return self
        other, held_out = copy.copy(self), (self._held_out, "held_out_noise")
        other._parts = (*(self._parts if points == "both" else ()), held_out)
        other.train = _joined([part for part, _ in other._parts])
        seen = len(other.train.true) - len(self._held_out.true)
        other.held_out = np.arange(len(other.train.true)) >= seen
        other.sample = train_sample(other.train.true, self._seed)
        other._draws = {}
        return other

    def relabelled(self, draw: Draw | None, labels: LabelVector) -> PlannedData:
        """Return the same data with other training labels in place of a draw's."""
        drawn, other = self.labels(draw), copy.copy(self)
        train = CorruptedLabels(
            labels=labels,
            realised_rate=float(np.mean(labels != self.train.true)),
            noise_id=array_digest(labels),
        )
        other._draws = {draw: replace(drawn, train=train)}
        return other

    @preserved()
    def _draw(self, draw: Draw | None) -> DrawnLabels:
        noise = self.registry.noises.find(draw.noise) if draw else None
        rate, noise_seed = (draw.rate, draw.noise_seed) if draw else (0.0, 0)

        def corrupted(part: Subset, purpose: str) -> CorruptedLabels:
            return corrupt(
                noise,
                part.true,
                rate=rate,
                num_classes=self.num_classes,
                noise_seed=noise_seed,
                purpose=purpose,
                extras={"images": part.x, "positions": part.positions},
            )

        train = _joined_labels([corrupted(*part) for part in self._parts])
        if noise is None:
            transition = np.eye(self.num_classes)
        elif noise.transition is None:
            transition = realised_transition(self.train.true, train.labels, self.num_classes)
        else:
            transition = noise.transition(rate, self.num_classes)
        return DrawnLabels(
            train=train,
            validation=corrupted(self.validation, "validation_noise"),
            transition=transition,
            rankable=rankable(transition),
        )


def _joined(subsets: Sequence[Subset]) -> Subset:
    if len(subsets) == 1:
        return subsets[0]
    return Subset(
        x=np.concatenate([subset.x for subset in subsets]),
        true=np.concatenate([subset.true for subset in subsets]),
        positions=Positions(
            index=np.concatenate([subset.positions.index for subset in subsets]),
            count=subsets[0].positions.count,
        ),
    )


def _joined_labels(drawn: Sequence[CorruptedLabels]) -> CorruptedLabels:
    """Join the labels of several subsets; their realised rate is that of all points together."""
    if len(drawn) == 1:
        return drawn[0]
    labels = np.concatenate([each.labels for each in drawn])
    wrong = sum(each.realised_rate * len(each.labels) for each in drawn)
    return CorruptedLabels(
        labels=labels, realised_rate=wrong / len(labels), noise_id=array_digest(labels)
    )


def _subset(x: Images, y: LabelVector, index: npt.NDArray[np.int64]) -> Subset:
    whole = len(index) == len(y)
    return Subset(
        x=x if whole else x[index],
        true=y[index].astype(np.int64),
        positions=Positions(index=index, count=len(y)),
    )


@functools.lru_cache(maxsize=4)
def registry(plugin_files: tuple[str, ...]) -> Registry:
    """Return the registry of all plugins, which is loaded only once."""
    return load_registry(plugin_files)


@functools.lru_cache(maxsize=1)
def _data(name: str, fingerprint: str, plugin_files: tuple[str, ...], data_dir: Path) -> Data:
    with warnings.catch_warnings():  # the run has told them: they are in the data set's notices
        warnings.simplefilter("ignore")
        data = load_data(registry(plugin_files).datasets.find(name), data_dir)
    found = array_digest(data.train_x, data.train_y, data.test_x, data.test_y)
    if found != fingerprint:
        raise DataError(
            f"data set {name!r} changed without its files changing (fingerprint {found}, planned "
            f"{fingerprint}); raise the version of its specification"
        )
    return data
