"""What memgen-bench's contract cannot know of these two."""

from pathlib import Path

from memgen_rings import data, model

from memgen_bench import Task


def test_larger_rings_have_more_bright_pixels():
    loaded = data.load(Path())
    bright = [(loaded.train_x[loaded.train_y == k] > 0).mean() for k in range(4)]
    assert bright == sorted(bright)


def test_the_network_has_its_width_at_any_image_size():
    for size in (4, 12, 32):
        network = model.build(Task(channels=1, height=size, width=size, num_classes=4))
        assert network.hidden[1].in_features == 16 * model.WIDTH
