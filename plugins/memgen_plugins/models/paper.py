"""The networks of Ketha & Ramaswamy (arXiv 2501.14687) with their recipes.

All are ReLU networks without dropout, weight decay, schedule or augmentation; layers are read
after the ReLU, as the paper does. The stop rule (`target`) differs by data set and is set by the
suites; 1.0 is the paper's rule on CIFAR-10. Deviation: batches are drawn anew every epoch, where
the released code visits fixed batches in the data set's order.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from memgen_bench import ModelSpec, Recipe, Task, hookimpl

if TYPE_CHECKING:
    from torch import nn

_CITATION = "Ketha & Ramaswamy 2025, arXiv 2501.14687"
_TINY_SIDE = 64  # from this image side on, AlexNet has its 11x11 and 5x5 filters


def _dense(inputs: int, outputs: int) -> nn.Module:
    from torch import nn

    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())


def build_mlp(task: Task) -> nn.Module:
    """Inputs-128-512-2048-2048-K."""
    from torch import nn

    inputs = task.channels * task.height * task.width
    return nn.Sequential(
        OrderedDict(
            flat=nn.Flatten(),
            fc1=_dense(inputs, 128),
            fc2=_dense(128, 512),
            fc3=_dense(512, 2048),
            fc4=_dense(2048, 2048),
            out=nn.Linear(2048, task.num_classes),
        )
    )


def build_cnn(task: Task) -> nn.Module:
    """Convolutions 16,16,pool,32,32,pool,64,64,pool; dense 250,250,250; K outputs without bias."""
    from torch import nn

    def block(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.MaxPool2d(2),  # before the ReLU: no number differs, and it has a quarter to do
            nn.ReLU(),
        )

    flat = 64 * (task.height // 8) * (task.width // 8)
    return nn.Sequential(
        OrderedDict(
            block1=block(task.channels, 16),
            block2=block(16, 32),
            block3=block(32, 64),
            flatten=nn.Flatten(),
            fc1=_dense(flat, 250),
            fc2=_dense(250, 250),
            fc3=_dense(250, 250),
            out=nn.Linear(250, task.num_classes, bias=False),
        )
    )


def build_alexnet(task: Task) -> nn.Module:
    """AlexNet for 32x32 (3x3 filters) or 64x64 images (11x11 and 5x5); flattens to 256 on both."""
    from torch import nn

    if min(task.height, task.width) >= _TINY_SIDE:
        first, second = nn.Conv2d(task.channels, 64, 11, stride=4, padding=2), 5
    else:
        first, second = nn.Conv2d(task.channels, 64, 3, stride=2, padding=1), 3
    convs: list[nn.Module] = [
        *(first, nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(64, 192, second, padding=second // 2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
    ]
    return nn.Sequential(
        OrderedDict(
            convs=nn.Sequential(*convs),
            flatten=nn.Flatten(),
            fc1=_dense(256, 4096),
            fc2=_dense(4096, 4096),
            out=nn.Linear(4096, task.num_classes),
        )
    )


def build_resnet18(task: Task) -> nn.Module:
    """ResNet-18 with a 3x3 stride-1 stem that keeps the 3/2 max-pool."""
    from torch import nn
    from torchvision.models import resnet18

    module: nn.Module = resnet18(weights=None, num_classes=task.num_classes)
    module.conv1 = nn.Conv2d(task.channels, 64, 3, stride=1, padding=1, bias=False)
    return module


@hookimpl
def register_models() -> list[ModelSpec]:
    """Offer the paper's four networks."""
    sgd = Recipe(optimizer="sgd", lr=1e-3, momentum=0.9, batch_size=32, threads=2)
    return [
        ModelSpec(
            name="paper-mlp",
            summary="the paper's MLP, 128-512-2048-2048",
            citation=_CITATION,
            build=build_mlp,
            recipe=sgd,
            layers=("fc1", "fc2", "fc3", "fc4"),
        ),
        ModelSpec(
            name="paper-cnn",
            summary="the paper's CNN, six convolutions and three dense layers of 250",
            citation=_CITATION,
            build=build_cnn,
            recipe=Recipe(optimizer="adam", lr=2e-4, batch_size=128, threads=2),
            layers=("flatten", "fc1", "fc2", "fc3"),
        ),
        ModelSpec(
            name="paper-alexnet",
            summary="the paper's AlexNet for 32x32 and 64x64 images",
            citation=_CITATION,
            build=build_alexnet,
            recipe=Recipe(optimizer="adam", lr=1e-4, batch_size=128, threads=2),
            layers=("flatten", "fc1", "fc2"),
        ),
        ModelSpec(
            name="paper-resnet18",
            summary="the paper's ResNet-18 with a CIFAR stem and a max-pool",
            citation=_CITATION,
            build=build_resnet18,
            recipe=sgd,
            layers=(
                "maxpool",
                "layer1.0.relu",
                "layer1.0.relu:2",
                "layer1.1.relu",
                "layer1",
                "layer2",
                "layer3",
                "layer4",
                "avgpool",
            ),
        ),
    ]
