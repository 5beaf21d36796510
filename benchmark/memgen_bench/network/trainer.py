"""The network to read, trained or loaded from the cache, and its states at checkpoints."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memgen_bench import seeds
from memgen_bench.errors import MemgenError, TrainingError
from memgen_bench.messages import Epoch
from memgen_bench.network.cache import NetworkCache
from memgen_bench.network.features_module import fit_features
from memgen_bench.network.resume import ResumeFile
from memgen_bench.network.running_trajectory import RunningTrajectory
from memgen_bench.network.statistics import estimate_statistics
from memgen_bench.network.training import TrainingData, initial_module, train
from memgen_bench.plugin.training_record import TrainingRecord

if TYPE_CHECKING:
    import torch
    from torch import nn

    from memgen_bench.data.planned_data import PlannedData
    from memgen_bench.messages import Report, RunSettings
    from memgen_bench.plan.plan import PlannedNetwork
    from memgen_bench.plugin.specs import Recipe
    from memgen_bench.plugin.trajectory import Trajectory


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network, the record and trajectory of its training, and whether it came from the cache."""

    module: nn.Module
    record: TrainingRecord
    trajectory: Trajectory | None = None
    from_cache: bool = False

    @property
    def epochs(self) -> int:
        """The number of epochs that the network was trained for."""
        return len(self.record.loss)


class Trainer:
    """Trains one network, or loads it from the cache.

    During training the network is cached at each checkpoint, as a network of its own, so that one
    training serves all checkpoints.

    Args:
        network: The planned network.
        data: The network's data.
        device: The device to compute on.
        settings: The run settings.
        report: Called with the progress of the training.
    """

    def __init__(
        self,
        network: PlannedNetwork,
        data: PlannedData,
        device: torch.device,
        settings: RunSettings,
        report: Report,
    ) -> None:
        self._planned, self._data, self._device = network, data, device
        self._settings, self._report = settings, report
        self._cache = NetworkCache(settings.network_dir, settings.shared_caches)

    def network(self) -> Trained:
        """Return the network: features, untrained, from the cache, or trained now and cached."""
        planned = self._planned
        if not planned.is_trained:
            return Trained(module=self._not_trained(), record=TrainingRecord())
        module = self._initial()
        if not self._settings.fresh and (record := self._cache.load(planned.network_id, module)):
            trajectory = self._cache.load_trajectory(planned.network_id)
            return Trained(module=module, record=record, trajectory=trajectory, from_cache=True)
        checkpoint = ResumeFile(self._cache.folder, planned, self._settings.resume_minutes)
        running = RunningTrajectory(len(self._data.train.true), self._device)
        record = self._train(module, planned.recipe, checkpoint, running)
        trajectory = running.finish(record)
        if self._save(planned, module, record, trajectory):
            checkpoint.remove()
        return Trained(module=module, record=record, trajectory=trajectory)

    def at(self, epoch: int, trained: Trained) -> nn.Module:
        """Return the network as it was at one of its checkpoints.

        If the checkpoint is not cached, as after training for a suite without checkpoints, the
        network is trained again up to the last checkpoint that its training reached.

        Args:
            epoch: The checkpoint; the training reached it.
            trained: The network at the end of its training.

        Raises:
            TrainingError: The checkpoint cannot be cached.
        """
        module, network_id = self._initial(), self._planned.at(epoch).network_id
        if self._cache.load(network_id, module):
            return module
        last = max(each for each in self._planned.checkpoints if each <= trained.epochs)
        self._train(self._initial(), replace(self._planned.recipe, max_epochs=last))
        if self._cache.load(network_id, module) is None:
            raise TrainingError(f"epoch {epoch} is not in the cache, {self._cache.folder}")
        return module

    def _not_trained(self) -> nn.Module:
        planned, data = self._planned, self._data
        if planned.kind == "features":
            spec = data.registry.features.find(planned.model)
            seed = seeds.integer(planned.seed, "features")
            return fit_features(spec, planned.data.task, data.images, seed)
        module, init_seed = self._initial(), planned.init_seed
        assert init_seed is not None  # every network has one
        estimate_statistics(
            module,
            data.train.x,
            seed=init_seed,
            device=self._device,
            batch_size=planned.images_at_once,
        )
        return module

    def _initial(self) -> nn.Module:
        spec = self._data.registry.models.find(self._planned.model)
        task, seed = self._planned.data.task, self._planned.init_seed
        assert seed is not None  # every network has one
        if dict(spec.parameters) != dict(self._planned.identity["initial"]["parameters"]):
            raise TrainingError(
                f"model {spec.name!r} has other parameters here than in the plan, such as other "
                "weights; plan and run it on equal files"
            )
        return initial_module(spec, task, seed).to(self._device)

    def _save(
        self,
        network: PlannedNetwork,
        module: nn.Module,
        record: TrainingRecord,
        trajectory: Trajectory | None = None,
    ) -> bool:
        """Cache a network; where that fails, warn, since its readings can still be made."""
        try:
            self._cache.save(network, module, record, trajectory)
        except MemgenError as error:
            warnings.warn(f"{network.label} is not cached: {error}", stacklevel=2)
            return False
        return True

    def _train(
        self,
        module: nn.Module,
        recipe: Recipe,
        checkpoint: ResumeFile | None = None,
        trajectory: RunningTrajectory | None = None,
    ) -> TrainingRecord:
        planned, data = self._planned, self._data
        labels, tell = data.labels(planned.draw), _Throttle(planned, self._report)
        assert planned.order_seed is not None  # every trained network has one

        def on_epoch(record: TrainingRecord) -> None:
            epoch = len(record.loss)
            if epoch in planned.checkpoints:
                self._save(planned.at(epoch), module, record)
            tell(epoch, record.train_accuracy[-1])

        return train(
            module,
            TrainingData(
                x=data.train.x,
                given=labels.train.labels,
                true=data.train.true,
                validation_x=data.validation.x,
                validation_given=labels.validation.labels,
                test_x=data.whole_test.x,
                test_y=data.whole_test.true,
                images_at_once=planned.images_at_once,
            ),
            recipe,
            order_seed=planned.order_seed,
            device=self._device,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            trajectory=trajectory,
        )


class _Throttle:
    """Reports the progress of a training, at most five times a second."""

    def __init__(self, network: PlannedNetwork, report: Report) -> None:
        self.network, self.report, self.next = network, report, 0.0

    def __call__(self, epoch: int, train_accuracy: float) -> None:
        if (now := time.monotonic()) >= self.next:
            self.next = now + 0.2
            most = self.network.recipe.max_epochs
            self.report(Epoch(self.network.label, epoch, most, train_accuracy))
