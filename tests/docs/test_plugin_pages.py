"""The pages of plugins and of columns say what the code says."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import pkgutil
import re
from typing import Any, get_args

import pytest

from helpers.pages import DOCS, PAGES, ROOT
from memgen_bench.plugin import hookspecs
from memgen_bench.plugin.specs import Need, NoiseNeed
from memgen_bench.results.schemas import TABLES

HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    hook = getattr(hookspecs, name)
    page = (DOCS / "plugins" / f"{name.removeprefix('register_')}.md").read_text()
    assert f"## `{name}{inspect.signature(hook)}`".replace("'", "") in page
    promise = " ".join((inspect.getdoc(hook) or "").split("\n")[0].split()).replace("``", "`")
    assert promise.rstrip(".").partition(";")[0] in " ".join(page.split())


def test_every_hook_has_a_real_user() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    assert [name for name in HOOKS if f"def {name}(" not in sources] == []


def test_every_hook_has_a_test() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *PAGES]
    sources = "".join(path.read_text() for path in files)
    assert [name for name in HOOKS if f"def {name}(" not in sources] == []


def test_every_need_is_documented() -> None:
    for kind, name in ((Need, "decoders.md"), (NoiseNeed, "noises.md")):
        page = (DOCS / "plugins" / name).read_text()
        assert [need for need in get_args(kind) if f"| `{need}` | " not in page] == []


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented_with_its_type_in_order(name: str) -> None:
    text = (DOCS / "results-format.md").read_text()
    section = text.partition(f"## Columns of {name}\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \| (.*?) \| ", section, flags=re.MULTILINE)
    assert shown == [(field.name, str(field.type)) for field in TABLES[name]]


def listings() -> Any:
    spec = importlib.util.spec_from_file_location("listings", DOCS / "_ext" / "listings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABULATED = re.findall(r"^```{fields} (.*)$", (DOCS / "reference.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("where", TABULATED)
def test_a_reference_table_has_every_field_with_its_meaning(where: str) -> None:
    found = pkgutil.resolve_name(where)
    names = getattr(found, "model_fields", None) or [f.name for f in dataclasses.fields(found)]
    shown = re.findall(r"^\| `(\w+)` \| .*? \| (.+) \|$", listings().fields(where), re.MULTILINE)
    assert [name for name, _ in shown] == list(names)


def test_a_reference_table_has_defaults() -> None:
    text = listings().fields("memgen_bench:Recipe")
    assert "| `max_epochs` | `500` | The most epochs of training. |" in text
    text = listings().fields("memgen_bench.plan.suite:Suite")
    assert "| `noises` | `['uniform']` | Noise names. |" in text
    text = listings().properties("memgen_leaderboard.scoring.suite_scores:Scores")
    assert "| `board` | One row for each decoder" in text
