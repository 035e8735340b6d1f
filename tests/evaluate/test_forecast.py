"""The forecast where the truth is known: users who agree, refuse or leave with chances of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from understudy.converse import Appointment, converse
from understudy.evaluate.forecast import Values, foretell
from understudy.evaluate.reactions import AT_LEAST, reached_by_turn, take_up
from understudy.results import Foretold
from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.types import Dialogue, Message, Outcome, Task, TokenRecord

H = 4
WAYS = ("soft", "hard", "loud")
PEOPLE = {"soft": (0.6, 0.05), "hard": (0.3, 0.3), "loud": (0.1, 0.6)}
"""By how they are asked: chance of yes, and of leaving."""
FLATTERER = {"soft": (0.95, 0.0), "hard": (0.95, 0.0), "loud": (0.95, 0.0)}


class Asking:
    """The agent asks `H` times and earns the share of yes; nothing, if the user leaves."""

    name = "asking"
    reward_max = 10.0
    max_agent_turns = H

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        done = messages[-1].role == "user" and sum(m.role == "agent" for m in messages) == H - 1
        return "asked out" if done else None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        agreed = sum(m.text == "yes" for m in messages)
        return Outcome(0.0 if ending == "user ended" else 10.0 * agreed / (H - 1), ending)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        return ""


@dataclass
class Asker:
    """Asks in each way with its chance."""

    chances: Sequence[float]

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [Message("agent", WAYS[draw(r).choice(3, p=self.chances)]) for r in requests]

    def finish(self, key: int) -> TokenRecord | None:
        return None


@dataclass
class Answerer:
    """Opens, then answers by chance."""

    chances: dict[str, tuple[float, float]]

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [self._answer(r) for r in requests]

    def _answer(self, r: Request) -> Message:
        if not r.messages:
            return Message("user", "hello")
        agrees, leaves = self.chances[r.messages[-1].text]
        chance = draw(r).random()
        return Message("user", "yes" if chance < agrees else "no", end=chance > 1 - leaves)

    def finish(self, key: int) -> TokenRecord | None:
        return None


def draw(r: Request) -> np.random.Generator:
    return stream(r.seed, r.role, str(len(r.messages)))


def hold(asker: Asker, answerer: Answerer, count: int, name: str) -> list[Dialogue]:
    meetings = [
        Appointment(k, Task("asking", f"t{k}", "", "", {}), f"p{k}", int(stream(k, name).integers(2**60)))
        for k in range(count)
    ]
    return converse(Asking(), meetings, asker, answerer, width=count).dialogues  # type: ignore[arg-type]


def truth(chances: Sequence[float]) -> float:
    """Reward of an asker with people, over all that they can say. Who leaves earns nothing, but for the last answer."""
    yes, stays = (
        sum(c * chance(PEOPLE[w]) for c, w in zip(chances, WAYS, strict=True))
        for chance in (lambda p: p[0], lambda p: 1 - p[1])
    )

    def earned(asked: int, agreed: int) -> float:
        if asked == H - 2:
            return 10 * (agreed + yes) / (H - 1)
        return yes * earned(asked + 1, agreed + 1) + (stays - yes) * earned(asked + 1, agreed)

    return earned(0, 0)


def states(contexts: Sequence[tuple[Task, Sequence[Message]]]) -> Values:
    """Counts of what was said, and the last message."""
    rows = []
    for _, said in contexts:
        texts = [m.text for m in said]
        rows.append([texts.count(w) for w in (*WAYS, "yes")] + [float(bool(texts) and texts[-1] == w) for w in WAYS])
    return np.array(rows, dtype=float)


Found = tuple[Foretold, list[Dialogue]]
"""The forecast, and the simulated dialogues."""


def foretold(chances: Sequence[float], logged: Sequence[Dialogue], name: str, user: Answerer | None = None) -> Found:
    asker, user = Asker(chances), user or Answerer(FLATTERER)
    simulated = hold(asker, user, 300, name)
    taken = take_up(
        Asking(), asker, user, logged, count=500, reached=reached_by_turn(simulated), width=1000,  # type: ignore[arg-type]
        seed=int(stream(0, name).integers(1000)),
    ).reactions  # fmt: skip
    return foretell(simulated, taken, states, 10.0, seed=0), simulated


LOGGED_POLICY, NEAR, FAR = (0.5, 0.5, 0.0), (0.8, 0.2, 0.0), (0.1, 0.0, 0.9)


@pytest.fixture(scope="module")
def logged() -> list[Dialogue]:
    return hold(Asker(LOGGED_POLICY), Answerer(PEOPLE), 600, "logs")


@pytest.fixture(scope="module")
def near(logged: list[Dialogue]) -> list[Found]:
    return [foretold(NEAR, logged, f"near {k}") for k in range(3)]


def test_a_flatterer_is_seen_through_where_the_logs_have_the_contexts(near: list[Found]) -> None:
    real = truth(NEAR)
    assert real == pytest.approx(4.698, abs=1e-3)
    for forecast, simulated in near:
        assert np.mean([d.outcome.reward for d in simulated]) > 9, "in simulation alone the agent seems perfect"
        assert forecast.low < real < forecast.high
        assert forecast.unseen_from is None
    # Of 10: three forecasts from one set of logs share its error.
    assert np.mean([f.mean for f, _ in near]) == pytest.approx(real, abs=0.45)
    # Who gets there: nobody ever leaves the flatterer.
    last = near[0][0].effects[-1]
    stays = 0.8 * 0.95 + 0.2 * 0.7
    assert last.reached_simulated == 1
    assert last.reached == pytest.approx(stays ** (H - 2), abs=0.12)


class Sulker(Answerer):
    """Says no at first in four cases of five, and who has said no leaves when asked again; the others always agree."""

    def _answer(self, r: Request) -> Message:
        if not r.messages:
            return Message("user", "hello")
        before = [m.text for m in r.messages if m.role == "user"][1:]
        if not before:
            return Message("user", "yes" if draw(r).random() < 0.2 else "no")
        return Message("user", before[0], end=before[0] == "no")


def test_contexts_count_that_people_lead_to_and_the_simulated_user_never_does() -> None:
    """The flatterer never says no, so that no simulated dialogue is one in which people would leave."""
    yes = dict.fromkeys(WAYS, (1.0, 0.0))
    sulking = hold(Asker(LOGGED_POLICY), Sulker({}), 600, "sulking")
    forecast, simulated = foretold(NEAR, sulking, "sulking", Answerer(yes))
    assert np.mean([d.outcome.reward for d in simulated]) == 10
    assert forecast.mean == pytest.approx(2.0, abs=1.0)
    assert forecast.low < 2.0 < forecast.high < 5
    # All come to the second question; only those who agreed stay for the third.
    assert [e.reached for e in forecast.effects] == pytest.approx([1.0, 1.0, 1.0, 0.2], abs=0.12)


def test_a_user_like_people_needs_no_correction(logged: list[Dialogue]) -> None:
    forecast, simulated = foretold(NEAR, logged, "alike", Answerer(PEOPLE))
    for effect in forecast.effects:
        assert abs(effect.difference) < 3 * (effect.noise + effect.extrapolation)
    assert forecast.low < np.mean([d.outcome.reward for d in simulated]) < forecast.high


def test_where_the_agent_leads_people_elsewhere_the_interval_says_so(logged: list[Dialogue], near: list[Found]) -> None:
    close, (far, _) = near[0][0], foretold(FAR, logged, "far")
    assert min(e.covered for e in close.effects) > 0.8
    assert max(e.covered for e in far.effects[1:]) < 0.7
    assert far.high - far.low > 1.5 * (close.high - close.low)
    assert far.low <= truth(FAR) <= far.high


def test_any_reward_is_possible_from_the_turn_on_that_no_log_has(logged: list[Dialogue], near: list[Found]) -> None:
    cut = [replace(d, messages=d.messages[:3]) for d in logged]
    forecast, _ = foretold(NEAR, cut, "near 0")
    assert near[0][0].unseen_from is None
    assert forecast.unseen_from == 2
    assert [e.turn for e in forecast.effects] == [0, 1]
    # Nine of ten dialogues come to it, so that next to nothing is known.
    assert forecast.high - forecast.low > 8
    assert 0 <= forecast.low < near[0][0].low
    assert near[0][0].high < forecast.high <= 10


def test_replies_are_shared_out_by_how_many_dialogues_come_to_them(logged: list[Dialogue]) -> None:
    taken, _ = take_up(
        Asking(), Asker(NEAR), Answerer(PEOPLE), logged, count=400, reached=[1.0, 0.5, 0.001], width=500, seed=1  # type: ignore[arg-type]
    )  # fmt: skip
    counts = [sum(r.turn == turn for r in taken) for turn in range(4)]
    assert counts == [266, 133, AT_LEAST, AT_LEAST]
    for r in taken:
        assert r.people.messages[: r.position + 1] == r.logged.messages[: r.position + 1]
        assert r.simulated.messages[: r.position] == r.before


def test_no_dialogue_is_refused() -> None:
    with pytest.raises(ValueError, match="no simulated dialogue"):
        foretell([], [], states, 1.0, seed=0)
