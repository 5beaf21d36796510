"""The specifications that plugins offer: models, features, data sets, decoders, noises, engines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Protocol,
    Self,
    TypeVar,
    runtime_checkable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from torch import nn

    from memgen_bench.arrays import Images, Index, LabelVector, Transition
    from memgen_bench.messages import Report
    from memgen_bench.plugin.training_record import TrainingRecord

_OPTIMIZERS = ("adam", "adamw", "sgd")
# Fields of a recipe that came after the first networks were trained.
_LATER_FIELDS = ("weight_decay", "min_epochs")

Need = Literal["validation", "transition", "network", "trajectory", "held_out", "neighbors", "test"]
NoiseNeed = Literal["images", "positions"]
FittedOn = Literal["training", "held_out", "both"]


@dataclass(frozen=True)
class Data:
    """A data set in memory.

    Attributes:
        train_x: Training images, N×C×H×W float32, exactly as a network sees them; a memory map
            is fine.
        train_y: True labels of the training images, N integers in 0..K-1.
        test_x: Test images, M×C×H×W float32.
        test_y: Their true labels, M integers in 0..K-1.

    Examples:
        >>> import numpy as np
        >>> from memgen_bench import Data
        >>> images, labels = np.zeros((6, 1, 8, 8), np.float32), np.arange(6) % 3
        >>> data = Data(images[:3], labels[:3], images[3:], labels[3:])
    """

    train_x: Images
    train_y: LabelVector
    test_x: Images
    test_y: LabelVector


@dataclass(frozen=True, kw_only=True)
class Task:
    """The task that a model is built for.

    Attributes:
        channels: Channels of an image.
        height: Its height in pixels.
        width: Its width in pixels.
        num_classes: The number of classes K.
        pixel_range: The smallest and the largest value in the training images.
    """

    channels: int
    height: int
    width: int
    num_classes: int
    pixel_range: tuple[float, float] = (0.0, 1.0)

    def identity(self) -> dict[str, int]:
        """Return the fields that are hashed; the images, which are hashed, too, have a range."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name != "pixel_range"
        }


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The training recipe of a model; every field is part of a network's identity.

    Attributes:
        optimizer: `adam`, `adamw` or `sgd`.
        lr: Learning rate, constant.
        momentum: Momentum of `sgd`.
        weight_decay: Weight decay of torch's optimizers: decoupled from the gradient for `adamw`,
            part of it for the others.
        batch_size: Images per step, 0 for all images; every epoch has a new random order.
        target: Training stops after the epoch whose running train accuracy on the given labels
            reaches this share.
        min_epochs: The fewest epochs of training, also where the target is reached before.
        max_epochs: The most epochs of training.
        threads: CPU threads; rounding of sums depends on their number.
        precision: `fp32`, or `bf16` for automatic mixed precision.

    Examples:
        >>> from memgen_bench import Recipe
        >>> Recipe(optimizer="sgd", lr=0.1, momentum=0.9).target
        1.0
        >>> Recipe(target=2.0)
        Traceback (most recent call last):
        ValueError: a recipe cannot have target 2.0
    """

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    batch_size: int = 64
    target: float = 1.0
    min_epochs: int = 0
    max_epochs: int = 500
    threads: int = 1
    precision: Literal["fp32", "bf16"] = "fp32"

    def __post_init__(self) -> None:
        wrong = [
            *([f"optimizer {self.optimizer!r}"] if self.optimizer not in _OPTIMIZERS else []),
            *([f"precision {self.precision!r}"] if self.precision not in ("fp32", "bf16") else []),
            *([f"lr {self.lr}"] if self.lr <= 0 else []),
            *([f"target {self.target}"] if not 0 < self.target <= 1 else []),
            *(
                f"{name} {getattr(self, name)}"
                for name in ("max_epochs", "threads")
                if getattr(self, name) < 1
            ),
            *(
                f"{name} {getattr(self, name)}"
                for name in ("weight_decay", "batch_size", "min_epochs")
                if getattr(self, name) < 0
            ),
        ]
        if wrong:
            raise ValueError(f"a recipe cannot have {', '.join(wrong)}")

    def identity(self) -> dict[str, Any]:
        """Return the fields that are hashed.

        A field that was added later is hashed only if it differs from its default, so that networks
        trained before keep their names.
        """
        defaults = {each.name: each.default for each in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _LATER_FIELDS or value != defaults[name]
        }


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The base class of all specifications.

    Attributes:
        name: The name that users type; lower case, unique among its kind.
        summary: One line for `memgen-bench list`.
        version: Raised whenever results change; part of every identity.
        citation: The source of the method or the data.
    """

    name: str
    summary: str
    version: int = 1
    citation: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """An architecture with its training recipe.

    Attributes:
        build: Builds an untrained module for a task; its output has K columns (logits). Raises
            `NotApplicable` with a reason if the model does not take such images.
        recipe: The training recipe.
        layers: Names of the modules whose outputs are read, in order, without input and logits;
            `name:2` is the second call of one module. None: timm's `feature_info` where the
            module has one, else every activation module, as far as they have an output. Of a
            tuple or list the first tensor with a row for each image is read.
        parameters: What sets this model apart from others made by the same function; hashed.
        tasks: Tasks that the model is made for, on which checks try it; empty: any task.

    Examples:
        >>> from memgen_bench import ModelSpec, Task
        >>> def build(task):
        ...     from torch import nn
        ...
        ...     return nn.Sequential(nn.Flatten(), nn.LazyLinear(task.num_classes))
        >>> spec = ModelSpec(name="linear", summary="one linear layer", build=build)
        >>> spec.build(Task(channels=1, height=8, width=8, num_classes=10))[0]
        Flatten(start_dim=1, end_dim=-1)
    """

    build: Callable[[Task], nn.Module]
    recipe: Recipe = Recipe()
    layers: tuple[str, ...] | None = None
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()


