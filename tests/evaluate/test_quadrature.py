"""Means over contexts that were not seen, against cases that can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.evaluate.quadrature import mean_over, nearness


def test_one_value_seen_at_a_distance() -> None:
    """Its weight is 1, and two places at distance d differ by a variance of 2 s^2 (1 - exp(-d^2 / 2))."""
    found = mean_over(np.zeros((1, 1)), np.array([[1.5]]), np.ones(1), np.array([0.3]), 0.2)
    assert found.weights == pytest.approx([1.0])
    assert found.noise == 1, "one value says nothing of its noise"
    assert found.extrapolation == pytest.approx(0.2 * math.sqrt(2 * (1 - math.exp(-(1.5**2) / 2))))


def test_contexts_that_were_seen_are_averaged_and_little_else_is_unknown() -> None:
    rng = np.random.default_rng(0)
    places, values = rng.normal(size=(300, 2)), rng.normal(size=300)
    found = mean_over(places, places, np.ones(300), values, 0.1)
    assert found.weights.sum() == pytest.approx(1)
    assert found.noise == pytest.approx(values.std() / math.sqrt(300))
    assert found.weights @ values == pytest.approx(values.mean(), abs=found.noise / 2)
    assert found.extrapolation < 0.02


def test_far_from_all_that_was_seen_the_mean_is_known_up_to_the_scale() -> None:
    rng = np.random.default_rng(1)
    seen, values = rng.normal(size=(400, 2)), 0.3 + 0.1 * rng.normal(size=400)
    found = mean_over(seen, np.full((50, 2), 40.0), np.ones(50), values, 0.25)
    # A little more than the scale: the constant was seen through the process as well.
    assert 0.25 < found.extrapolation < 0.28
    assert found.weights @ values == pytest.approx(0.3, abs=0.08)


def test_what_changes_over_the_contexts_is_followed() -> None:
    """The figure is 1 on the right and 0 on the left; nearly all asked for lies on the right, little of what was seen."""
    rng = np.random.default_rng(2)
    seen, asked = rng.uniform(-2, 1, size=(600, 1)), rng.uniform(0, 1, size=(200, 1))
    values = (seen[:, 0] > 0) + 0.3 * rng.normal(size=600)
    found = mean_over(seen, asked, np.ones(200), values, 0.7)
    assert values.mean() < 0.4
    assert found.weights @ values == pytest.approx(1, abs=0.1)


def test_contexts_may_weigh_differently_and_be_taken_away() -> None:
    rng = np.random.default_rng(4)
    seen = rng.uniform(-1, 1, size=(500, 1))
    values = np.sign(seen[:, 0]) * 0.8 + 0.1 * rng.normal(size=500)
    left, right = np.full((20, 1), -0.5), np.full((30, 1), 0.5)
    weights = np.concatenate([np.full(20, -1.0), np.full(30, 2.0)])
    found = mean_over(seen, np.vstack([left, right]), weights, values, 0.7)
    # (60 * .8 - 20 * -.8) / (60 - 20)
    assert found.weights @ values == pytest.approx(1.6, abs=0.1)
    assert found.weights.sum() == pytest.approx(1)


def test_values_that_are_all_equal_are_not_certain() -> None:
    found = mean_over(np.zeros((600, 1)), np.zeros((5, 1)), np.ones(5), np.zeros(600), 0.1)
    assert found.noise == pytest.approx(1 / 600)
    assert found.weights == pytest.approx(np.full(600, 1 / 600))


def test_equal_states_are_at_one_place_however_few_there_are() -> None:
    rng = np.random.default_rng(5)
    seven = rng.normal(size=(7, 40))
    seen, asked = nearness(seven[rng.integers(7, size=200)], seven)
    nearest = np.linalg.norm(seen[:, None] - asked[None], axis=2).min(axis=1)
    assert nearest.max() < 1e-6


def test_distances_do_not_depend_on_the_units_of_the_states() -> None:
    rng = np.random.default_rng(3)
    states = rng.normal(size=(80, 5))
    places = np.vstack(nearness(states[:50], states[50:]))
    scaled = np.vstack(nearness(1000 * states[:50] + 7, 1000 * states[50:] + 7))
    distances, others = (np.linalg.norm(p[:, None] - p[None], axis=2) for p in (places, scaled))
    assert others == pytest.approx(distances)


def test_nothing_to_go_by_is_refused() -> None:
    with pytest.raises(ValueError, match="0 contexts seen"):
        mean_over(np.zeros((0, 1)), np.zeros((1, 1)), np.ones(1), np.zeros(0), 0.1)
