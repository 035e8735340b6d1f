"""What a forecast advises, by what its interval is wide for."""

from __future__ import annotations

import pytest

from understudy.pipeline.forecast_plan import advice
from understudy.results import Foretold, ReplyEffect


def effect(turn: int, *, reached: float = 1.0, covered: float = 0.9) -> ReplyEffect:
    return ReplyEffect(
        turn=turn, reached=reached, reached_simulated=1.0, replies=100, difference=0.0, noise=1.0, extrapolation=1.0,
        covered=covered,
    )  # fmt: skip


def foretold(
    effects: list[ReplyEffect], width: float, unseen_from: int | None = None, unseen_share: float = 0.0
) -> Foretold:
    return Foretold(
        level=0.9, mean=50, low=50 - width / 2, high=50 + width / 2, reward_max=100.0, effects=effects,
        unseen_from=unseen_from, unseen_share=unseen_share,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "says", "about"),
    [
        (foretold([effect(0), effect(1)], 30), "The logs have the contexts", "narrow"),
        (foretold([effect(0), effect(1)], 70), "Cannot tell yet", "narrow"),
        (foretold([effect(0), effect(1, covered=0.5)], 30), "The interval is as wide", "message 1 on"),
        (foretold([effect(0), effect(1, covered=0.5)], 70), "Cannot tell:", "message 1 on"),
        # Few come there, so that it is not what the interval is wide for.
        (foretold([effect(0), effect(1, reached=0.05, covered=0.2)], 30), "The logs have the contexts", "narrow"),
        (foretold([effect(0)], 30, unseen_from=1, unseen_share=0.3), "The interval is as wide", "message 1 on"),
        (foretold([effect(0)], 30, unseen_from=1, unseen_share=0.05), "The logs have the contexts", "narrow"),
        (foretold([effect(2, covered=0.1)], 90, unseen_from=4, unseen_share=0.3), "Cannot tell:", "message 2 on"),
    ],
)
def test_the_advice_names_the_reason(found: Foretold, says: str, about: str) -> None:
    sentence = advice(found)
    assert sentence.startswith(says)
    assert about in sentence
