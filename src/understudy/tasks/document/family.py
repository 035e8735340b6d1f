"""The task family `document`: write the beginning of an article that the user has in mind (shape of MediumDocEdit-Chat)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.bleu import bleu
from understudy.tasks.document import coherence as checks
from understudy.tasks.document.articles import WORDS, Article, read_both
from understudy.tasks.document.coverage import covered
from understudy.tasks.document.population import People
from understudy.tasks.document.prompted import prompted_reply
from understudy.tasks.document.reading import DRAFT, approves, last_draft, read_agent, read_user
from understudy.tasks.document.script import Glue, script
from understudy.tasks.population import Population, ReplyDistribution
from understudy.tasks.prose import content_words
from understudy.types import Message, Outcome, Task

APPROVED, LEFT = "approved", "left"
AGENT_PROMPT = (
    f"the user has a text of at most {WORDS} words in mind , and does not dictate it . ask what it is about , or write a draft "
    f"of the whole text ( {DRAFT} ... ) , hear what the user says to it , and write a better one ."
)
_COVERED = 0.5


class Document:
    """Articles of a folder; the user has the beginning of one in mind, the agent drafts it and hears comments.

    Args:
        articles: what tasks are drawn from, uniformly.
        held_out: articles to judge with.
    """

    name = "document"
    summary = (
        "The user has the beginning of an article in mind, the agent drafts it and hears what the draft lacks; "
        "reward: sentence BLEU of the last draft, 0 if the user left."
    )
    reward_name = "BLEU"
    reward_max = 100.0
    max_agent_turns = 8
    population: Population = People()

    def __init__(self, articles: Sequence[Article], held_out: Sequence[Article] = ()) -> None:
        self.articles, self.held_out = tuple(articles), tuple(held_out)

    @classmethod
    def from_folder(cls, path: Path) -> Document:
        """Tasks from the articles of `train`; those of `test`, or some of `train`, are kept for judging (`articles.read_both`).

        Raises:
            LogError: if a part cannot be read, or there are too few articles.
        """
        return cls(*read_both(path))

    def for_judging(self) -> Document:
        """The same family with the articles kept for judging."""
        return Document(self.held_out)

    def keeps(self, task: Task) -> bool:
        """Whether the task's text is kept for judging."""
        return task.goal["text"] in self._kept

    @cached_property
    def _kept(self) -> frozenset[str]:
        return frozenset(article.text for article in self.held_out)

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """The beginning of an article; the user is told all of it, the agent nothing."""
        chosen = self.articles[int(rng.integers(len(self.articles)))]
        goal = {"topic": chosen.topic, "sentences": list(chosen.sentences), "text": chosen.text}
        return Task(self.name, id, AGENT_PROMPT, f"topic : {chosen.topic} . your text : {chosen.text}", goal)

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """`approved` or `left`, by the words of a user's message that ends the conversation; else None."""
        if not messages or messages[-1].role != "user" or not messages[-1].end:
            return None
        return APPROVED if approves(messages[-1].text) else LEFT

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """BLEU of the last draft in [0, 100]; 0 if the user left, or if there is no draft.

        Details: `bleu` of the last draft however the dialogue ended, and the number of `drafts`.
        """
        drafts = [
            act.draft for act in (read_agent(m.text) for m in messages if m.role == "agent") if act.kind == "draft"
        ]
        score = bleu(drafts[-1], task.goal["text"]) if drafts else 0.0
        return Outcome(0.0 if ending == LEFT else score, ending, {"bleu": score, "drafts": float(len(drafts))})

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """Nothing but the words."""
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The agent's last draft in the log; None if it never drafted."""
        position = last_draft(messages)
        return None if position is None else FinalAct(position, DRAFT)

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """BLEU of `text` (with its `draft :`; 0 if it is no draft) as the last draft of this log; None elsewhere.

        What the user would have said to another draft is not in the log, and is left out of account, as in `edit`.
        """
        if position != last_draft(messages):
            return None
        return bleu(read_agent(text).draft, task.goal["text"])

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """See `understudy.tasks.document.coherence`."""
        return checks.coherence(task, messages)

    def act(self, task: Task, message: Message) -> str:
        """A draft with how many sentences it covers by half, or what is asked for; which sentence a user speaks of."""
        if message.role == "agent":
            said = read_agent(message.text)
            if said.kind != "draft":
                return said.kind
            return f"draft {sum(covered(s, said.draft) >= _COVERED for s in task.goal['sentences'])} covered"
        if message.end:
            return "approves" if approves(message.text) else "leaves"
        told = read_user(message.text)
        if told.rejects:
            return "rejects words"
        shared = [len(told.wants.keys() & content_words(s).keys()) for s in task.goal["sentences"]]
        if not any(shared):
            return "names other words" if told.wants else "names nothing"
        return f"names words of sentence {shared.index(max(shared)) + 1}"

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """See `understudy.tasks.document.prompted`."""
        return prompted_reply(task, messages)

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """See `understudy.tasks.document.script`; it has read the articles, but is not told which one it is about."""
        return script(messages, self._glue, rng)

    @cached_property
    def _glue(self) -> Glue:
        return Glue(sentence for article in self.articles for sentence in article.sentences)