class Features(Protocol):
    """Label-free features of images: `fit` sees training images, and never a label."""

    def fit(self, images: Images, seed: int) -> Any:
        """Fit on training images, N×C×H×W float32; all random numbers come from `seed`."""

    def transform(self, images: Images) -> Any:
        """Return the features of images: a float32 array, N × the shape that is specified."""


@dataclass(frozen=True, kw_only=True)
class FeaturesSpec(Spec):
    """Label-free features of the images: a control that decoders read in place of a network.

    They are fitted on the training images of a split, held-out ones included, as a network's
    user has these.

    Attributes:
        build: Builds new features; see `Features`.
        shape: Shape of the features of one image of a task: (D,), or (C, H, W) for a map, which is
            pooled as a network's maps are. Raises `NotApplicable` with a reason if the features do
            not apply to such images.

    Examples:
        >>> from memgen_bench import FeaturesSpec
        >>> class Mean:
        ...     def fit(self, images, seed):
        ...         return self
        ...
        ...     def transform(self, images):
        ...         return images.mean(axis=(2, 3))
        >>> spec = FeaturesSpec(
        ...     name="mean", summary="mean colour", build=Mean, shape=lambda task: (task.channels,)
        ... )
    """

    build: Callable[[], Features]
    shape: Callable[[Task], tuple[int, ...]]


def _no_files(data_dir: Path) -> tuple[Path, ...]:
    """Return the files of a data set that is made in memory: none."""
    return ()


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(Spec):
    """A labelled set of images.

    What `load` and `files` warn of (`warnings.warn`) is told to whoever runs the data set, as is
    an overlap of its training and test images.

    Attributes:
        load: Reads the data below a data root.
        files: The files that `load` reads; raises `DataNotFoundError` where they are not there.
            Their sizes and times stand for the contents, so that planning reads no data.
        download: Fetches the data into a data root; None where that is not offered.
        generated: Whether `download` makes the data on this machine, with no connection; it is then
            called wherever they are missing.
        import_from: Takes files that the user already has (a file or folder) into a data root.

    Examples:
        >>> import numpy as np
        >>> from memgen_bench import Data, DatasetSpec
        >>> def load(data_dir):
        ...     images, labels = np.zeros((6, 1, 8, 8), np.float32), np.arange(6) % 3
        ...     return Data(images[:3], labels[:3], images[3:], labels[3:])
        >>> DatasetSpec(name="black", summary="black images", load=load).files("anywhere")
        ()
    """

    load: Callable[[Path], Data]
    files: Callable[[Path], tuple[Path, ...]] = _no_files
    download: Callable[[Path], None] | None = None
    generated: bool = False
    import_from: Callable[[Path, Path], None] | None = None


