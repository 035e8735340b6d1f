"""Style figures: by hand on small sets; equal sources must not differ, different ones must."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.realism.style import FIGURES, style_figures
from understudy.types import Dialogue, Message, Outcome, Task


def talk(texts: list[str], ending: str = "final") -> Dialogue:
    messages = [m for t in texts for m in (Message("user", t), Message("agent", "many words of an agent"))]
    return Dialogue(Task("f", "t", "", "", {}), "p", tuple(messages), Outcome(0.0, ending))


def test_figures_by_hand() -> None:
    dialogues = [
        talk(["I want red", "no", "No"]),  # 5 words in 3 turns, 4 types, one message of three repeated
        talk(["one two three four five"], "left"),  # 5 words in 1 turn, 5 types
        talk(["a a", ""], "user ended"),  # the empty message is no turn
    ]
    figures = {name: interval.mean for name, interval in style_figures(dialogues, seed=0).items()}
    assert list(figures) == list(FIGURES)
    assert figures["words per turn"] == pytest.approx((5 / 3 + 5 + 2) / 3)
    assert figures["user turns"] == pytest.approx((3 + 1 + 1) / 3)
    assert figures["walk-out share"] == pytest.approx(2 / 3)
    assert figures["type-token ratio"] == pytest.approx((0.8 + 1 + 0.5) / 3)
    assert figures["repeated messages"] == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert np.isnan(figures["distinct-1 per 500 words"])


def test_distinct_does_not_depend_on_how_much_there_is() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(100)])
    texts = [" ".join(rng.choice(words, 10)) for _ in range(600)]
    few, many = (style_figures([talk([t]) for t in some], seed=0) for some in (texts[:100], texts))
    one = "distinct-1 per 500 words"
    assert (few[one].n, many[one].n) == (2, 12)
    # Expected: 100 * (1 - .99 ** 500) / 500 = .1987, with a standard deviation of some .002 per block.
    assert few[one].mean == pytest.approx(0.1987, abs=0.005)
    assert many[one].mean == pytest.approx(0.1987, abs=0.005)
    # Nine bigrams per message and 100 ** 2 of them: some 450 draws, few of them twice.
    assert 0.95 < many["distinct-2 per 500 words"].mean < 1


def test_walk_outs_of_all_have_an_interval_of_a_share() -> None:
    found = style_figures([talk(["bye"], "left") for _ in range(10)], seed=0)["walk-out share"]
    assert (found.mean, found.high) == (1, 1)
    assert found.low == pytest.approx(1 - 0.2775, abs=1e-4)


def test_nothing_said_is_nan() -> None:
    silent = style_figures([talk([""])], seed=0)
    assert silent["words per turn"].format() == "n/a"
    assert silent["user turns"].mean == 0
    assert silent["type-token ratio"].n == 0
