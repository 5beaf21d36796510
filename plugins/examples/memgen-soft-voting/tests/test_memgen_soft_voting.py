"""What memgen-bench's contract cannot know of this decoder."""

import numpy as np
from memgen_soft_voting import SoftVoting

X = np.array([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0]])
Y = np.array([4, 4, 6])


def test_similar_points_decide():
    assert SoftVoting().fit(X, Y).predict(np.array([[5.0, 1.0], [0.1, 3.0]])).tolist() == [4, 6]


def test_without_sharpness_the_larger_class_wins():
    assert SoftVoting(sharpness=0.0).fit(X, Y).predict(X).tolist() == [4, 4, 4]


def test_a_zero_vector_is_no_trouble():
    assert SoftVoting().fit(X, Y).predict(np.zeros((1, 2))).tolist() == [4]
