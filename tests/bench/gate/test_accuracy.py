"""The accuracy gate from readings to reports and exit codes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from sklearn.naive_bayes import GaussianNB

import memgen_bench
from memgen_bench import DecoderSpec, cli, load_registry
from memgen_bench.errors import FixtureError
from memgen_bench.fixtures.fixture import load_fixtures, save_fixture
from memgen_bench.gate import baseline as baselines
from memgen_bench.gate.accuracy import compare
from memgen_bench.gate.baseline import SHIPPED, accept, nothing_accepted, read_baseline
from memgen_bench.gate.readings import read_fixtures
from memgen_bench.gate.verdict_report import as_json, junit, markdown
from memgen_bench.gate.verdicts import Verdict, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.gate.readings import FixtureReading

pytestmark = pytest.mark.usefixtures("one_thread")

FIXTURES = {fixture.name: fixture for fixture in load_fixtures()}
SCORED = {name: each for name, each in FIXTURES.items() if not each.null}
NULLS = [each for each in FIXTURES.values() if each.null]
DECODERS = load_registry().decoders


class Means:
    """Nearest class mean, and what may be wrong with it."""

    shift = 0.0
    dropped = -1

    def fit(self, X: Any, y: Any, **_: Any) -> Means:
        moved = np.random.default_rng(0).random(len(y)) < self.shift
        y = np.where(moved, (y + 1) % 10, y)
        self.classes = np.array([k for k in np.unique(y) if k != self.dropped])
        self.means = np.stack([X[y == k].mean(axis=0) for k in self.classes])
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        distances = np.square(self.means).sum(axis=1) - 2 * X @ self.means.T
        found: np.ndarray = self.classes[distances.argmin(axis=1)]
        return found


class OneClassLess(Means):
    dropped = 3


class Failing(Means):
    def fit(self, X: Any, y: Any, **_: Any) -> Means:
        raise RuntimeError("no")


class Knowing(Means):
    """Has seen the true labels of the test points elsewhere."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        for fixture in FIXTURES.values():
            if len(X) == fixture.sizes[2] and fixture.null:
                return fixture.test_labels
        return super().predict(X)


def read(
    build: Callable[[], Any], fixtures: Any = None, name: str = "means"
) -> list[FixtureReading]:
    spec = DecoderSpec(name=name, summary="", build=build)
    return list(read_fixtures([spec], SCORED.values() if fixtures is None else fixtures))


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gate") / "baseline.parquet"
    accept(path, read(Means), FIXTURES, {"means": "test 1"}, reason="a start")
    return path


def outcomes(readings: list[FixtureReading], path: Path) -> dict[str, str]:
    verdicts = compare(readings, FIXTURES, read_baseline(path))
    return {verdict.fixture: verdict.outcome for verdict in verdicts}


def test_nothing_changed_is_fine(accepted: Path) -> None:
    assert outcomes(read(Means), accepted) == dict.fromkeys(SCORED, "fine")


def test_a_dropped_class_is_a_regression_and_its_return_an_improvement(
    accepted: Path, tmp_path: Path
) -> None:
    assert "regression" in outcomes(read(OneClassLess), accepted).values()
    worse = tmp_path / "worse.parquet"
    accept(worse, read(OneClassLess), FIXTURES, {"means": "test 1"}, reason="worse")
    back = compare(read(Means), FIXTURES, read_baseline(worse))
    assert "improvement" in {verdict.outcome for verdict in back}
    told = [verdict.message for verdict in back if verdict.outcome == "improvement"]
    assert all("memgen-bench gate accept --decoder " in message for message in told)
    assert exit_code(back) == 0


def test_a_decoder_that_fails_now_is_a_regression(accepted: Path) -> None:
    assert outcomes(read(Failing), accepted) == dict.fromkeys(SCORED, "regression")


def test_what_was_never_accepted_is_new_and_passes_nothing(accepted: Path) -> None:
    verdicts = compare(read(Means, name="other"), FIXTURES, read_baseline(accepted))
    assert {verdict.outcome for verdict in verdicts} == {"new"}
    assert "gate accept --decoder other" in verdicts[0].message
    assert exit_code(verdicts) == 2


