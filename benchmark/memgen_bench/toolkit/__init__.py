"""The modules that plugins may build on beside the contract: `toolkit.decoders`, `toolkit.engines`.

The contract itself, `memgen_bench`, is light; these modules bring torch. No other module of
`memgen_bench` is meant for plugins: names move there from one version to the next.
"""
