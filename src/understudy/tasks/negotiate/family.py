"""The task family `negotiate`: divide books, hats and balls with a person whose values are private."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from understudy.errors import LogError
from understudy.tasks.base import Check, Corpus, FinalAct
from understudy.tasks.negotiate import closing, interface
from understudy.tasks.negotiate.corpus import MAX_AGENT_TURNS, NAME, load_corpus, load_scenarios
from understudy.tasks.negotiate.items import Scenario, make_task, public, scenario_of
from understudy.tasks.negotiate.prompted import prompted_user
from understudy.tasks.negotiate.renaming import renamed
from understudy.tasks.population import ReplyDistribution
from understudy.types import Dialogue, Message, Outcome, Role, Task


class Negotiate:
    """Real people's negotiations (Deal or No Deal). The users are people, so there is no population.

    The closing: a side says `<selection> b h l`, the numbers of books, hats and balls that it takes, or
    `<selection> none`; the other side, which is given no more than `<selection>`, says its own, and the dialogue is over. So
    what was agreed must stand in the words before. Any other answer is a mismatch.

    Args:
        scenarios: what tasks are drawn from, uniformly; either side and either opener is equally likely.
        held_out: scenarios to judge with; none by default.
        folder: of the corpus; None where its dialogues are not asked for.

    Raises:
        LogError: if there is no scenario.
    """

    name = NAME
    summary = (
        "Two sides with private values divide books, hats and balls; the users are people (Deal or No Deal); "
        "reward: the agent's points / 10, 0 without an agreement."
    )
    reward_name = "points / 10"
    reward_max = 1.0
    max_agent_turns = MAX_AGENT_TURNS

    def __init__(
        self, scenarios: Sequence[Scenario], held_out: Sequence[Scenario] = (), folder: Path | None = None
    ) -> None:
        if not scenarios:
            raise LogError("no scenario to draw tasks from", where=NAME, fix="give at least one scenario")
        self.scenarios, self.held_out, self.folder = tuple(scenarios), tuple(held_out), folder

    @classmethod
    def from_folder(cls, path: Path) -> Negotiate:
        """Tasks from the corpus' folder: its self-play scenarios, without those of the validation part.

        Raises:
            LogError: if the folder or a file is missing, or a line does not have the format.
        """
        return cls(*load_scenarios(path), folder=path)

    def corpus(self, seed: int) -> Corpus:
        """See `understudy.tasks.negotiate.corpus.load_corpus`."""
        assert self.folder is not None
        return load_corpus(self.folder, seed)

    def variants(self, dialogue: Dialogue) -> list[Dialogue]:
        """See `understudy.tasks.negotiate.renaming`."""
        return renamed(dialogue)

    def for_judging(self) -> Negotiate:
        """The same family with tasks drawn from the held-out scenarios.

        Raises:
            LogError: if there are none.
        """
        return Negotiate(self.held_out)

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """A scenario, which side of it the agent has, and who speaks first."""
        chosen = self.scenarios[int(rng.integers(len(self.scenarios)))]
        if rng.random() < 0.5:
            chosen = Scenario(chosen.counts, chosen.other_values, chosen.values)
        opener: Role = "agent" if rng.random() < 0.5 else "user"
        return make_task(self.name, id, chosen, opener=opener)

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """See `understudy.tasks.negotiate.closing`."""
        return closing.ending(scenario_of(task.goal), messages)

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """See `understudy.tasks.negotiate.closing`."""
        return closing.outcome(scenario_of(task.goal), messages, ending)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """See `understudy.tasks.negotiate.interface`."""
        return interface.shown(scenario_of(task.goal).counts, messages)

    def public(self, message: Message) -> str | None:
        """That a selection is made, and not which: as in the corpus, both sides choose in private."""
        return public(message)

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """See `understudy.tasks.negotiate.closing`."""
        return closing.final_act(messages)

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """See `understudy.tasks.negotiate.closing`."""
        return closing.final_act_reward(scenario_of(task.goal), messages, position, text)

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """See `understudy.tasks.negotiate.closing`."""
        return closing.coherence(scenario_of(task.goal), messages)

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """See `understudy.tasks.negotiate.prompted`."""
        return prompted_user(task, messages)