def test_another_fixture_of_the_same_name_is_the_wrong_thing(accepted: Path) -> None:
    rows = read_baseline(accepted).with_columns(fixture_sha256=pl.lit("0"))
    verdicts = compare(read(Means), FIXTURES, rows)
    assert {verdict.outcome for verdict in verdicts} == {"missing"}
    assert exit_code(verdicts) == 2


def test_a_fixture_or_decoder_of_the_baseline_that_is_gone_is_named(accepted: Path) -> None:
    first = next(iter(SCORED.values()))
    verdicts = compare(read(Means, [first]), {first.name: first}, read_baseline(accepted), ["old"])
    missing = {(each.decoder, each.fixture) for each in verdicts if each.outcome == "missing"}
    assert missing == {("old", "-"), *(("means", name) for name in SCORED if name != first.name)}


def test_a_null_that_is_gone_is_named() -> None:
    verdicts = compare(read(Means, name="ncm"), SCORED, read_baseline(SHIPPED))
    missing = [verdict.fixture for verdict in verdicts if verdict.outcome == "missing"]
    assert missing == [each.name for each in NULLS]


def test_a_null_shows_a_leak_and_no_leak() -> None:
    fine = compare(read(Means, NULLS), FIXTURES, nothing_accepted())
    assert [verdict.outcome for verdict in fine] == ["fine"]
    assert fine[0].after == pytest.approx(0.1, abs=1e-3)
    leak = compare(read(Knowing, NULLS), FIXTURES, nothing_accepted())
    assert [verdict.outcome for verdict in leak] == ["leak"]


