from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from conftest import ColourFamily, ColourUser
from understudy.converse import Appointment, converse
from understudy.dialogue import dialogue
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Failure, Request
from understudy.types import Message, Outcome, Task, TokenRecord


class ScriptedAgent:
    """Asks first, then names the colour that the user's last message says; every second key is told wrong."""

    def __init__(self) -> None:
        self.finished: list[int] = []

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        assert all(r.goal is None and r.person == "" for r in requests), "the agent must not see the goal"
        return [
            Message("agent", "which colour ?" if len(r.messages) == 1 else f"take {self._word(r)}") for r in requests
        ]

    def _word(self, r: Request) -> str:
        return r.messages[-1].text.split()[2] if r.key % 2 == 0 else "mauve"

    def finish(self, key: int) -> TokenRecord | None:
        self.finished.append(key)
        return None


def appointments(count: int) -> list[Appointment]:
    family = ColourFamily()
    return [
        Appointment(k, family.sample_task(np.random.default_rng(k), f"t{k}"), f"p{k}", seed=k) for k in range(count)
    ]


def test_what_the_family_shows_stands_beside_each_message_that_is_answered() -> None:
    class Counting(ColourFamily):
        def shown(self, task: Task, messages: Sequence[Message]) -> str:
            return f"{len(messages)} of {messages[-1].role}"

    result = converse(Counting(), appointments(1), ScriptedAgent(), ColourUser(), width=1)
    assert [m.shown for m in result.dialogues[0].messages] == ["1 of user", "2 of agent", "3 of user", ""]


def test_a_family_that_rewards_too_few_messages_is_named() -> None:
    class Stingy(ColourFamily):
        def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
            return Outcome(1.0, ending, turn_rewards=(1.0,))

    with pytest.raises(ValueError, match=r"gives 1 turn_rewards for 2 messages"):
        converse(Stingy(), appointments(1), ScriptedAgent(), ColourUser(), width=1)


def test_golden_dialogue(family: ColourFamily) -> None:
    agent = ScriptedAgent()
    result = converse(family, appointments(2), agent, ColourUser(), width=2)
    first, second = result.dialogues
    colour = first.task.goal["colour"]
    assert first.messages == (
        Message("user", f"i want {colour} please"),
        Message("agent", "which colour ?"),
        Message("user", f"i want {colour} please"),
        Message("agent", f"take {colour}"),
    )
    assert (first.outcome.reward, first.outcome.ending) == (1.0, "final")
    assert (second.outcome.reward, second.outcome.ending) == (0.0, "final")
    assert sorted(agent.finished) == [0, 1]


def test_failed_dialogues_are_counted_and_left_out(family: ColourFamily) -> None:
    result = converse(family, appointments(9), ScriptedAgent(), ColourUser(failing=[2, 5]), width=4)
    assert [t.key for t in result.traces] == [0, 1, 3, 4, 6, 7, 8]
    assert [(f.key, f.role, f.reason) for f in result.failures] == [
        (2, "user", "line went dead"),
        (5, "user", "line went dead"),
    ]


def test_a_dialogue_does_not_depend_on_width(family: ColourFamily, tiny_model: ChatModel) -> None:
    def run(width: int) -> list[tuple[Message, ...]]:
        agent = ModelSpeaker(tiny_model, "agent", width=width, max_message_tokens=6)
        return [d.messages for d in converse(family, appointments(7), agent, ColourUser(), width=width).dialogues]

    assert run(2) == run(7)


def test_traces_hold_the_tokens_of_both_models(family: ColourFamily, tiny_model: ChatModel) -> None:
    agent = ModelSpeaker(tiny_model, "agent", width=3, max_message_tokens=6)
    user = ModelSpeaker(tiny_model, "user", width=3, max_message_tokens=6)
    for trace in converse(family, appointments(3), agent, user, width=3).traces:
        assert trace.agent is not None
        assert trace.user is not None
        said = trace.dialogue.messages
        assert len(trace.agent.spans) == sum(m.role == "agent" for m in said)
        assert len(trace.user.spans) == sum(m.role == "user" for m in said)
        words = [
            agent.format.text([i for i in trace.agent.ids[a:b] if i != agent.format.end_of_turn])
            for a, b in trace.agent.spans
        ]
        assert words == [m.text for m in said if m.role == "agent"]


def test_the_wrong_side_is_refused(family: ColourFamily) -> None:
    turns = dialogue(family, appointments(1)[0].task, "p")
    assert next(turns) == ("user", ())
    with pytest.raises(ValueError, match="asked the user"):
        turns.send(Message("agent", "hello"))


def test_turns_run_out(family: ColourFamily) -> None:
    turns = dialogue(family, appointments(1)[0].task, "p")
    next(turns)
    for message in (Message("user", "hi"), Message("agent", "?"), Message("user", "hi")):
        turns.send(message)
    with pytest.raises(StopIteration) as stop:
        turns.send(Message("agent", "?"))
    assert stop.value.value.outcome.ending == "turns"


def test_a_user_who_leaves_ends_the_dialogue(family: ColourFamily) -> None:
    turns = dialogue(family, appointments(1)[0].task, "p")
    next(turns)
    with pytest.raises(StopIteration) as stop:
        turns.send(Message("user", "", end=True))
    assert stop.value.value.outcome.ending == "user ended"


def test_an_opener_who_leaves_in_words_can_be_written_and_read_again(tmp_path: Path) -> None:
    class Bye(ColourFamily):
        def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
            return "left" if messages[-1].text == "bye" else super().ending(task, messages)

    turns = dialogue(Bye(), appointments(1)[0].task, "p")
    next(turns)
    with pytest.raises(StopIteration) as stop:
        turns.send(Message("user", "bye"))
    write_dialogues(tmp_path / "one.jsonl", [stop.value.value])
    assert read_dialogues(tmp_path / "one.jsonl") == [stop.value.value]


def test_a_dialogue_is_taken_up_after_what_was_said(family: ColourFamily) -> None:
    whole = converse(family, appointments(2), ScriptedAgent(), ColourUser(), width=2).dialogues
    for said in range(len(whole[0].messages) + 1):
        parts = [
            Appointment(a.key, a.task, a.person, a.seed, d.messages[:said])
            for a, d in zip(appointments(2), whole, strict=True)
        ]
        # With all of it said, the dialogue is over before anybody is asked.
        assert converse(family, parts, ScriptedAgent(), ColourUser(), width=1).dialogues == whole
