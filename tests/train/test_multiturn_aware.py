"""Multiturn-aware reward on a case computed by hand: two alternatives, two continuations of each, every word known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conftest import ColourFamily, colour_dialogue
from understudy.errors import LogError
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import CONTEXT_FULL, ModelSpeaker
from understudy.runs import stream
from understudy.speaker import Failure, Request, Speaker
from understudy.tasks.base import TaskFamily
from understudy.train.figures import Budget, step_figures
from understudy.train.multiturn_aware import MultiturnAwareRollouts
from understudy.train.rollouts import Collected
from understudy.types import Dialogue, Message, Outcome, Task, TokenRecord

PENALTY = 0.01


class Paint(ColourFamily):
    """Four turns for the agent, so that there is something to look ahead to."""

    max_agent_turns = 4


class PaintInPercent(Paint):
    reward_max = 100.0

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(100 * super().outcome(task, messages, ending).reward, ending)


RED = Task("colour", "t0", "you sell paint", "you want red", {"colour": "red"})
LOG = Dialogue(RED, "p0", (Message("user", "hello"), Message("agent", "take pink")), Outcome(0.0, "final"))


class Seller:
    """Asks or guesses; then names the colour that it hears, or asks again. A word is a token."""

    def __init__(self) -> None:
        self.tokens: dict[int, int] = {}

    def alternatives(
        self, requests: Sequence[Request], count: int
    ) -> list[list[tuple[Message, TokenRecord]] | Failure]:
        assert count == 2
        assert [m.text for m in requests[0].messages] == ["hello"]
        texts = ("which colour ?", "take blue")
        return [[(Message("agent", text), record(len(text.split()))) for text in texts] for _ in requests]

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        texts = ["take red" if r.messages[-1].text == "red" else "pardon me ?" for r in requests]
        for request, text in zip(requests, texts, strict=True):
            self.tokens[request.key] = self.tokens.get(request.key, 0) + len(text.split())
        return [Message("agent", text) for text in texts]

    def finish(self, key: int) -> TokenRecord | None:
        return record(self.tokens.pop(key)) if key in self.tokens else None


def record(sampled: int) -> TokenRecord:
    """Two tokens of the context, which count for nothing, and those sampled."""
    mask = (False, False, *(True for _ in range(sampled)))
    return TokenRecord(tuple(range(len(mask))), mask, tuple(0.0 for _ in mask), ((2, len(mask)),))


class Buyer:
    """Names its colour at once in every first continuation, at its second word in every second one."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        self.failing = set(failing)

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [
            Failure("line went dead")
            if r.key in self.failing
            else Message("user", "red" if r.key % 2 == 0 or len(r.messages) > 3 else "hm")
            for r in requests
        ]

    def finish(self, key: int) -> TokenRecord | None:
        return None


def collect(
    *, turns: int = 3, penalty: float = PENALTY, user: Speaker | None = None, family: TaskFamily | None = None
) -> Collected:
    source = MultiturnAwareRollouts(
        family or Paint(), [LOG], user or Buyer(), samples=2, turns=turns, token_penalty=penalty, seed=1, width=8
    )
    return source.collect(Seller(), step=0, groups=1, group_size=2)  # type: ignore[arg-type]


def rewards(collected: Collected) -> list[float | None]:
    return [rollout.reward for rollout in collected.rollouts]


def test_the_reward_is_the_mean_over_the_continuations_less_the_penalty() -> None:
    # Asking: "which colour ?" "take red" earns 1 for 3 + 2 tokens; "which colour ?" "pardon me ?" "take red" for 3 + 3 + 2.
    # Guessing: wrong at once, for 2 tokens, however often it is asked what comes of it.
    asked = ((1 - 5 * PENALTY) + (1 - 8 * PENALTY)) / 2
    found = collect()
    assert rewards(found) == pytest.approx([asked, -2 * PENALTY])
    assert rewards(collect(penalty=0.0)) == [1.0, 0.0]
    assert [(r.group, r.agent_messages) for r in found.rollouts] == [(0, 1), (0, 1)]
    assert found.failed == 0


def test_the_penalty_is_a_share_of_the_largest_reward() -> None:
    asked = ((100 - 5) + (100 - 8)) / 2  # a hundredth of 100 per token
    assert rewards(collect(family=PaintInPercent())) == pytest.approx([asked, -2])


def test_a_window_that_closes_ends_the_dialogue_as_the_turn_limit_does() -> None:
    # The second continuation of asking ends with "pardon me ?", after 3 + 3 tokens and without a reward.
    assert rewards(collect(turns=1)) == pytest.approx([((1 - 0.05) + (0 - 0.06)) / 2, -0.02])
    # Without a look ahead nothing but the message itself counts.
    assert rewards(collect(turns=0)) == pytest.approx([-0.03, -0.02])

    class Patient(Paint):
        def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
            assert ending in ("final", "turns")
            return Outcome(0.25 if ending == "turns" else super().outcome(task, messages, ending).reward, ending)

    assert rewards(collect(turns=1, penalty=0.0, family=Patient())) == [(1 + 0.25) / 2, 0.0]