def test_accepting_one_decoder_leaves_the_others_and_keeps_the_reason(
    accepted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "b.parquet"
    path.write_bytes(accepted.read_bytes())
    accept(path, read(Means, name="other"), FIXTURES, {"other": "x 2"}, reason="more")
    rows = read_baseline(path)
    assert rows.filter(decoder="means").equals(read_baseline(accepted))
    other = rows.filter(decoder="other")
    assert set(other["reason"]) == {"more"}
    assert set(other["release"]) == {"x 2"}
    accept(path, [], FIXTURES, {}, dropped=["means"], reason="gone")
    assert set(read_baseline(path)["decoder"]) == {"other"}


def test_predictions_take_as_many_bits_as_the_classes_need(accepted: Path) -> None:
    count = sum(len(reading.predicted) for reading in read(Means) if reading.predicted is not None)
    assert accepted.stat().st_size < count  # not a byte each, with all that is said beside them


def test_a_baseline_of_another_protocol_is_refused(
    accepted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(baselines, "TRAINING_VERSION", 99)
    with pytest.raises(FixtureError, match="protocol version 1, this is 99"):
        read_baseline(accepted)
    (tmp_path / "b").write_bytes(b"PAR1 no")
    with pytest.raises(FixtureError, match="not a baseline"):
        read_baseline(tmp_path / "b")
    with pytest.raises(FixtureError, match="gate accept"):
        read_baseline(tmp_path / "none")


def test_the_baseline_that_ships_holds_every_decoder_that_is_not_slow() -> None:
    rows = read_baseline(SHIPPED)
    fast = {name for name in DECODERS if not DECODERS[name].slow}
    assert fast <= set(rows["decoder"])
    assert set(rows["fixture_sha256"]) == {each.sha256 for each in FIXTURES.values()}
    assert rows["reason"].str.len_chars().min() > 0  # type: ignore[operator]


def test_reports() -> None:
    verdicts = [
        Verdict(
            decoder="a|b",
            fixture="f",
            outcome="regression",
            message="<worse>",
            before=0.5,
            after=0.4,
        ),
        Verdict(decoder="c", fixture="f", outcome="new", message="accept it"),
        Verdict(decoder="d", fixture="f", outcome="fine", before=0.5, after=0.5, changed=0.0),
    ]
    text = markdown(verdicts)
    assert "FAILED: 1 regression, 1 new, 1 fine" in text
    assert "| a\\|b | f | regression | 50.00 % | 40.00 % |" in text
    suite = ElementTree.fromstring(junit(verdicts))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert suite[0][0].get("message") == "regression: <worse>"
    fields = json.loads(as_json(verdicts))
    assert fields["exit_code"] == 1
    assert fields["verdicts"][0]["before"] == 0.5


def test_a_classifier_is_ranked_among_the_decoders(capsys: pytest.CaptureFixture[str]) -> None:
    estimator = GaussianNB()
    ranking = memgen_bench.try_decoder(estimator)
    assert not hasattr(estimator, "classes_")
    assert ranking["accuracy"].drop_nulls().is_sorted(descending=True)
    assert {"mine", "readout", "masc"} <= set(ranking["decoder"])
    assert set(ranking.columns) == {"decoder", "accuracy", *SCORED}
    assert "mine" in capsys.readouterr().out
    with pytest.raises(FixtureError, match=r"mine failed on .* RuntimeError: no"):
        memgen_bench.try_decoder(Failing())


def test_a_registered_decoder_is_ranked_where_the_baseline_has_it() -> None:
    ranking = memgen_bench.try_decoder(DECODERS["ncm"].build())
    row = ranking.filter(pl.col("decoder").is_in(["mine", "ncm"]))
    assert row["accuracy"][0] == pytest.approx(row["accuracy"][1], abs=1e-3)


@pytest.fixture
def line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    folder = tmp_path / "fixtures"
    for fixture in [next(iter(SCORED.values())), *NULLS]:
        save_fixture(fixture, folder)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        places = ["--fixtures", "fixtures", "--baseline", "b.parquet"]
        monkeypatch.setattr(sys, "argv", ["memgen-bench", "gate", *arguments, *places])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out + captured.err

    return call


def test_the_command_line_from_nothing_to_a_report(
    line: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert line("--decoder", "ncm")[0] == 2  # no baseline
    assert line("accept", "--decoder", "ncm", "--reason", " ")[0] == 2
    code, said = line("accept", "--decoder", "ncm", "--reason", "a start")
    assert (code, "1 decoder accepted" in said) == (0, True)
    code, said = line("--decoder", "ncm", "--out", "r.md", "--out", "r.xml", "--out", "r.json")
    assert (code, "gate passed" in said) == (0, True)
    assert "passed" in (tmp_path / "r.md").read_text()
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 0
    code, said = line("--decoder", "masc")
    whole = "gate accept --baseline b.parquet --fixtures fixtures --decoder masc"
    assert (code, whole in " ".join(said.split())) == (2, True)
    assert line("--decoder", "ncm", "--out", "r.pdf")[0] == 2
    assert line("--decoder", "nmc")[0] == 2


def test_what_could_not_be_measured_is_no_regression(
    line: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert line("accept", "--decoder", "ncm", "--reason", "r")[0] == 0
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    code, said = line("--plugin", "broken.py")
    assert (code, "nothing_of_that_name" in said) == (2, True)


def test_a_report_that_cannot_be_written_hides_no_verdict(
    line: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert line("accept", "--decoder", "ncm", "--reason", "r")[0] == 0
    (tmp_path / "file").touch()
    code, said = line("--decoder", "ncm", "--out", "file/r.md", "--out", "r.json")
    assert code == 2
    assert "gate passed" in said
    assert "cannot write file/r.md" in said
    assert (tmp_path / "r.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train"], "--fixtures means nothing to --train"),
        (["accept", "--all", "--reason", "r", "--train"], "--fixtures means nothing to --train"),
        (["--speed", "--base", "HEAD"], "--baseline means nothing to --speed"),
        (["--speed", "--base", "HEAD", "--train"], "--train means nothing to --speed"),
    ],
)
def test_options_that_would_not_be_looked_at_are_refused(
    arguments: list[str], message: str, line: Callable[..., tuple[int, str]]
) -> None:
    code, said = line(*arguments)
    assert (code, message in said) == (2, True)


def test_a_leak_is_never_accepted(line: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    source = """
import numpy as np
from memgen_bench import DecoderSpec, hookimpl
from memgen_bench.fixtures.fixture import load_fixtures

NULL = next(fixture for fixture in load_fixtures() if fixture.null)

class Knowing:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return NULL.test_labels if len(X) == NULL.sizes[2] else np.zeros(len(X))

@hookimpl
def register_decoders():
    return [DecoderSpec(name="knowing", summary="s", build=Knowing)]
"""
    (tmp_path / "knowing.py").write_text(source)
    code, said = line("accept", "--decoder", "knowing", "--reason", "r", "--plugin", "knowing.py")
    assert (code, "leak" in said) == (1, True)
    assert not (tmp_path / "b.parquet").exists()
