"""Likelihoods of logged messages, one by one and together."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from understudy.align.sft import fit
from understudy.config import SFTConfig
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.realism.perplexity import heard_perplexity, held_out_perplexity, reply_log_probs
from understudy.speaker import Request
from understudy.types import Dialogue, Message, Outcome


def test_each_reply_has_its_own_likelihood(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    found = reply_log_probs([tiny_model], "user", colour_logs)
    assert [None if f is None else len(f) for f in found] == [
        sum(m.role == "user" for m in d.messages) for d in colour_logs
    ]
    together = held_out_perplexity([tiny_model], "user", colour_logs)
    total = sum(sum(f) for f in found if f is not None)
    assert -total / together.tokens == pytest.approx(math.log(together.per_token), rel=1e-3)
    # The first reply of the first dialogue, token by token.
    dialogue = colour_logs[0]
    assert dialogue.messages[0].role == "user"
    chat = ChatFormat.of(tiny_model, "user")
    ids, mask = chat.dialogue(dialogue.task.user_prompt, dialogue.messages[:1])
    with torch.no_grad():
        logp = torch.log_softmax(
            tiny_model.model(torch.tensor([ids], device=tiny_model.model.device)).logits[0, :-1].float(), -1
        )
    by_hand = sum(float(logp[i - 1, ids[i]]) for i in range(1, len(ids)) if mask[i])
    assert found[0] is not None
    assert found[0][0] == pytest.approx(by_hand, abs=0.05)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_likelihoods_are_those_of_the_distribution_sampled_from(
    tiny_model: ChatModel, colour_logs: list[Dialogue], temperature: float
) -> None:
    fitted = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    fit(fitted, "user", colour_logs[:40], colour_logs[40:], SFTConfig(steps=150, epochs=150, patience=150), seed=0)
    speaker = ModelSpeaker(fitted, "user", width=8, max_message_tokens=12, temperature=temperature)
    tasks = [replace(dialogue.task, opener="user") for dialogue in colour_logs[:8]]
    said = speaker.reply([Request(key, "user", task.user_prompt, (), seed=key) for key, task in enumerate(tasks)])
    records = [speaker.finish(key) for key in range(8)]
    compared = 0
    for task, message, record in zip(tasks, said, records, strict=True):
        assert isinstance(message, Message)
        assert record is not None
        dialogue = Dialogue(task, "p", (message,), Outcome(0.0, "left"))
        (found,) = reply_log_probs([fitted], "user", [dialogue], temperature)
        chat = ChatFormat.of(fitted, "user")
        if found is None or chat.dialogue(task.user_prompt, (message,))[0] != [*record.ids]:
            continue  # cut short, or written by other tokens
        # bf16 sampling against fp32.
        assert found[0] == pytest.approx(sum(record.logprobs), abs=0.1)
        compared += 1
    assert compared >= 4


def test_a_dialogue_that_does_not_fit_has_none(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    long = replace(colour_logs[0], messages=(Message("user", "red " * 500),))
    found = reply_log_probs([tiny_model], "user", [long, colour_logs[1]])
    assert found[0] is None
    assert found[1] is not None


def test_a_listener_expects_what_people_say(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    listener = copy.deepcopy(tiny_model)
    sft = SFTConfig(steps=60, epochs=60, learning_rate=3e-3, comparison_weight=0.0, other_side_weight=1.0, patience=60)
    fit(listener, "user", colour_logs[:40], colour_logs[40:], sft, seed=0)
    people = heard_perplexity([listener], "user", colour_logs, seed=0)
    assert people.low < people.mean < people.high
    assert people.n == len(colour_logs)
    drifted = [
        replace(
            d, messages=tuple(replace(m, text="wants you blue which ?") if m.role == "agent" else m for m in d.messages)
        )
        for d in colour_logs
    ]
    assert heard_perplexity([listener], "user", drifted, seed=0).low > 2 * people.high
    twice = heard_perplexity([listener, listener], "user", colour_logs, seed=0)
    assert twice.mean == pytest.approx(people.mean)
    # The drifted messages may be left out of the count, and nothing else is in it.
    kept = heard_perplexity(
        [listener], "user", drifted[:1] + colour_logs[1:], seed=0, include=lambda m: "wants" not in m.text
    )
    assert kept.mean == pytest.approx(heard_perplexity([listener], "user", colour_logs[1:], seed=0).mean)


def test_an_ensemble_foretells_people_at_least_as_well_as_its_members_do_on_average(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    other = copy.deepcopy(tiny_model)
    fit(other, "user", colour_logs[:40], colour_logs[40:], SFTConfig(steps=20, comparison_weight=0.0), seed=1)
    alone = [math.log(held_out_perplexity([m], "user", colour_logs).per_token) for m in (tiny_model, other)]
    together = held_out_perplexity([tiny_model, other], "user", colour_logs)
    assert min(alone) < math.log(together.per_token) < sum(alone) / 2
