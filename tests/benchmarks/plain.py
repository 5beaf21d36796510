"""The plain ways that speed is measured against, as the published code does things."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import nn

Matrix = np.ndarray[Any, np.dtype[Any]]


class PerImage(Dataset[tuple[torch.Tensor, int]]):
    """Images that are decoded, turned into tensors and normalised one by one."""

    def __init__(self, x: Matrix, y: Matrix) -> None:
        low, high = float(x.min()), float(x.max())
        self.raw = ((x[:, 0] - low) / (high - low) * 255).round().astype(np.uint8)
        self.y = y
        normalise = transforms.Normalize((0.5,), (0.5,))
        self.transform = transforms.Compose([transforms.ToTensor(), normalise])

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.raw[i])), int(self.y[i])


def one_image_at_a_time(
    module: nn.Module, images: PerImage, names: Sequence[str]
) -> dict[str, Matrix]:
    """Extract the named layers' activations, a forward pass for each image (but in eval mode)."""
    module.eval()
    found: dict[str, list[Matrix]] = {name: [] for name in names}
    modules = dict(module.named_modules())
    for image, _ in DataLoader(images, batch_size=1):
        outputs: dict[str, torch.Tensor] = {}
        hooks = [
            modules[name].register_forward_hook(
                lambda _, __, output, name=name, into=outputs: into.__setitem__(name, output)
            )
            for name in names
        ]
        with torch.no_grad():
            module(image)
        for hook in hooks:
            hook.remove()
        for name, output in outputs.items():
            found[name].append(output.flatten().numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def pickled(layers: Mapping[str, Matrix], folder: Path) -> dict[str, Matrix]:
    """Write each layer's activations with pickle and read them again."""
    again = {}
    for name, matrix in layers.items():
        path = folder / f"{name}.pickle"
        path.write_bytes(pickle.dumps(list(matrix)))
        again[name] = np.stack(pickle.loads(path.read_bytes()))
    return again


def textbook_masc(X: Matrix, y: Matrix, test: Matrix, variance: float = 0.99) -> Matrix:
    """Per class: covariance of X and -X, eigh, projection and back in batches of 100, arccos."""
    classes = np.unique(y)
    angles = np.empty((len(test), len(classes)))
    for k, label in enumerate(classes):
        doubled = np.concatenate([X[y == label], -X[y == label]]).astype(np.float64)
        values, vectors = np.linalg.eigh(np.cov(doubled, rowvar=False))
        values, vectors = values[::-1], vectors[:, ::-1]
        basis = vectors[:, : int((np.cumsum(values) / values.sum() <= variance).sum()) + 1]
        for start in range(0, len(test), 100):
            batch = test[start : start + 100].astype(np.float64)
            back = batch @ basis @ basis.T
            lengths = np.linalg.norm(batch, axis=1) * np.linalg.norm(back, axis=1)
            cosine = np.einsum("ij,ij->i", batch, back) / np.maximum(lengths, 1e-300)
            angles[start : start + 100, k] = np.arccos(np.clip(cosine, -1, 1))
    predicted: Matrix = classes[angles.argmin(axis=1)]
    return predicted


def usual_epoch(module: nn.Module, loader: DataLoader[Any], lr: float) -> None:
    """Train for an epoch with a DataLoader, whose images are transformed one by one."""
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    module.train()
    correct = 0
    for x, y in loader:
        logits = module(x)
        loss = functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()
        correct += int((logits.argmax(1) == y).sum())


def seconds(function: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
