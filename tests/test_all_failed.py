"""What is said where every dialogue failed."""

from __future__ import annotations

from understudy.all_failed import all_failed
from understudy.models.view import CONTEXT_FULL
from understudy.speaker import Failure
from understudy.types import FailedDialogue


def test_the_most_frequent_kind_of_failure_is_told_with_its_fix() -> None:
    silent = [Failure(f"no answer to {n}", fix="look after the endpoint") for n in range(3)]
    told = str(all_failed([CONTEXT_FULL, *silent, CONTEXT_FULL], "judging"))
    assert told == (
        "judging: none of 5 dialogues could be finished: no answer to 0 (3 of them)\n  -> look after the endpoint"
    )


def test_one_kind_is_told_without_a_count_and_a_context_that_is_full_with_what_widens_it() -> None:
    told = str(all_failed([FailedDialogue(0, "t", "agent", CONTEXT_FULL.reason, fix=CONTEXT_FULL.fix)], "judging"))
    assert "none of 1 dialogues could be finished: the dialogue is longer than the model's context\n" in told
    assert "max_length" in told
    assert "max_message_tokens" in told


def test_a_speaker_that_does_not_say_what_to_do_is_not_told_to_widen_a_context() -> None:
    told = str(all_failed([Failure("line went dead")], "step 3 of training"))
    assert told.startswith("step 3 of training: none of 1 dialogues could be finished: line went dead\n")
    assert "--resume" in told
    assert "max_length" not in told
