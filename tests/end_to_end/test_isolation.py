"""No decoder can touch another's numbers, whatever it does to memory and to the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import memgen_bench
from helpers.reading_lab import PLUGIN, SUITE, Lab, of, same
from helpers.rude_decoders import CHANGERS, LASTING, WRITERS
from memgen_bench import load_registry

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")
POLITE = ["masc", "lda", "knn-5", "on-arrays"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("plugins")
    texts = {"small": PLUGIN, "writers": WRITERS, "changers": CHANGERS}
    small, *rude = (folder / f"{name}.py" for name in texts)
    for file, text in zip((small, *rude), texts.values(), strict=True):
        file.write_text(text)
    return Lab(small, tuple(rude))


@pytest.fixture(scope="module")
def rude(lab: Lab) -> list[str]:
    decoders, files = load_registry(lab.more).decoders, set(map(str, lab.more))
    return [name for name in decoders if decoders.plugin(name).file in files]


@pytest.fixture(scope="module")
def expected(lab: Lab) -> dict[str, Outcome]:
    return lab.read(POLITE)


@given(data=st.data())
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_polite_decoders_read_the_same_in_any_company(
    lab: Lab, rude: list[str], expected: dict[str, Outcome], data: st.DataObject
) -> None:
    company = data.draw(st.lists(st.sampled_from(rude), min_size=3, max_size=6, unique=True))
    found = lab.read(data.draw(st.permutations([*POLITE, *company])))
    same(of(found, *POLITE, None), expected)


def numbers(results: Path) -> dict[str, Any]:
    """Return what polite decoders predicted, by key."""
    rows = pl.DataFrame(memgen_bench.read_results(results)).filter(
        ~pl.col("decoder").str.starts_with("a-")
    )
    return dict(rows.select("key", pl.struct("status", "test_correct", "message")).iter_rows())


@pytest.mark.slow
def test_who_changes_the_process_for_good_ends_it_and_nothing_else(tmp_path: Path) -> None:
    plugin = tmp_path / "lasting.py"
    plugin.write_text(LASTING)
    suite = SUITE.replace(
        {
            **{"models": ["mlp"], "rates": [0.4], "kinds": ["untrained"], "labels": ["true"]},
            "decoders": ["ncm", "masc"],
        }
    )
    found = {}
    for name, decoders in (
        ("alone", suite.decoders),
        ("among", ("a-thread", "ncm", "a-streams", "masc")),
    ):
        memgen_bench.run(
            suite.replace({"decoders": decoders}),
            results=tmp_path / name,
            cache_dir=tmp_path / "cache",
            plugins=[plugin],
        )
        found[name] = numbers(tmp_path / name)
    assert found["alone"] == found["among"]
    rude = pl.DataFrame(memgen_bench.read_results(tmp_path / "among")).filter(
        pl.col("decoder").str.starts_with("a-")
    )
    assert set(rude["status"]) == {"ok"}
    assert all("another process goes on" in message for message in rude["message"])
