"""Try a GPU in ten minutes: its tests, its numbers beside the CPU's, and the seconds of both.

    python benchmark/gpu_check.py [--wheels DIR] [--out DIR] [--quick]

With `--wheels` what is missing is installed from the wheels in that folder, without a network. Runs
of `smoke`, of the pairs of `core` and, where its files are, of one network of `fashion-10k` are
made on both devices; networks are trained on each, features and predictions compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RUNS: dict[str, dict[str, Any]] = {
    "smoke": {"suite": "smoke"},
    "core, one seed at rate 0.4": {"suite": "core", "seeds": [0], "rates": [0.4]},
    "fashion-10k, one network": {
        "suite": "fashion-10k",
        "seeds": [0],
        "rates": [0.4],
        "models": ["paper-cnn"],
        "kinds": ["memorized"],
    },
}
SAME = ["model", "dataset", "kind", "rate", "seed", "decoder", "layer", "fitted_on"]
MANY = (1, 2, 4, 8)  # processes that train the small networks of `core` on one GPU


def install(wheels: Path) -> None:
    """Install this package and its requirements from a folder of wheels."""
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True)


def seconds(name: str, device: str, folder: Path, jobs: int = 1) -> float:
    """Return the seconds of one run on a device, nothing cached."""
    import memgen_bench

    started = time.perf_counter()
    memgen_bench.run(
        **RUNS[name],
        device=device,
        jobs=jobs,
        results=folder / "results",
        cache_dir=folder / "cache",
    )
    return time.perf_counter() - started


def agreement(cpu: Path, gpu: Path) -> tuple[float, str, float]:
    """Compare readings of the same activations: of untrained networks and of features.

    Returns:
        The share of test images that both have right or both wrong, the decoder that agrees least,
        and its share.
    """
    import numpy as np
    import polars as pl

    from memgen_bench.results.store import read_frame

    def bits(results: Path) -> pl.DataFrame:
        rows = read_frame(results, "readings", ["key", "status", "test_correct", *SAME])
        same = pl.col("kind").is_in(["untrained", "features"]) & (pl.col("status") == "ok")
        return rows.filter(same)

    both = bits(cpu).join(bits(gpu), on=SAME, nulls_equal=True)
    shares = {}
    for (decoder,), part in both.group_by("decoder"):
        pairs = part.select("test_correct", "test_correct_right").iter_rows()
        equal = [np.frombuffer(a, np.uint8) ^ np.frombuffer(b, np.uint8) for a, b in pairs]
        shares[str(decoder)] = 1 - float(np.mean(np.unpackbits(np.concatenate(equal))))
    least = min(shares, key=shares.__getitem__)
    return sum(shares.values()) / len(shares), least, shares[least]


def certified(results: Path) -> str:
    """Return how many trained networks memorized, of all."""
    from memgen_bench.results.store import read_frame

    found = read_frame(results, "networks", ["network_id", "memorized"])["memorized"].drop_nulls()
    return f"{found.sum()} of {len(found)}"


def main() -> None:
    """Install, test, run on both devices, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, help="folder of wheels to install from")
    parser.add_argument("--out", type=Path, help="keep the results here")
    parser.add_argument("--quick", action="store_true", help="`smoke` alone")
    parser.add_argument("--device", default="cuda", help="the device to compare with the CPU")
    arguments = parser.parse_args()
    if arguments.wheels and not importlib.util.find_spec("memgen_bench"):
        install(arguments.wheels)
    out = arguments.out or Path(tempfile.mkdtemp(prefix="gpu-check-"))
    tests = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(ROOT / "tests" / "gpu")]
    print("tests:", "passed" if subprocess.run(tests, check=False).returncode == 0 else "FAILED")
    print("| run | CPU, s | GPU, s | predictions that agree | least | memorized, CPU | GPU |")
    print("|---|--:|--:|--:|---|--:|--:|")
    for name in list(RUNS)[: 1 if arguments.quick else None]:
        folders = [out / f"{name} {device}" for device in ("cpu", "gpu")]
        try:
            taken = [
                seconds(name, device, folder)
                for device, folder in zip(("cpu", arguments.device), folders, strict=True)
            ]
        except Exception as error:  # the other rows count all the same
            print(f"| {name} | {error} | | | | | |")
            continue
        mean, least, share = agreement(*(folder / "results" for folder in folders))
        memorized = [certified(folder / "results") for folder in folders]
        print(
            f"| {name} | {taken[0]:.0f} | {taken[1]:.0f} | {mean:.2%} | {least} {share:.2%} | "
            f"{memorized[0]} | {memorized[1]} |"
        )
    if arguments.quick:
        return
    print("\n| processes on one GPU | core, one seed at rate 0.4, s |\n|--:|--:|")
    for jobs in MANY:
        taken_by = seconds(list(RUNS)[1], arguments.device, out / f"jobs {jobs}", jobs)
        print(f"| {jobs} | {taken_by:.0f} |")


if __name__ == "__main__":
    main()
