"""Fixtures: frozen activations of memorized networks, to score decoders on without training.

A fixture is two files. `<name>.npz` holds arrays and no objects: activations as bytes, so that
they are small, with an offset and a step for each unit, and labels. `<name>.json`, under a checksum
of its own, holds the checksum of the arrays and says where they come from. What a decoder gets is
the activations as they are frozen, on every machine the same to the bit.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memgen_bench.errors import DamagedError, FixtureError
from memgen_bench.files import write_atomically
from memgen_bench.protocol import PROTOCOL_VERSION
from memgen_bench.sealed import checksum, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from memgen_bench.specs import Labels

    Matrix = npt.NDArray[np.float32]
    Arrays = Mapping[str, npt.NDArray[Any]]

FROZEN = Path(__file__).parent / "frozen"
MOST_CLASSES = 256  # a label is a byte
_LEVELS = 255


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """Frozen activations of one memorized network, and the labels that decoders need.

    It holds no true training label: no decoder can be given one by mistake.

    Attributes:
        name: `<data set>-<model>-<noise>-<rate>`.
        sha256: Checksum of all its arrays.
        about: Where it comes from: network, model, data set, noise, rate, certificate, readout …
        sizes: How many points are for training, validation and test, in the order of the rows.
        layers: Bytes, offsets and steps of each layer, in the network's order.
        given: Draws × (training and validation points): corrupted labels.
        test_labels: True labels of the test points.
    """

    name: str
    sha256: str
    about: Mapping[str, Any]
    sizes: tuple[int, int, int]
    layers: Mapping[str, tuple[npt.NDArray[np.uint8], Matrix, Matrix]]
    given: npt.NDArray[np.uint8]
    test_labels: Labels

    @property
    def null(self) -> bool:
        """Whether the labels say nothing of the true ones, whatever the true one is."""
        return bool(np.ptp(self.transition, axis=0).max() < 1e-12)

    @property
    def num_classes(self) -> int:
        """K; labels are 0..K-1."""
        return len(self.transition)

    @property
    def transition(self) -> npt.NDArray[np.float64]:
        """P[true, given] of the noise, K×K."""
        return np.array(self.about["transition"])

    def points(self, layer: str) -> tuple[Matrix, Matrix, Matrix]:
        """Return a layer's activations of the training, validation and test points, float32."""
        levels, low, step = self.layers[layer]
        points = low + levels.astype(np.float32) * step
        first, second = np.cumsum(self.sizes[:2])
        return points[:first], points[first:second], points[second:]

    def labels(self, draw: int) -> tuple[Labels, Labels]:
        """Return a draw's labels of the training and of the validation points."""
        given = self.given[draw].astype(np.int64)
        return given[: self.sizes[0]], given[self.sizes[0] :]


def freeze(points: Matrix) -> tuple[npt.NDArray[np.uint8], Matrix, Matrix]:
    """Return activations (N×D) as bytes, with each unit's offset and step (D).

    A unit's values are spread over 256 levels from its least to its largest one; where the least
    is 0, as after a ReLU, 0 stays 0.
    """
    low = points.min(axis=0)
    step = (points.max(axis=0) - low) / np.float32(_LEVELS)
    levels = np.rint((points - low) / np.where(step > 0, step, 1))
    return levels.clip(0, _LEVELS).astype(np.uint8), low, step


def save_fixture(fixture: Fixture, folder: Path) -> Path:
    """Write a fixture's two files into a folder and return the path of its description."""
    description, content = folder / f"{fixture.name}.json", _packed(_arrays(fixture))
    write_atomically(description.with_name(f"{fixture.name}.npz"), content)
    fields = {
        "protocol_version": PROTOCOL_VERSION,
        "name": fixture.name,
        "arrays": checksum(content),
        "content": fixture.sha256,
        "layers": list(fixture.layers),
        "sizes": list(fixture.sizes),
        **fixture.about,
    }
    write_atomically(description, seal(fields))
    return description


def fixture_names(folder: Path = FROZEN) -> list[str]:
    """Return the names of the fixtures in a folder, by default those that ship."""
    return sorted(path.stem for path in folder.glob("*.json"))


