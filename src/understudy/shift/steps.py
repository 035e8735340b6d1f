"""How far a speaker is from those in the logs, one step off them: what it says in logged contexts against what was said.

The same context stands on both sides, so that nothing but the message can be told apart; that is `delta_t` for a user and
`eps_t` for an agent, averaged over the contexts of the logs. No likelihood is needed, of people least of all: a classifier
that tells the two apart proves a total variation of at least 2 * balanced accuracy - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.one_step import OneStep
from understudy.runs import stream
from understudy.shift.auc import detectable_total_variation, effective_size, total_variation_bound
from understudy.shift.context_sets import States
from understudy.shift.contexts import Context, given_to
from understudy.shift.features import ContextFeatures, even_columns
from understudy.shift.two_sample import TwoSample, compare_contexts, require_enough
from understudy.types import Message, Task
from understudy.users.relations import reply_relations

Features = Literal["words", "relations", "acts", "states"]
"""`words`: n-grams of the message and of what it answers, and whether it ends the dialogue. `relations`: where else its
words stand (goal, last message, own words), of a user's message alone: `understudy.users.relations`. `acts`: what it does
and what it answers, whatever the wording, where a task can tell that: `understudy.tasks.base.ReadsActs`. `states`: what a
model makes of it: `understudy.models.states.message_states`."""
Act = Callable[[Task, Message], str]

_HASH_BITS = 14
_MOST_STATES = 500
"""Steps of a turn whose states are looked at, of the same dialogues at all turns as far as they come to them: a forward pass
over each dialogue costs more than counting its words."""


@dataclass(frozen=True, slots=True)
class StepShift:
    """One speaker against the logs at one turn.

    Attributes:
        turn: messages that this side had written before.
        features: what the classifier saw.
        test: logged messages (positive) against the speaker's own; its interval and bound are for this turn alone.
        tv_low: lower bound of the total variation that holds for all turns and features together, at 95%.
        detectable: the total variation that so many persons' pairs would show in four samples of five, at that level.
    """

    turn: int
    features: Features
    test: TwoSample
    tv_low: float
    detectable: float


@dataclass(frozen=True)
class ToldApart:
    """The tests, and how surely each logged message was told from the speaker's own there.

    Attributes:
        points: by turn and features.
        margins: by turn, for each of its steps in the order given: log-odds of `words` that the logged message is the
            logged one, less those of the speaker's own; above 0 where the classifier was right.
    """

    points: list[StepShift]
    margins: dict[int, NDArray[np.float64]]


def step_shift(
    steps: Sequence[OneStep],
    *,
    seed: int,
    act: Act | None = None,
    states: States | None = None,
    min_pairs: int = 100,
    folds: int = 5,
) -> ToldApart:
    """Two-sample tests at every turn with `min_pairs` steps.

    The steps of one person are taken as dependent, and are in one fold where they are no more than half of one.

    Args:
        act: reads what a message does; no test on acts where None.
        states: what a model makes of a message, said last; no test on states where None. Looked at are up to 500 steps of a
            turn.

    Raises:
        UnderstudyError: if `min_pairs` is too small for the folds.
    """
    require_enough(min_pairs, min_pairs, folds)
    by_turn = at_turns(steps)
    turns = [turn for turn, found in sorted(by_turn.items()) if len(found) >= min_pairs]
    sets = _sets(steps, act, states)
    corrected = 1 - 0.05 / max(1, len(turns) * len(sets))
    few = _same_dialogues({turn: by_turn[turn] for turn in turns}, seed)
    made = _states(few, states) if few and states is not None else {}
    points: list[StepShift] = []
    margins = {}
    for turn in turns:
        for features in sets:
            here = few[turn] if features == "states" else by_turn[turn]
            logged, own = ([_context(step, message) for step, message in _messages(here, i)] for i in (0, 1))
            clusters, label = _persons(here), np.arange(2 * len(here)) < len(here)
            matrix = made[turn] if features == "states" else _matrix(features, here, [*logged, *own], act)
            test, scores = compare_contexts(logged, own, matrix, clusters, turn=turn, seed=seed, folds=folds)
            _, tv_low = total_variation_bound(scores > 0, label, clusters, corrected)
            detectable = detectable_total_variation(effective_size(clusters[label]), corrected)
            points.append(StepShift(turn, features, test, tv_low, detectable))
            if features == "words":
                margins[turn] = scores[: len(here)] - scores[len(here) :]
    return ToldApart(points, margins)


def at_turns(steps: Sequence[OneStep]) -> dict[int, list[OneStep]]:
    """The steps by turn, in the order given."""
    found: dict[int, list[OneStep]] = {}
    for step in steps:
        found.setdefault(step.turn, []).append(step)
    return found


def _same_dialogues(by_turn: Mapping[int, Sequence[OneStep]], seed: int) -> dict[int, list[OneStep]]:
    """At most `_MOST_STATES` steps of each turn: of the dialogues that come first in one random order of all."""
    everyone = list(dict.fromkeys(id(step.dialogue) for steps in by_turn.values() for step in steps))
    drawn = stream(seed, "states").permutation(len(everyone))
    place = {dialogue: int(drawn[number]) for number, dialogue in enumerate(everyone)}
    return {
        turn: sorted(steps, key=lambda step: place[id(step.dialogue)])[:_MOST_STATES] for turn, steps in by_turn.items()
    }


def _states(by_turn: Mapping[int, Sequence[OneStep]], states: States) -> dict[int, NDArray[np.float64]]:
    """[2 * steps, F] by turn, the logged messages first; all are asked for at once, as one dialogue holds several of them."""
    both = [(turn, pair) for turn, steps in by_turn.items() for i in (0, 1) for pair in _messages(steps, i)]
    found = states([(s.dialogue.task.prompt(m.role), (*s.before, m)) for _, (s, m) in both])
    turns = np.array([turn for turn, _ in both])
    return {turn: even_columns(found[turns == turn]) for turn in by_turn}


def _messages(steps: Sequence[OneStep], side: int) -> list[tuple[OneStep, Message]]:
    return [(step, step.message if side else step.logged) for step in steps]


def _context(step: OneStep, message: Message) -> Context:
    # An end is no state of its own here: it is part of the message, beside its words.
    return Context((*given_to(message.role, step.before), message))


def _persons(steps: Sequence[OneStep]) -> NDArray[np.int64]:
    names = {person: number for number, person in enumerate(dict.fromkeys(s.dialogue.person for s in steps))}
    one = [names[step.dialogue.person] for step in steps]
    return np.array([*one, *one], dtype=np.int64)


def _sets(steps: Sequence[OneStep], act: Act | None, states: States | None) -> list[Features]:
    sets: list[Features] = ["words"]
    if steps and steps[0].logged.role == "user":
        sets.append("relations")
    if act is not None:
        sets.append("acts")
    return [*sets, "states"] if states is not None else sets


def _matrix(features: Features, steps: Sequence[OneStep], contexts: Sequence[Context], act: Act | None) -> Any:
    """[2 * steps, F], the logged messages first."""
    if features == "words":
        return _words(contexts)
    both = [*_messages(steps, 0), *_messages(steps, 1)]
    from sklearn.feature_extraction import FeatureHasher

    if features == "relations" or act is None:
        named = [reply_relations(s.dialogue.task.user_prompt, s.before, m) for s, m in both]
    else:
        named = [_acts(s, m, act) for s, m in both]
    return FeatureHasher(2**_HASH_BITS, alternate_sign=False).transform(named)


def _acts(step: OneStep, message: Message, act: Act) -> dict[str, float]:
    task = step.dialogue.task
    found, answered = act(task, message), act(task, step.before[-1]) if step.before else "opening"
    return {found: 1.0, f"{answered} -> {found}": 1.0}


def _words(contexts: Sequence[Context]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    ends = [[float(c.messages[-1].end), float(c.messages[-1].end and not c.messages[-1].text)] for c in contexts]
    return hstack([ContextFeatures(contexts).matrix(contexts), csr_matrix(np.array(ends))], format="csr")
