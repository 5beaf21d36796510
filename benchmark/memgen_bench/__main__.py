"""`python -m memgen_bench` is the same as `memgen-bench`."""

from memgen_bench.cli import main

main()