def load_fixtures(folder: Path = FROZEN) -> list[Fixture]:
    """Return all fixtures in a folder, by default those that ship.

    Raises:
        FixtureError: There is none, or one is damaged or of another version of the protocol.
    """
    if not (names := fixture_names(folder)):
        raise FixtureError(f"{folder}: no fixture; make one with memgen-bench export-activations")
    return [load_fixture(name, folder) for name in names]


def load_fixture(name: str, folder: Path = FROZEN) -> Fixture:
    """Read a fixture, every byte of it checked.

    Raises:
        FixtureError: It is not there, damaged, or of another version of the protocol.
    """
    path = folder / f"{name}.json"
    try:
        fields = unseal(path.read_bytes())
        content = (folder / f"{name}.npz").read_bytes()
        if checksum(content) != fields["arrays"]:
            raise DamagedError("its arrays do not match their checksum")
    except OSError as error:
        known = ", ".join(fixture_names(folder)) or "none"
        raise FixtureError(f"{error.filename}: not there; fixtures there: {known}") from error
    except (DamagedError, LookupError) as error:
        raise FixtureError(f"{path}: damaged ({error}); get or export the fixture again") from error
    if fields["protocol_version"] != PROTOCOL_VERSION:
        raise FixtureError(
            f"{path}: of protocol version {fields['protocol_version']}, this is {PROTOCOL_VERSION};"
            " export the fixture again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _fixture(fields, arrays)


def content_digest(arrays: Arrays) -> str:
    """Return the SHA-256 of the names, types, shapes and contents of arrays."""
    parts = (
        f"{name}{array.dtype.str}{array.shape}".encode() + array.tobytes()
        for name, array in sorted(arrays.items())
    )
    return checksum(b"".join(parts))


def new_fixture(
    name: str,
    about: Mapping[str, Any],
    parts: Mapping[str, tuple[Matrix, Matrix, Matrix]],
    given: npt.NDArray[np.integer[Any]],
    test_labels: Labels,
) -> Fixture:
    """Freeze activations.

    Args:
        name: The fixture's name.
        about: Where it comes from; has `transition`, K×K.
        parts: Each layer's activations of the training, validation and test points.
        given: Draws × (training and validation points): corrupted labels.
        test_labels: True labels of the test points.

    Raises:
        FixtureError: There are more than 256 classes.
    """
    if len(about["transition"]) > MOST_CLASSES:
        raise FixtureError(f"{name}: a fixture has at most {MOST_CLASSES} classes")
    train, validation, test = (len(part) for part in next(iter(parts.values())))
    fixture = Fixture(
        name=name,
        sha256="",
        about=about,
        sizes=(train, validation, test),
        layers={layer: freeze(np.concatenate(matrices)) for layer, matrices in parts.items()},
        given=given.astype(np.uint8),
        test_labels=test_labels,
    )
    digest = content_digest(_arrays(fixture))
    return Fixture(**{**vars(fixture), "sha256": digest})


def _arrays(fixture: Fixture) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "given": fixture.given,
        "test": fixture.test_labels.astype(np.uint8),
    }
    for layer, triple in fixture.layers.items():
        names = (f"{layer}/levels", f"{layer}/low", f"{layer}/step")
        arrays |= dict(zip(names, triple, strict=True))
    return arrays


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _fixture(fields: dict[str, Any], arrays: Arrays) -> Fixture:
    layers = {
        layer: (arrays[f"{layer}/levels"], arrays[f"{layer}/low"], arrays[f"{layer}/step"])
        for layer in fields["layers"]
    }
    own = {"protocol_version", "name", "arrays", "content", "layers", "sizes"}
    train, validation, test = fields["sizes"]
    return Fixture(
        name=fields["name"],
        sha256=fields["content"],
        about={name: value for name, value in fields.items() if name not in own},
        sizes=(train, validation, test),
        layers=layers,
        given=arrays["given"],
        test_labels=arrays["test"].astype(np.int64),
    )
