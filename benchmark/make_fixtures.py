"""Make the fixtures that ship: train their networks and freeze activations.

    python benchmark/make_fixtures.py

It takes a quarter of an hour on one core, and needs the real Fashion-MNIST. Each line below is a
call of `memgen-bench export-activations`, which makes more.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FROZEN = HERE / "memgen_bench" / "fixtures" / "frozen"
DIGITS = f"--suite '{HERE / 'fixtures-digits.toml'}'"
FIXTURES = (
    f"{DIGITS} --rate 0.4 --rate 0.8 --layer fc1 --layer fc3",
    f"{DIGITS} --rate 1 --train-size 400 --layer fc3 --draws 50",
    f"--suite '{HERE / 'fixtures.toml'}' --layer flatten --layer fc1 --layer fc3",
)


def main() -> None:
    """Make them all."""
    for options in FIXTURES:
        verb = [sys.executable, "-m", "memgen_bench.cli", "export-activations"]
        subprocess.run([*verb, *shlex.split(options), "--out", str(FROZEN)], check=True)


if __name__ == "__main__":
    main()
