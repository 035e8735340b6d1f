"""What a judgement says of a set of dialogues, by hand."""

from __future__ import annotations

import pytest

from conftest import ColourFamily
from understudy.converse import Conversations
from understudy.errors import UnderstudyError
from understudy.evaluate.judge import score
from understudy.models.view import CONTEXT_FULL
from understudy.types import Dialogue, FailedDialogue, Message, Outcome, Task, TokenRecord, Trace

TASK = Task(ColourFamily.name, "t", "you sell paint", "you want red", {"colour": "red"})


def trace(key: int, *texts: str, tokens: int | None) -> Trace:
    """A dialogue in which the agent says these texts, and its record with one token that it did not sample."""
    messages = [m for text in texts for m in (Message("user", "some user words"), Message("agent", text))]
    dialogue = Dialogue(TASK, "p", (*messages, Message("user", "bye", end=True)), Outcome(0.0, "left"))
    if tokens is None:
        return Trace(key, dialogue)
    mask = (False, *(True for _ in range(tokens)))
    return Trace(key, dialogue, TokenRecord(mask, mask, tuple(0.0 for _ in mask), ((1, tokens + 1),)))


def test_the_agents_turns_words_and_tokens_per_dialogue() -> None:
    held = Conversations([trace(0, "which colour ?", "take red", tokens=9), trace(1, "take blue", tokens=4)])
    found = score(held, 1.0, seed=0).interaction
    assert found is not None
    assert found.tokens is not None
    assert (found.turns.mean, found.words.mean, found.tokens.mean) == (1.5, 3.5, 6.5)
    for figure, low, high in ((found.turns, 1, 2), (found.words, 2, 5), (found.tokens, 4, 9)):
        assert low <= figure.low < figure.mean < figure.high <= high


def test_a_user_who_left_at_once_had_nothing_to_read() -> None:
    found = score(Conversations([trace(0, "take red", tokens=4), trace(1, tokens=None)]), 1.0, seed=0).interaction
    assert found is not None
    assert found.tokens is not None
    assert (found.turns.mean, found.words.mean, found.tokens.mean) == (0.5, 1.0, 2.0)


def test_an_agent_that_is_no_model_has_words_alone() -> None:
    found = score(Conversations([trace(0, "take red", tokens=None)]), 1.0, seed=0).interaction
    assert found is not None
    assert found.tokens is None
    assert found.words.mean == pytest.approx(2)


def test_where_every_dialogue_failed_the_fix_is_that_of_its_reason() -> None:
    full = FailedDialogue(0, "t", "agent", CONTEXT_FULL.reason, fix=CONTEXT_FULL.fix)
    with pytest.raises(
        UnderstudyError, match=r"^judging: none of 1 dialogues could be finished: the dialogue is longer"
    ):
        score(Conversations([], [full]), 1.0, seed=0)
    silent = FailedDialogue(0, "t", "user", "no answer", fix="look after the endpoint")
    with pytest.raises(UnderstudyError) as caught:
        score(Conversations([], [silent]), 1.0, seed=0)
    assert caught.value.fix == "look after the endpoint"
    with pytest.raises(UnderstudyError, match="no dialogue to hold"):
        score(Conversations(), 1.0, seed=0)