@runtime_checkable
class Decoder(Protocol):
    """The two methods of scikit-learn that a decoder must have.

    `X` is N×D float32, `y` N int64 labels, of which a class may have no point at all. With
    scope `network`, `X` is an ordered mapping from layer name to such a matrix. X belongs to all
    decoders: arrays cannot be written to, and a change of their memory fails its decoder.

    A decoder of scope `layer` may also have `fit_moments(moments, **needs)`, which must give the
    same model as `fit`: it is then fitted from `Moments`, which are computed once for all decoders.

    Parameters that it chose for itself, on noisy validation labels, are in `chosen_`, a mapping of
    plain values that is stored with its readings.

    One that fits much on noisy validation labels (weights, a choice among many) predicts them too
    well. It may cross-fit: `validation_predictions_` then holds a label for each validation point,
    N integers, by a fit that did not see its label, and replaces `predict` of these points, so that
    its validation accuracy can be compared with others'.
    """

    def fit(self, X: Any, y: Any, **needs: Any) -> Any:
        """Fit on activations X and labels y, with the needs of its specification."""

    def predict(self, X: Any) -> Any:
        """Return one label per row."""


@runtime_checkable
class Recall(Protocol):
    """A decoder of scope `training`: it is fitted on nothing, but chooses an epoch to read out."""

    def recall(self, record: TrainingRecord) -> tuple[int, Sequence[int]]:
        """Return an epoch (from 1) and the network's predictions for all test images after it.

        Raises:
            NotApplicable: No such epoch was stored.
        """


@dataclass(frozen=True, kw_only=True)
class DecoderSpec(Spec):
    """A way to read labels out of activations.

    Attributes:
        build: Builds a new estimator (see `Decoder`; for scope `training`, `Recall`).
        scope: `layer` (fitted on one layer), `network` (on all of the network's own layers), or
            `training` (on nothing; see `Recall`).
        arrays: The type that `fit` and `predict` get: `numpy`, or `torch` tensors on the run's
            device. `Moments` hold tensors on the run's device in either case.
        needs: Arguments passed to `fit` by keyword: `validation` (X and noisy y), `transition`
            (the noise's K×K matrix P[true, given]), `network` (a copy of the module), `trajectory`
            (how the network learned each training point: see `Trajectory`), `held_out` (which of
            the points the network never saw, N booleans), `neighbors`
            (a `Neighbors` search among X whose results decoders share; scope `layer` only).
            `test` says that it sees test labels, or is told the rule that makes them; with scope
            `training`, the record lacks all that depends on test labels without it.
        slow: Left out of a suite's default run; `--slow` includes it.
        tried_on: What checks try it on: `points` around the centres of classes, or, for decoders
            of scope `network` that apply to nothing else, `sums` modulo K of two one-hot numbers,
            in a network that adds.
        beside: Label-free features of the images that X has beside each layer's activations; set
            by `decoder|features`, the name of such a decoder.
        selects: It chooses training points and fits another decoder on these, its parameter
            `estimator`; in a chain that is the decoder which follows.
        fitted_on: The points that it is fitted on, whatever a suite says: `training`, those that
            the network was trained on; `held_out`, those that it never saw; or `both`. Set by
            `decoder@both`. None: those of the suite.
        stochastic: Predictions depend on the seed or on the order of points; `memgen-bench check`
            then compares accuracies, on average, instead of predictions.

    Examples:
        >>> from memgen_bench import DecoderSpec
        >>> from sklearn.naive_bayes import GaussianNB
        >>> spec = DecoderSpec(name="naive-bayes", summary="Gaussian naive Bayes", build=GaussianNB)
        >>> spec.build()
        GaussianNB()
    """

    build: Callable[[], Decoder]
    scope: Literal["layer", "network", "training"] = "layer"
    arrays: Literal["numpy", "torch"] = "numpy"
    needs: tuple[Need, ...] = ()
    slow: bool = False
    stochastic: bool = False
    tried_on: Literal["points", "sums"] = "points"
    beside: str = ""
    selects: bool = False
    fitted_on: FittedOn | None = None


