"""Read a small model of each of timm's families; write the table of docs/plugins/timm.md.

    python benchmark/timm_sweep.py

Models are built and run as tensors without contents (torch's device `meta`), so that size costs
nothing: a network of 300 million parameters takes a second.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import timm
import torch

from memgen_bench import MemgenError, NotApplicable, Task, load_registry
from memgen_bench.network.layers import build, find_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "plugins" / "timm.md"
BEGIN, END = "<!-- timm's families: begin -->", "<!-- timm's families: end -->"
TASK = Task(channels=3, height=32, width=32, num_classes=10)
HEAD = "| family | model | million parameters | layers read, or why not |\n|---|---|--:|---|\n"

# A small model of each family; a family is a module of timm.
MODELS = """
beit_base_patch16_224 cait_xxs24_224 caformer_s18 coat_tiny convit_tiny convmixer_768_32
cpubone_nano crossvit_tiny_240 cs3darknet_focus_s csatv2 cspnext_tiny davit_tiny
deepseek_vit_412m deit_tiny_patch16_224 densenet121 dla46x_c dpn68 edgenext_x_small
efficientformer_l1 efficientformerv2_s0 efficientvim_m1 efficientvit_b0 efficientvit_m0
ese_vovnet19b_slim_dw eva02_tiny_patch14_224 fasternet_t0 fastvit_s12 focalnet_tiny_srf
gcvit_xxtiny gemma4_vit_167m ghostnet_050 gmlp_ti16_224 halonet_h1 hardcorenas_b hgnetv2_b0
hiera_tiny_224 hieradet_small hrnet_w18_small iformer_t inception_next_atto inception_resnet_v2
inception_v3 inception_v4 lcnetv2_small legacy_seresnet18 legacy_xception levit_128s
lowformer_b0 mobilenetv5_300m mobilevit_xxs mvitv2_tiny naflexvit_base_patch16_gap nasnetalarge
nest_tiny nextvit_small pit_xs_224 pnasnet5large pvt_v2_b0 qwen3_vit_88m rdnet_tiny
regnetx_004_tv repghostnet_050 repvit_m1 res2net50_48w_2s resnest14d resnetv2_18 rexnet_100
samvit_base_patch16_224 selecsls42 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs
swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 swinv2_tiny_window8_256 test_byobnet
test_coatnet test_convnext test_efficientnet test_mambaout test_nfnet test_resnet test_vit
test_vit_relpos tf_mobilenetv3_small_minimal_100 tiny_vit_5m_224 tnt_s_patch16_224 tresnet_m
twins_svt_small vgg11 visformer_tiny vit_tiny_r_s16_p8_224 vitamin_small_224 volo_d1_224
xception41 xcit_nano_12_p8_224
""".split()  # noqa: SIM905 - a list is a hundred lines


@dataclass(frozen=True)
class Row:
    """A family and the model that was read; `layers` is 0 where `reason` says why not."""

    family: str
    model: str
    parameters: int
    layers: int
    reason: str = ""

    def __str__(self) -> str:
        told = str(self.layers) if self.layers else f"none: {self.reason}"
        return f"| {self.family} | `{self.model}` | {self.parameters / 1e6:.1f} | {told} |"


def family_of(name: str) -> str:
    """Return the module of timm that a model comes from."""
    module: str = timm.models.model_entrypoint(name).__module__
    return module.rpartition(".")[2]


def models() -> dict[str, str]:
    """Return the model of each of timm's families; the first one where none is named here."""
    named = {family_of(name): name for name in MODELS if timm.is_model(name)}
    first = {family_of(name): name for name in reversed(timm.list_models())}
    return dict(sorted((first | named).items()))


def row_of(family: str, name: str, device: str = "meta") -> Row:
    """Read a model's layers on a device, through the path that a run takes."""
    spec, parameters = load_registry().models.find(f"timm/{name}"), 0
    with warnings.catch_warnings(), torch.device(device):
        warnings.simplefilter("ignore")  # timm's, of deprecated names
        try:
            parameters = sum(each.numel() for each in build(spec, TASK).parameters())
            layers = len(find_layers(spec, TASK, 4096)) - 1  # without the logits
        except (MemgenError, NotApplicable) as error:
            return Row(family, name, parameters, 0, str(error)[:200].replace("|", "\\|"))
    return Row(family, name, parameters, layers, "" if layers else "it has no layer but the logits")


def rows() -> Iterator[Row]:
    """Yield the row of each family."""
    for family, name in models().items():
        yield row_of(family, name)


def main() -> None:
    """Read a model of each family and put the table into the page."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = list(rows())
    read = sum(row.layers > 0 for row in found)
    text = (
        f"{BEGIN}\ntimm {timm.__version__}: of {read} of {len(found)} families a model is read.\n\n"
        f"{HEAD}" + "".join(f"{row}\n" for row in found) + END
    )
    old = PAGE.read_text()
    PAGE.write_text(old[: old.index(BEGIN)] + text + old[old.index(END) + len(END) :])


if __name__ == "__main__":
    main()
