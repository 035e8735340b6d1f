"""Intervals against textbook values and against their promised coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.stats import (
    Interval,
    binomial_interval,
    bootstrap_interval,
    clustered_share,
    late_rise,
    paired_difference,
    recovered,
    t_interval,
)


def test_format_shows_what_exists() -> None:
    assert Interval(0.41723, 0.3741, 0.4599, 5).format(3) == "0.417 [0.374, 0.460]"
    assert Interval(0.41723, math.nan, math.nan, 1).format(2) == "0.42"
    assert Interval(math.nan, math.nan, math.nan, 5).format() == "n/a"


def test_excludes_needs_bounds() -> None:
    assert Interval(0.2, 0.1, 0.3, 5).excludes(0)
    assert not Interval(0.2, -0.1, 0.3, 5).excludes(0)
    assert not Interval(0.2, math.nan, math.nan, 1).excludes(0)


def test_t_interval_of_three_values() -> None:
    # Mean 2, standard deviation 1, t(.975; 2) = 4.302653: half width 4.302653 / sqrt(3).
    found = t_interval([1, 2, 3])
    assert found.mean == pytest.approx(2)
    assert (found.low, found.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)


def test_one_seed_has_a_mean_and_no_bounds() -> None:
    found = t_interval([0.7])
    assert found.mean == 0.7
    assert found.n == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [[1.0, 2.0]]])
def test_t_interval_refuses_what_has_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"values"):
        t_interval(values)


def test_paired_difference_removes_what_seeds_share() -> None:
    base = np.array([0.1, 0.5, 0.9])
    arm = base + np.array([0.10, 0.11, 0.12])
    found = paired_difference(arm, base)
    assert found.excludes(0)
    with pytest.raises(ValueError, match="same seeds"):
        paired_difference([1, 2], [1, 2, 3])


def test_bootstrap_agrees_with_the_normal_interval_where_that_holds() -> None:
    x = np.random.default_rng(0).normal(size=1000)
    found = bootstrap_interval(x, np.random.default_rng(1))
    half = 1.96 * x.std() / math.sqrt(1000)
    # Bounds of 2,000 resamples have a standard error of about 0.05 half widths.
    assert found.low == pytest.approx(x.mean() - half, abs=0.2 * half)
    assert found.high == pytest.approx(x.mean() + half, abs=0.2 * half)


def test_bootstrap_covers_the_mean_of_skewed_rewards() -> None:
    # Rewards that are mostly 0: 40 draws of an exponential times a coin. Nominal 95%; the standard error of the
    # share over 300 repetitions is 1.3 points, and small samples cost some: 90% is 4 errors below, and a
    # one-sided or a 90% interval fails it.
    rng = np.random.default_rng(2)
    draws = rng.exponential(size=(300, 40)) * (rng.random((300, 40)) < 0.5)
    found = [bootstrap_interval(x, rng, resamples=500) for x in draws]
    assert 0.90 <= np.mean([i.low <= 0.5 <= i.high for i in found]) <= 0.985
    # BCa leans to the long tail's side, unlike the symmetric normal interval.
    assert np.mean([(i.high - i.mean) / (i.mean - i.low) for i in found]) > 1.15


def test_bootstrap_edge_cases() -> None:
    rng = np.random.default_rng(0)
    assert bootstrap_interval([1, 1, 1], rng) == Interval(1, 1, 1, 3)
    assert math.isnan(bootstrap_interval([1], rng).low)
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_interval([0, 1], rng, resamples=10)


def test_wilson_textbook_values() -> None:
    found = binomial_interval(0, 10)
    assert (found.low, found.high) == (0, pytest.approx(0.2775, abs=1e-4))
    half = binomial_interval(50, 100)
    assert (half.low, half.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    nothing = binomial_interval(0, 0)
    assert math.isnan(nothing.mean)
    assert (nothing.low, nothing.high) == (0, 1)
    with pytest.raises(ValueError, match="successes"):
        binomial_interval(3, 2)


def test_clustered_share_is_wilson_for_single_occasions_and_wider_for_clusters() -> None:
    single = np.array([0, 1] * 50)
    plain = binomial_interval(50, 100)
    found = clustered_share(single, np.ones(100))
    assert found.n == 100
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=2e-3)
    # Ten dialogues of ten occasions, all or none violated: ten independent trials, not a hundred.
    clustered = clustered_share([0, 10] * 5, [10] * 10)
    tenth = binomial_interval(4.5, 9)
    assert clustered.mean == 0.5
    assert (clustered.low, clustered.high) == pytest.approx((tenth.low, tenth.high))
    assert clustered_share([0] * 10, [10] * 10).high == pytest.approx(binomial_interval(0, 10).high)
    assert math.isnan(clustered_share([0], [0]).mean)
    with pytest.raises(ValueError, match="successes"):
        clustered_share([2], [1])


def test_recovered_is_the_ratio_of_means() -> None:
    base, oracle = [0.2, 0.3, 0.2], [0.6, 0.8, 0.7]
    found = recovered([0.4, 0.6, 0.5], base, oracle)
    assert found.interval.mean == pytest.approx(0.8 / 1.4)
    assert found.per_seed == pytest.approx((0.5, 0.6, 0.6))
    assert found.gain.mean == pytest.approx(1.4 / 3)
    assert found.interval.low < 0.8 / 1.4 < found.interval.high
    everything = recovered(oracle, base, oracle).interval
    assert (everything.mean, everything.low, everything.high) == pytest.approx((1, 1, 1))


def test_fieller_bounds_solve_their_own_equation() -> None:
    x, y = np.array([0.20, 0.31, 0.27, 0.22]), np.array([0.40, 0.52, 0.45, 0.47])
    found = recovered(x, np.zeros(4), y).interval
    for bound in (found.low, found.high):
        rest = t_interval(x - bound * y)
        # At a bound, the t-interval of x - r y just touches 0.
        assert min(abs(rest.low), abs(rest.high)) == pytest.approx(0, abs=1e-9)


def test_recovered_covers_a_known_ratio() -> None:
    # Five seeds, oracle gain .4 +- .05, arm .7 of it, own noise. Fieller is exact for normal gains: 95% with a
    # standard error of 1.0 point over 500 repetitions; 3 errors either side.
    rng = np.random.default_rng(3)
    gain = rng.normal(0.4, 0.05, size=(500, 5))
    arm = rng.normal(0.28, 0.05, size=(500, 5))
    found = [recovered(a, np.zeros(5), g).interval for a, g in zip(arm, gain, strict=True)]
    assert 0.92 <= np.mean([i.low <= 0.7 <= i.high for i in found]) <= 0.98


def test_recovered_of_no_gain_is_nan() -> None:
    loss = recovered([0.5, 0.5], [0.4, 0.4], [0.3, 0.3])
    assert math.isnan(loss.interval.mean)
    assert all(math.isnan(x) for x in loss.per_seed)
    # A gain of .1 on average, from seeds of -.2 to .4: not significant, though one seed has a ratio.
    doubtful = recovered([0.5, 0.5, 0.5], [0.4, 0.4, 0.4], [0.2, 0.5, 0.8])
    assert math.isnan(doubtful.interval.mean)
    assert doubtful.per_seed[2] == pytest.approx(0.25)
    one = recovered([0.5], [0.4], [0.6])
    assert one.interval.mean == pytest.approx(0.5)
    assert not one.interval.bounded
    with pytest.raises(ValueError, match="share their seeds"):
        recovered([1, 2], [1, 2], [1])


def test_late_rise_of_a_straight_line_is_its_last_third() -> None:
    found = late_rise(np.arange(30) / 10)
    assert found.mean == pytest.approx(0.9)  # the last ten steps: from 2.0 to 2.9
    assert found.low == pytest.approx(0.9)
    assert found.n == 10


def test_late_rise_does_not_see_what_happened_before() -> None:
    assert late_rise([*range(20), *[20.0] * 10]).mean == pytest.approx(0)


def test_late_rise_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth = 0.19  # a slope of .01 over the 19 gaps of the last 20 of 60 steps
    found = [late_rise(0.01 * np.arange(60) + rng.normal(0, 0.05, 60)) for _ in range(1000)]
    # 95% +- 3 standard errors of a share of 1,000.
    assert 0.929 <= np.mean([f.low <= truth <= f.high for f in found]) <= 0.971


def test_late_rise_needs_a_curve() -> None:
    with pytest.raises(ValueError, match="9 or more"):
        late_rise([0.1] * 8)
