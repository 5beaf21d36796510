"""The global state of a process, which is as it was after whatever a plugin did to it.

`preserved` is the door. Parts of the state are settings, functions, and all that is left running:
each kind has a module of its own here.
"""

from memgen_bench.global_state.preservation import Changes, is_checked, lasting_changes, preserved

__all__ = ["Changes", "is_checked", "lasting_changes", "preserved"]
