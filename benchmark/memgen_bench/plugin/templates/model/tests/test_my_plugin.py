"""Tests of this model beyond memgen-bench's contract."""

from my_plugin import build

from memgen_bench import Task


def test_its_hidden_layers_are_96_wide():
    module = build(Task(channels=3, height=8, width=8, num_classes=5))
    assert [module[0][1].out_features, module[1][0].out_features] == [96, 96]
