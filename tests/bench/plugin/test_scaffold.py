"""A new package is complete, its own tests pass as written, and nothing is ever overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.third_party import ask_pytest, register
from memgen_bench import UsageError, load_registry
from memgen_bench.errors import WriteError
from memgen_bench.plugin.scaffold import write_package
from memgen_bench.testing.subjects import NOUNS

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = load_registry()


@pytest.mark.slow
@pytest.mark.parametrize("noun", NOUNS)
def test_the_tests_of_a_new_package_pass_as_written(noun: str, tmp_path: Path) -> None:
    name = f"brand-new-{noun}"
    folder = write_package(noun, name, tmp_path, REGISTRY)
    register(folder, name, name.replace("-", "_"))
    done = ask_pytest(folder, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/test_brand_new_" in done.stdout  # its own test
    assert f"{noun} {name}::described PASSED" in done.stdout  # and the contract


def test_nothing_of_the_template_is_left_in_a_new_package(tmp_path: Path) -> None:
    for noun in NOUNS:
        folder = write_package(noun, f"x-{noun}", tmp_path, REGISTRY)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) == 5
        for file in files:
            text = str(file.relative_to(tmp_path)) + file.read_text()
            assert not any(word in text for word in ("my-plugin", "my_plugin", "MyPlugin", "NOUN"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My-Decoder", "is no name for a package"),
        ("../up", "is no name for a package"),
        ("-x", "is no name for a package"),
        ("a--b", "is no name for a package"),
        ("", "is no name for a package"),
        ("3d-knn", "must begin with a letter"),
        ("masc", "is there already, from plugin 'decoders'"),
        ("readout", "is the network's own readout"),
        ("class", "is a Python module or word already"),
        ("json", "is a Python module or word already"),
        ("numpy", "is a Python module or word already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        write_package("decoder", name, tmp_path, REGISTRY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "years-of-work").mkdir()
    (tmp_path / "years-of-work" / "work.py").write_text("years")
    (tmp_path / "linked").symlink_to(tmp_path / "nowhere")
    for name in ("years-of-work", "linked"):
        with pytest.raises(UsageError, match="is there already"):
            write_package("decoder", name, tmp_path, REGISTRY)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "linked",
        "work.py",
        "years-of-work",
    ]


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"):
        write_package("decoder", "brand-new", tmp_path / "file", REGISTRY)
