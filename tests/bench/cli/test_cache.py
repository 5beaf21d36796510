"""`memgen-bench cache`, as a user calls it, and runs that find networks in one."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

import memgen_bench
from helpers.cached_networks import flip, networks
from helpers.command_line import SUITE, CommandLine


def contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path("cache").rglob("*") if path.is_file()}


def leave_behind(hours: float) -> Path:
    """Write a temporary file as a process that was killed some time ago would have left it."""
    path = Path("cache/networks/.a1b2c3d4.tmp")
    path.write_bytes(b"half a networ")
    os.utime(path, times=(time.time(), time.time() - 3600 * hours))
    return path


def test_list_shows_what_is_there(in_workplace: CommandLine) -> None:
    leave_behind(hours=2)
    clean, memorized = networks()
    Path(f"cache/networks/{'0' * 20}.json.damaged").write_text("[bold]")
    flip(clean)
    code, out, _ = in_workplace("cache", "list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "mlp on digits, uniform 0.4, seed 1" in lines[memorized.stem]
    assert lines[memorized.stem].split()[1] == "network"
    assert "damaged" in lines[clean.stem]
    assert "does not match its checksum" in lines[clean.stem]
    assert "set aside" in lines["0" * 20]
    assert "temporary" in lines["temporary"]


def test_list_and_size_count_shared_folders(in_workplace: CommandLine, tmp_path: Path) -> None:
    shared = Path(shutil.copytree("cache/networks", tmp_path / "shared"))
    _, out, _ = in_workplace("cache", "list", "--shared-cache", str(shared))
    assert out.count(networks()[0].stem) == 2
    _, out, _ = in_workplace("cache", "size", "--shared-cache", str(shared))
    total = sum(path.stat().st_size for path in shared.iterdir())
    assert out.count(f": {total / 1000:.1f} kB\n  network: 2, {total / 1000:.1f} kB\n") == 2
    code, out, _ = in_workplace("cache", "list", "--cache-dir", "nowhere")
    assert (code, "nothing" in out) == (0, True)


def test_verify_names_each_damaged_network_and_changes_nothing(in_workplace: CommandLine) -> None:
    assert in_workplace("cache", "verify")[:2] == (
        0,
        "networks and checkpoints: 2 checked, 0 damaged\n",
    )
    clean, memorized = networks()
    flip(clean)
    weights = memorized.with_suffix(".safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    before = contents()
    code, out, _ = in_workplace("cache", "verify")
    assert code == 1
    for path, reason in ((clean, "its JSON does not"), (memorized, "its weights do not")):
        assert f"{path}: damaged ({reason} match" in out
    assert "networks and checkpoints: 2 checked, 2 damaged" in out
    trajectory = memorized.with_suffix(".trajectory")
    trajectory.write_bytes(trajectory.read_bytes()[:-1])
    assert f"{trajectory}: damaged" in in_workplace("cache", "verify")[1]
    trajectory.write_bytes(before[trajectory])
    assert contents() == before


def test_prune_removes_what_is_of_no_use_and_says_so(in_workplace: CommandLine) -> None:
    clean, memorized = networks()
    kept = {path for path in contents() if clean.stem not in path.name}
    flip(clean)
    left = leave_behind(hours=2)
    aside = Path(f"cache/networks/{'0' * 20}.checkpoint.damaged")
    aside.write_text("bad")
    done = memorized.with_suffix(".checkpoint")
    done.write_bytes(memorized.read_bytes() + memorized.with_suffix(".safetensors").read_bytes())
    before = contents()
    dry = in_workplace("cache", "prune", "--dry-run")
    assert contents() == before
    code, out, _ = in_workplace("cache", "prune")
    assert code == 0
    assert dry[1].replace("would remove", "removing").replace("would be", "were") == out
    for name, reason in (
        (f"{clean.name}, {clean.stem}.safetensors, {clean.stem}.trajectory", "damaged"),
        (left.name, "left behind"),
        (aside.name, "set aside as damaged"),
        (done.name, "its network is trained"),
    ):
        assert f"removing {name}: {reason}" in out
    assert "4 were removed from" in out
    assert set(contents()) == kept
    assert "0 were removed from" in in_workplace("cache", "prune")[1]


def test_prune_leaves_alone_what_may_be_in_use(in_workplace: CommandLine) -> None:
    leave_behind(hours=0.1)
    _, memorized = networks()
    weights = memorized.with_suffix(".safetensors")
    memorized.with_suffix(".checkpoint").write_bytes(memorized.read_bytes() + weights.read_bytes())
    for path in (memorized, weights, memorized.with_suffix(".trajectory")):
        path.unlink()
    before = contents()
    assert "0 were removed" in in_workplace("cache", "prune")[1]
    assert contents() == before


def test_prune_goes_by_age(in_workplace: CommandLine) -> None:
    clean, memorized = networks()
    for path in (clean, *map(clean.with_suffix, (".safetensors", ".trajectory"))):
        os.utime(path, times=(time.time(), time.time() - 9 * 86_400))
    assert "0 were removed" in in_workplace("cache", "prune", "--older-than", "10")[1]
    assert (
        f"{clean.stem}.trajectory: 9 days old"
        in in_workplace("cache", "prune", "--older-than", "8")[1]
    )
    assert networks() == [memorized]


def test_prune_keeps_what_a_suite_plans(in_workplace: CommandLine) -> None:
    clean, memorized = networks()
    Path("clean.toml").write_text(SUITE.replace("0.4", "0"))
    assert "0 were removed" in in_workplace("cache", "prune", "--keep-suite", "tiny.toml")[1]
    both = in_workplace("cache", "prune", "--keep-suite", "clean.toml", "--older-than", "1")
    assert "0 were removed" in both[1]
    _, out, _ = in_workplace("cache", "prune", "--keep-suite", "clean.toml")
    assert f"{memorized.stem}.trajectory: planned by no suite that is kept" in out
    assert networks() == [clean]


def test_prune_keeps_what_comes_from_the_networks_that_it_keeps(in_workplace: CommandLine) -> None:
    Path("dynamics.toml").write_text(f"{SUITE}checkpoints = [1]\n")
    options = ("--suite", "dynamics.toml", "--all", "--results", "more", "--engine", "serial")
    assert in_workplace("run", *options)[0] == 0
    assert len(networks()) == 4
    assert "0 were removed" in in_workplace("cache", "prune", "--keep-suite", "tiny.toml")[1]
    Path("clean.toml").write_text(SUITE.replace("0.4", "0"))
    in_workplace("cache", "prune", "--keep-suite", "clean.toml")
    assert len(networks()) == 2


def test_prune_needs_the_data_of_the_suites_that_it_keeps(in_workplace: CommandLine) -> None:
    Path("more.toml").write_text(SUITE.replace('"digits"', '"digits", "mnist"'))
    before = contents()
    code, out, err = in_workplace(
        "cache", "prune", "--keep-suite", "more.toml", "--data-dir", "nowhere"
    )
    assert (code, out) == (1, "")
    assert "memgen-bench data download mnist" in err
    assert contents() == before


def test_a_run_reads_a_shared_folder_and_trains_nothing(in_workplace: CommandLine) -> None:
    options = ("--suite", "tiny.toml", "--all", "--results", "new", "--engine", "serial")
    code, _, err = in_workplace(
        "run", *options, "--cache-dir", "new", "--shared-cache", "cache/networks"
    )
    assert code == 0, err
    rows = memgen_bench.read_networks("new").to_pylist()
    assert {row["kind"]: row["from_cache"] for row in rows} == {
        "memorized": True,
        "clean": True,
        "untrained": None,
    }
    assert not list(Path("new").rglob("*.safetensors"))


def test_a_run_names_what_is_damaged_and_trains_it_again(in_workplace: CommandLine) -> None:
    clean, memorized = networks()
    flip(memorized)
    options = ("--suite", "tiny.toml", "--all", "--results", "new", "--engine", "serial")
    with pytest.warns(UserWarning, match=f"{memorized.name}: damaged, set aside"):
        assert in_workplace("run", *options)[0] == 0
    rows = {row["kind"]: row for row in memgen_bench.read_networks("new").to_pylist()}
    assert (rows["memorized"]["from_cache"], rows["clean"]["from_cache"]) == (False, True)
    first = memgen_bench.read_networks("memgen-results").to_pylist()
    curves = {row["kind"]: row["curve_train_accuracy"] for row in first}
    assert rows["memorized"]["curve_train_accuracy"] == curves["memorized"]
    assert in_workplace("cache", "verify")[0] == 0
    assert networks() == [clean, memorized]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--all", "--shared-cache", "nowhere"], "nowhere: there is no such folder"),
        (["run", "--all", "--shared-cache", "cache"], "a whole cache; name "),
        (["run", "--checkpoint-minutes", "-1"], "--checkpoint-minutes"),
        (["cache", "list", "--shared-cache", "nowhere"], "there is no such folder"),
        (["cache", "prune", "--keep-suite", "smok"], "did you mean smoke"),
        (["cache", "prune", "--older-than", "-1"], "--older-than"),
        (["why", "0" * 20, "--suite", "smoke"], "nothing in the plan, the cache or the results"),
        (["why"], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], says: str, in_workplace: CommandLine
) -> None:
    code, out, err = in_workplace(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("memgen-bench: error: ")
    assert says in err
    assert err.count("\n") == 1
