"""The task family `maths`: solve a problem that the user tells bit by bit (the shape of MATH-Chat)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.grammar import Literal
from understudy.tasks.maths.answers import is_right
from understudy.tasks.maths.population import People, told
from understudy.tasks.maths.problems import TEST, TRAIN, Problem, read_problems
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Outcome, Task

FINAL = "final answer :"
ANSWERED, LEFT = "final", "left"
OTHER_NUMBER = "gives a number that the problem has not"
AGENT_PROMPT = (
    "the user has a maths problem , and tells it bit by bit . ask for what you need to know , one thing at a time , then write "
    f"{FINAL} and the number ."
)
_QUESTIONS = ("what do you know so far ?", "what else is given ?", "is there anything more ?", "please go on .")
_ASKS_ON = 0.6
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Maths:
    """Word problems of GSM8K or MATH; the user opens with what is asked, and tells a sentence at a time.

    Args:
        problems: what tasks are drawn from, uniformly.
        held_out: problems to judge with.
    """

    name = "maths"
    summary = (
        "The user tells a word problem sentence by sentence as the agent asks, the agent gives a final answer; "
        "reward: 1 if the answer is right, else 0."
    )
    reward_name = "accuracy"
    reward_max = 1.0
    max_agent_turns = 10
    population: Population = People()

    def __init__(self, problems: Sequence[Problem], held_out: Sequence[Problem] = ()) -> None:
        self.problems, self.held_out = tuple(problems), tuple(held_out)

    @classmethod
    def from_folder(cls, path: Path) -> Maths:
        """Tasks from the part `train` (`part_records`); those of `test` are kept for judging.

        Raises:
            LogError: if a part is missing or a record is not a problem.
            ConfigError: if math-verify is not installed.
        """
        is_right("1", "1")  # before anything is trained
        return cls(read_problems(path, TRAIN), read_problems(path, TEST))

    def for_judging(self) -> Maths:
        """The same family with the problems kept for judging."""
        return Maths(self.held_out)

    def keeps(self, task: Task) -> bool:
        """Whether the task's problem is kept for judging."""
        return (tuple(task.goal["given"]), task.goal["asked"]) in self._kept

    @cached_property
    def _kept(self) -> frozenset[tuple[tuple[str, ...], str]]:
        return frozenset((problem.given, problem.asked) for problem in self.held_out)

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """A problem; the user is told all of it, the agent nothing."""
        chosen = self.problems[int(rng.integers(len(self.problems)))]
        whole = " ".join([*chosen.given, chosen.asked])
        goal = {"given": list(chosen.given), "asked": chosen.asked, "answer": chosen.answer}
        return Task(self.name, id, AGENT_PROMPT, f"your problem : {whole}", goal)

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """`final` after a final answer, `left` after a user's message that ends the conversation; else None."""
        last = messages[-1]
        if last.role == "agent":
            return ANSWERED if FINAL in last.text.lower() else None
        return LEFT if last.end else None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """1 for a final answer that math-verify takes for the true one, else 0. Details: `told`, the share of the sentences."""
        given = task.goal["given"]
        share = sum(told(sentence, messages) for sentence in given) / len(given)
        right = ending == ANSWERED and is_right(final_answer(messages[-1].text), task.goal["answer"])
        return Outcome(float(right), ending, {"told": share})

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """Nothing but the words."""
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The agent's final answer in the log; None if it gave none."""
        position = len(messages) - 1
        return FinalAct(position, FINAL) if self.ending(task, messages) == ANSWERED else None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """1 or 0 for `text` in place of the log's final answer; None elsewhere."""
        act = self.final_act(task, messages)
        if act is None or act.position != position:
            return None
        return float(FINAL in text.lower() and is_right(final_answer(text), task.goal["answer"]))

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """Whether the numbers in the user's messages are those of its problem."""
        known = set(_NUMBER.findall(task.user_prompt))
        numbers = (set(_NUMBER.findall(m.text)) for m in messages if m.role == "user")
        return [Check(OTHER_NUMBER, not found <= known) for found in numbers if found]

    def act(self, task: Task, message: Message) -> str:
        """Whether the agent asks or answers, and which sentence the user tells."""
        if message.role == "agent":
            return "answers" if FINAL in message.text.lower() else "asks" if "?" in message.text else "talks"
        if message.end:
            return "leaves"
        places = [i for i, sentence in enumerate(task.goal["given"]) if sentence in message.text]
        return f"tells {places}" if places else "asks its question" if task.goal["asked"] in message.text else "talks"

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """The stand-in: tells everything at once, then thanks."""
        if not any(m.role == "user" for m in messages):
            whole = " ".join([*task.goal["given"], task.goal["asked"]])
            return ReplyDistribution([Option(1.0, Literal(f"hello ! could you please help me ? {whole}"))])
        return ReplyDistribution([Option(1.0, Literal("you have all of it . thank you so much , this is wonderful !"))])

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """An agent that asks at least twice, at times too vaguely, and then answers with a number that it has heard."""
        asked = sum(m.role == "agent" for m in messages)
        if asked < 2 or rng.random() < _ASKS_ON:
            return Message("agent", _QUESTIONS[int(rng.integers(len(_QUESTIONS)))])
        heard = [number for m in messages if m.role == "user" for number in _NUMBER.findall(m.text)] or ["0"]
        return Message("agent", f"{FINAL} {heard[int(rng.integers(len(heard)))]}")


def final_answer(text: str) -> str:
    """What stands behind the last `final answer :`."""
    return text[text.lower().rfind(FINAL) + len(FINAL) :].strip()
