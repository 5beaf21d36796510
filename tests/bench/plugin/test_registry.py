"""The registry: what loads, by which name, and what a broken plugin does to the others."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from memgen_bench import PluginError, UsageError, load_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    PluginWriter = Callable[[str, str], Path]

BUILT_IN = {
    "models": {"mlp", "cnn", "paper-mlp", "paper-cnn", "paper-alexnet", "paper-resnet18"},
    "datasets": {
        "digits",
        "fashion-mnist",
        "mnist",
        "cifar10",
        "cifar100",
        "svhn",
        "tiny-imagenet",
        "noise-images",
    },
    "decoders": {
        "masc",
        "masc-75",
        "velpic",
        "ncm",
        "ncm-euclidean",
        "lda",
        "lda-shrunk",
        "qda-shrunk",
        "knn-5",
        "knn-50",
        "logreg",
        "linear-svm",
        "ridge",
    },
    "noises": {"uniform", "flip", "permute", "pair"},
}

IMPORTED = """
from memgen_bench import load_registry
from memgen_bench.global_state import preserved
with preserved():  # what is imported for the first time by our own modules may change some
    import memgen_bench.plugin.registry
with preserved() as changes:
    load_registry()
print([*changes.restored, *changes.lasting])
"""

PREAMBLE = """
import sys
from memgen_bench import DecoderSpec, Family, NoiseSpec, hookimpl

def decoder(name):
    return DecoderSpec(name=name, summary="a test's", build=object)