@dataclass(frozen=True, kw_only=True)
class Positions:
    """The positions of some labels among a data set's training images.

    Attributes:
        index: The positions, ascending.
        count: The number of all training images.
    """

    index: Index
    count: int


@dataclass(frozen=True, kw_only=True)
class NoiseSpec(Spec):
    """A rule that corrupts labels.

    Attributes:
        corrupt: (labels, rate, num_classes, rng) to new labels. With an rng in the same state, the
            points that a smaller rate chooses are a subset of a larger one's. Raises
            `NotApplicable` with a reason if the noise does not apply to such data.
        transition: (rate, num_classes) to the K×K matrix P[true, given] for equal class counts.
            None where it depends on the data: the matrix of each draw then replaces it.
        needs: Extras passed to `corrupt` by keyword: `images` (N×C×H×W float32, those of the
            labels), `positions` (see `Positions`).

    Examples:
        >>> import numpy as np
        >>> from memgen_bench import NoiseSpec
        >>> def to_zero(labels, rate, num_classes, rng):
        ...     return np.where(rng.random(len(labels)) < rate, 0, labels)
        >>> def transition(rate, num_classes):
        ...     return (1 - rate) * np.eye(num_classes) + rate * (np.arange(num_classes) == 0)
        >>> spec = NoiseSpec(
        ...     name="to-zero", summary="becomes class 0", corrupt=to_zero, transition=transition
        ... )
        >>> spec.corrupt(np.array([1, 2]), 1.0, 3, np.random.default_rng(0))
        array([0, 0])
        >>> spec.transition(0.5, 2)
        array([[1. , 0. ],
               [0.5, 0.5]])
    """

    corrupt: Callable[..., LabelVector]
    transition: Callable[[float, int], Transition] | None
    needs: tuple[NoiseNeed, ...] = ()


class Engine(Protocol):
    """A context manager that runs functions, somewhere.

    Attributes:
        slots: Number of functions that run at once; more are not submitted.
    """

    @property
    def slots(self) -> int:
        """Return the number of functions that run at once."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start `function(*args, report)` and return a future of its result or exception.

        The function's reports are passed on before the future is done, from any thread.
        """

    def __enter__(self) -> Self:
        """Get ready to run functions."""

    def __exit__(self, *error: object) -> None:
        """Shut down; after an error, stop all running functions at once."""


@dataclass(frozen=True, kw_only=True)
class EngineSpec(Spec):
    """A way to run many networks at once.

    Attributes:
        open: Maps (jobs, report, scheduler) to an `Engine`: the number of networks that run at
            once, the function to call with each message, and the value of `--scheduler`.
        in_process: Whether functions run in the runner's own process, not in children that may be
            lost.
    """

    open: Callable[[int, Report, str], Engine]
    in_process: bool = False


S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, kw_only=True)
class Family(Generic[S]):
    """Many specifications under one prefix, made on demand.

    Attributes:
        prefix: The prefix of all names, with a slash at the end: `timm/`.
        summary: One line for `memgen-bench list`.
        resolve: Full name to specification; raises `KeyError` where there is no such member.
        featured: The full names that listings show and that axes without names iterate over.
        members: All full names that can be named beforehand.

    Examples:
        >>> from memgen_bench import DecoderSpec, Family
        >>> from sklearn.neighbors import KNeighborsClassifier
        >>> def resolve(name):
        ...     count = int(name.removeprefix("my-knn/"))
        ...     return DecoderSpec(
        ...         name=name,
        ...         summary=f"{count} nearest neighbours",
        ...         build=lambda: KNeighborsClassifier(count),
        ...     )
        >>> family = Family(prefix="my-knn/", summary="k nearest neighbours", resolve=resolve)
        >>> family.resolve("my-knn/7").build()
        KNeighborsClassifier(n_neighbors=7)
    """

    prefix: str
    summary: str
    resolve: Callable[[str], S]
    featured: tuple[str, ...] = ()
    members: Callable[[], Iterable[str]] = tuple
