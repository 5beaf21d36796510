"""Modules that plugins may build on: `toolkit.decoders`, `toolkit.engines` and `toolkit.files`.

The contract itself, `memgen_bench`, is light; the first two of these bring torch. No other module
of `memgen_bench` is meant for plugins: names move there from one version to the next.
"""