"""


def test_plugins_that_ship_change_nothing_global_when_they_are_imported() -> None:
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def offering(expression: str) -> str:
    """Return a plugin whose `register_decoders` returns the value of an expression."""
    return f"{PREAMBLE}\n@hookimpl\ndef register_decoders():\n    return {expression}\n"


# Source of a broken plugin, and what the error must say beside the plugin's name and file.
BROKEN = {
    "misspelt hook": (
        f"{PREAMBLE}\n@hookimpl\ndef register_decoder():\n    return []\n",
        (": unknown hook 'register_decoder'; did you mean register_decoders?",),
    ),
    "hook with an argument": (
        f"{PREAMBLE}\n@hookimpl\ndef register_decoders(extra):\n    return []\n",
        ("register_decoders", "extra", "memgen_bench.plugin.hookspecs"),
    ),
    "no hook": ("answer = 42\n", ("register_models", "register_noises", "hookimpl")),
    "raises on import": (
        "raise RuntimeError('out of\\ncheese')\n",
        ("import", "RuntimeError: out of cheese", "mend"),
    ),
    "exits on import": ("import sys\nsys.exit(3)\n", ("import", "SystemExit: 3", "mend")),
    "does not parse": ("def\n", ("import", "SyntaxError", "mend")),
    "needs what is not installed": (
        "import not_installed_anywhere\n",
        ("import", "not_installed_anywhere", "mend"),
    ),
    "hook raises": (offering("1 / 0"), ("register_decoders", "ZeroDivisionError")),
    "hook exits": (offering("sys.exit(3)"), ("register_decoders", "SystemExit: 3")),
    "returns text": (
        offering("['masc']"),
        ("register_decoders", "str", "'masc'", "return a list of DecoderSpec"),
    ),
    "returns one spec, not a list": (
        offering("decoder('alone')"),
        ("register_decoders returned one DecoderSpec; put it in a list",),
    ),
    "returns the wrong kind of spec": (
        offering("[NoiseSpec(name='n', summary='', corrupt=None, transition=None)]"),
        ("register_decoders", "NoiseSpec", "return a list of DecoderSpec"),
    ),
    "returns nothing": (offering("None"), ("register_decoders", "list of DecoderSpec")),
    "name with a space": (offering("[decoder('two words')]"), ("register_decoders", "two words")),
    "name with markup": (offering("[decoder('<b>')]"), ("register_decoders", "<b>")),
    "name in capitals": (offering("[decoder('MASC')]"), ("register_decoders", "MASC")),
    "empty name": (offering("[decoder('')]"), ("register_decoders", "''")),
    "name that is no text": (offering("[decoder(7)]"), ("register_decoders", "7")),
    "reserved name": (offering("[decoder('readout')]"), ("register_decoders", "readout")),
    "family without a slash": (
        offering("[Family(prefix='toy', summary='', resolve=decoder)]"),
        ("register_decoders", "toy"),
    ),
    "name of a built-in": (offering("[decoder('masc')]"), ("masc", "decoders", "rename")),
    "name twice": (offering("[decoder('twin'), decoder('twin')]"), ("twin", "twice", "rename")),
    "prefix of a built-in": (
        f"{PREAMBLE}\n@hookimpl\ndef register_models():\n"
        "    return [Family(prefix='timm/', summary='', resolve=decoder)]\n",
        ("timm/", "timm_models", "rename"),
    ),
}
broken = pytest.mark.parametrize(("source", "says"), BROKEN.values(), ids=list(BROKEN))


def test_built_ins_load_without_a_problem() -> None:
    registry = load_registry()
    assert registry.problems == []
    for kind, names in BUILT_IN.items():
        assert names <= set(getattr(registry, kind))


def test_built_ins_come_in_by_the_entry_points() -> None:
    names = {
        entry_point.name
        for entry_point in importlib.metadata.entry_points(group="memgen_bench")
        if entry_point.dist is not None and entry_point.dist.name == "memgen-bench"
    }
    loaded = {p.name for p in load_registry().plugins if p.distribution == "memgen-bench"}
    assert loaded == names


@pytest.mark.parametrize("kind", BUILT_IN)
def test_catalogues_are_sorted_mappings(kind: str) -> None:
    catalogue = getattr(load_registry(), kind)
    names = list(catalogue)
    assert names == sorted(set(names))
    assert len(catalogue) == len(names)
    assert [catalogue[name].name for name in names] == names


def test_a_spec_knows_the_plugin_that_it_came_from() -> None:
    registry = load_registry()
    plugin = registry.decoders.plugin("masc")
    version = importlib.metadata.version("memgen-bench")
    assert (plugin.name, plugin.distribution) == ("decoders", "memgen-bench")
    assert plugin.version == version
    assert registry.models.plugin("timm/test_resnet").name == "timm_models"
    with pytest.raises(KeyError, match="no noise 'louder'"):
        registry.noises.plugin("louder")


def test_families_resolve_any_member_and_iterate_over_the_featured() -> None:
    models = load_registry().models
    assert [name for name in models if name.startswith("timm/")] == [
        "timm/test_convnext",
        "timm/test_resnet",
    ]
    assert models["timm/resnet18"].name == "timm/resnet18"
    assert "timm/resnet18" in models
    assert "timm/resnet18" not in list(models)


def test_a_family_without_members_resolves_what_is_asked_for() -> None:
    datasets = load_registry().datasets
    assert datasets.find("folder/my/pets").name == "folder/my/pets"
    assert not [name for name in datasets if name.startswith("folder/")]


@pytest.mark.parametrize(
    ("kind", "typed", "hint"),
    [
        ("decoders", "mask", "did you mean masc"),
        ("models", "papercnn", "did you mean paper-cnn"),
        ("models", "timm/tset_resnet", "did you mean timm/test_resnet"),
        ("datasets", "fashionmnist", "did you mean fashion-mnist"),
        ("noises", "something", "known: confusion/cifar10, flip, instance, pair, permute"),
    ],
)
def test_an_unknown_name_gets_a_hint(kind: str, typed: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        getattr(load_registry(), kind).find(typed)
    assert repr(typed) in str(caught.value)


def test_a_plugin_file_offers_its_specs(plugin_file: PluginWriter) -> None:
    path = plugin_file("mine", offering("[decoder('zeta'), decoder('alpha')]"))
    registry = load_registry([path])
    assert {"alpha", "masc", "zeta"} <= set(registry.decoders)
    assert registry.decoders.plugin("zeta").file == str(path)
    assert "zeta" not in load_registry().decoders


def test_a_plugin_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.py: there is no such file"):
        load_registry([tmp_path / "nowhere.py"])


def test_a_plugin_file_must_be_python(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("x = 1\n")
    with pytest.raises(UsageError, match=r"notes\.txt: not a Python file"):
        load_registry([path])


def test_plugin_files_of_one_name_both_load(tmp_path: Path) -> None:
    paths = []
    for name in ("first", "second"):
        path = tmp_path / name / "decoders.py"
        path.parent.mkdir()
        path.write_text(offering(f"[decoder('{name}')]"))
        paths.append(path)
    assert {"first", "second"} <= set(load_registry(paths).decoders)


@broken
def test_a_broken_plugin_file_is_an_error_that_names_plugin_file_and_mend(
    source: str, says: tuple[str, ...], plugin_file: PluginWriter
) -> None:
    path = plugin_file("mischief", source)
    with pytest.raises(PluginError) as caught:
        load_registry([path])
    message = str(caught.value)
    for part in ("mischief", str(path), *says):
        assert part in message
    assert "\n" not in message


@broken
def test_a_broken_installed_plugin_is_reported_and_the_others_load(
    source: str, says: tuple[str, ...], install_plugin: PluginWriter
) -> None:
    install_plugin("mischief", source)
    install_plugin("wellbehaved", offering("[decoder('nice')]"))
    registry = load_registry()
    (problem,) = registry.problems
    for part in ("mischief", "mischief-dist 2.5", *says):
        assert part in str(problem)
    assert {"masc", "nice"} <= set(registry.decoders)
    assert registry.decoders.plugin("nice").distribution == "wellbehaved-dist"
    assert "mischief" not in {plugin.name for plugin in registry.plugins}


def test_a_broken_plugin_offers_nothing_rather_than_a_part(install_plugin: PluginWriter) -> None:
    install_plugin("mischief", offering("[decoder('fine'), decoder('Not Fine')]"))
    assert "fine" not in load_registry().decoders


def test_a_contested_name_is_nobodys_until_the_conflict_is_mended(
    install_plugin: PluginWriter,
) -> None:
    install_plugin("mischief", offering("[decoder('masc'), decoder('other')]"))
    registry = load_registry()
    with pytest.raises(PluginError, match=r"mischief.*'masc' is already taken.*rename"):
        registry.decoders.find("masc")
    assert registry.decoders.find("ncm").name == "ncm"


def test_a_contested_name_is_contested_among_its_kind_only(install_plugin: PluginWriter) -> None:
    install_plugin("namesake", offering("[decoder('mlp'), decoder('mlp')]"))
    assert load_registry().models.find("mlp").name == "mlp"


def test_an_unknown_name_may_come_from_a_broken_plugin(install_plugin: PluginWriter) -> None:
    install_plugin("mischief", "raise RuntimeError\n")
    with pytest.raises(UsageError, match="broken plugin: mischief"):
        load_registry().decoders.find("decoder-of-mischief")


def test_an_interrupt_during_import_is_no_broken_plugin(plugin_file: PluginWriter) -> None:
    path = plugin_file("slow", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_registry([path])


def test_a_file_that_is_installed_already_is_not_loaded_twice(install_plugin: PluginWriter) -> None:
    module = install_plugin("mine", offering("[decoder('nice')]"))
    registry = load_registry([module])
    assert registry.decoders.plugin("nice").distribution == "mine-dist"
    assert registry.problems == []


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0byte"])
def test_a_name_that_can_be_no_path_is_unknown_in_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="there is no dataset"):
        load_registry().datasets.find(name)