def test_the_familys_own_limit_holds_within_the_window() -> None:
    class Hurried(Paint):
        max_agent_turns = 2

    assert rewards(collect(turns=3, penalty=0.0, family=Hurried())) == [0.5, 0.0]


def test_failed_continuations_are_left_out_and_counted() -> None:
    found = collect(user=Buyer(failing=[1]))
    assert rewards(found) == pytest.approx([1 - 5 * PENALTY, -2 * PENALTY])
    assert found.failed == 1
    # Of the first alternative nothing is known: it is missing, and the other is what it was.
    found = collect(user=Buyer(failing=[0, 1]))
    assert rewards(found) == pytest.approx([-2 * PENALTY])
    assert found.failed == 2


def test_a_context_that_is_too_long_is_counted() -> None:
    class Full(Seller):
        def alternatives(
            self, requests: Sequence[Request], count: int
        ) -> list[list[tuple[Message, TokenRecord]] | Failure]:
            return [CONTEXT_FULL for _ in requests]

    source = MultiturnAwareRollouts(Paint(), [LOG], Buyer(), samples=3, turns=1, token_penalty=0.0, seed=1, width=8)
    assert source.collect(Full(), step=0, groups=2, group_size=4) == Collected([], [CONTEXT_FULL] * 2 * 4 * 3)  # type: ignore[arg-type]


def test_what_is_sampled_to_look_ahead_is_paid_for() -> None:
    found = collect()
    asked, guessed = found.rollouts
    # Two continuations of asking: 1 + 2 messages of 2 + 5 tokens; of guessing there is nothing to be said.
    assert (asked.forward_messages, asked.forward_tokens) == (3, 7)
    assert (guessed.forward_messages, guessed.forward_tokens) == (0, 0)
    budget = Budget()
    budget.add(found.rollouts)
    assert (budget.messages, budget.tokens, budget.messages_per_rollout) == (5, 3 + 7 + 2, 2.5)
    assert step_figures(found)["tokens"] == 12


def test_every_turn_of_the_agent_is_a_context_as_far_as_the_rules_let_a_dialogue_come() -> None:
    def contexts(family: TaskFamily, dialogue: Dialogue) -> list[int]:
        source = MultiturnAwareRollouts(
            family, [dialogue], Buyer(), samples=1, turns=1, token_penalty=0.0, seed=1, width=8
        )
        return [context.position for context in source.contexts]

    asked = (Message("user", "hi"), Message("agent", "yes ?"), Message("user", "red"), Message("agent", "take red"))
    more = (*asked, Message("user", "and blue"), Message("agent", "take blue"))
    assert contexts(Paint(), Dialogue(RED, "p", asked, Outcome(1.0, "final"))) == [1, 3]
    assert contexts(Paint(), Dialogue(RED, "p", more, Outcome(1.0, "final"))) == [1, 3], "it was over by then"
    with pytest.raises(LogError, match="none of 1 dialogues"):
        contexts(Paint(), Dialogue(RED, "p", (Message("user", "bye", end=True),), Outcome(0.0, "left")))


class Fickle:
    """Wants one thing or another, by its seed."""

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        words = ("red please", "green please", "thanks")
        return [Message("user", words[int(stream(r.seed, "user", len(r.messages)).integers(3))]) for r in requests]

    def finish(self, key: int) -> TokenRecord | None:
        return None


class ByWords(Paint):
    """Rewards what both sides said: any other word gives another reward."""

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(float(stream(0, *(m.text for m in messages)).random()), ending)


def of_model(model: ChatModel, temperature: float, step: int = 0) -> Collected:
    speaker = ModelSpeaker(model, "agent", width=12, max_message_tokens=5, temperature=temperature)
    source = MultiturnAwareRollouts(
        ByWords(), [colour_dialogue(i) for i in range(20)], Fickle(), samples=3, turns=2, token_penalty=0.0, seed=4,
        width=12,
    )  # fmt: skip
    return source.collect(speaker, step=step, groups=4, group_size=3)


def test_the_same_seed_and_step_give_the_same_rollouts(tiny_model: ChatModel) -> None:
    first = of_model(tiny_model, 1.0)
    assert first == of_model(tiny_model, 1.0)
    assert rewards(first) != rewards(of_model(tiny_model, 1.0, step=1))
    assert all(len(r.record.spans) == 1 for r in first.rollouts), "the continuations are not trained"
    assert len(set(rewards(first))) == 12


def test_alternatives_that_say_the_same_are_worth_the_same(tiny_model: ChatModel) -> None:
    """However much chance there is in the user: greedy decoding makes all alternatives one."""
    found = of_model(tiny_model, 0.0)
    by_group = {group: {r.reward for r in found.rollouts if r.group == group} for group in range(4)}
    assert [len(values) for values in by_group.values()] == [1, 1, 1, 1]
    assert len(set.union(*by_group.values())) == 4
