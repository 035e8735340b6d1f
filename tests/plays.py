"""Dialogues of a policy written for a test with the users of a family, and how many words the users know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from understudy.dialogue import dialogue
from understudy.tasks.base import KnownUserFamily
from understudy.tasks.grammar import typo_variants
from understudy.types import Dialogue, Message, Task

Policy = Callable[[Task, tuple[Message, ...], np.random.Generator], Message]


def play(
    family: KnownUserFamily, policy: Policy, dialogues: int, *, prompted: bool = False, seed: int = 0
) -> list[Dialogue]:
    """With its real users, or with the stand-in."""
    played = []
    for i in range(dialogues):
        rng = np.random.default_rng([seed, i])
        task, person = family.sample_task(rng, str(i)), f"person{seed}-{i}"
        turns = dialogue(family, task, person)
        role, messages = next(turns)
        while True:
            if role == "agent":
                message = policy(task, messages, rng)
            elif prompted:
                message = family.prompted_reply(task, messages).sample(rng)
            else:
                message = family.population.reply(task, messages, family.population.persona(person)).sample(rng)
            try:
                role, messages = turns.send(message)
            except StopIteration as stop:
                played.append(stop.value)
                break
    return played


def users_word_types(dialogues: Iterable[Dialogue]) -> int:
    """Different words in the users' messages, misspellings left out.

    A misspelling is what `typo_variants` makes of a word that is written ten times as often: at 3% slips, spread over ten or
    more places, one spelling comes once in 300 words or rarer. What is seen once alone could be one of a rare word.
    """
    seen = Counter(w for d in dialogues for m in d.messages if m.role == "user" for w in m.text.split() if w.isalpha())
    slips = {slip for word in seen for slip, _ in typo_variants(word) if 10 * seen[slip] <= seen[word]}
    return sum(count > 1 and word not in slips for word, count in seen.items())
