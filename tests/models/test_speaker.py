"""The batched sampler with caches kept across turns, checked against one plain forward pass over the stored tokens."""

from __future__ import annotations

import pytest
import torch

from understudy.models import sampler
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.models.view import as_message
from understudy.speaker import Failure, Request
from understudy.types import Message, TokenRecord

OPENING = (Message("user", "i want red please"),)


def request(key: int, messages: tuple[Message, ...], forced: str = "") -> Request:
    return Request(key, "agent", "you sell paint", messages, seed=key, forced=forced)


def talk(speaker: ModelSpeaker, keys: list[int], turns: int) -> dict[int, tuple[Message, ...]]:
    """Dialogues at their own pace: every third sits out the second turn; user messages differ in length."""
    said = dict.fromkeys(keys, OPENING)
    for turn in range(turns):
        asked = [k for k in keys if not (turn == 1 and k % 3 == 2)]
        for key, answer in zip(asked, speaker.reply([request(k, said[k]) for k in asked]), strict=True):
            assert isinstance(answer, Message)
            said[key] = (*said[key], answer, Message("user", "red " * (1 + key % 4)))
    return said


def full_logprobs(model: ChatModel, record: TokenRecord) -> torch.Tensor:
    with torch.no_grad():
        logits = model.model(torch.tensor([record.ids])).logits.float()
    logp = torch.log_softmax(logits[0, :-1], -1).gather(1, torch.tensor(record.ids[1:])[:, None])[:, 0]
    return torch.nn.functional.pad(logp, (1, 0))


@pytest.mark.parametrize("width", [6, 9])  # a full house uses the cache in place, a larger one copies rows
@pytest.mark.parametrize("smallest_group", [1, 32])  # chunks of each length by themselves, all chunks together
def test_logprobs_as_sampled_are_those_of_one_forward_pass(
    tiny_model: ChatModel, width: int, smallest_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "_SMALLEST_GROUP", smallest_group)
    speaker = ModelSpeaker(tiny_model, "agent", width=width, max_message_tokens=6)
    keys = list(range(6))
    talk(speaker, keys, turns=3)
    for key in keys:
        record = speaker.finish(key)
        assert record is not None
        sampled = torch.tensor(record.sampled)
        stored = torch.tensor(record.logprobs)
        assert int(sampled.sum()) == sum(stop - start for start, stop in record.spans)
        assert len(record.spans) == (2 if key % 3 == 2 else 3)
        # bf16 sampling against an fp32 pass: logits of a fresh model are small, so the gap stays under 0.02 nats.
        assert (stored - full_logprobs(tiny_model, record))[sampled].abs().max() < 0.02
        assert (stored[~sampled] == 0).all()


def test_words_do_not_depend_on_neighbours_or_width(tiny_model: ChatModel) -> None:
    together = talk(ModelSpeaker(tiny_model, "agent", width=8, max_message_tokens=6), list(range(8)), turns=2)
    alone = talk(ModelSpeaker(tiny_model, "agent", width=2, max_message_tokens=6), [4], turns=2)
    assert alone[4] == together[4]


def test_places_are_reused_cleanly(tiny_model: ChatModel) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=2, max_message_tokens=6)
    first = talk(speaker, [4], turns=2)
    speaker.finish(4)
    talk(speaker, [7], turns=3)
    speaker.finish(7)
    assert talk(speaker, [4], turns=2) == first


def test_forced_words_begin_the_message_and_are_not_trained(tiny_model: ChatModel) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=2, max_message_tokens=6)
    (answer,) = speaker.reply([request(0, OPENING, forced="take red")])
    assert isinstance(answer, Message)
    assert answer.text.startswith("take red")
    record = speaker.finish(0)
    assert record is not None
    forced = tiny_model.tokenizer.encode("take red", add_special_tokens=False)
    start = record.spans[0][0]
    assert list(record.ids[start - len(forced) : start]) == forced
    assert not any(record.sampled[:start])


def test_to_leave_is_the_first_token_and_no_other(tiny_model: ChatModel) -> None:
    user, agent = (ModelSpeaker(tiny_model, side, width=1, max_message_tokens=6) for side in ("user", "agent"))
    leave, stop, (word,) = user.format.end_of_dialogue, user.format.end_of_turn, user.format.words("red")
    assert leave is not None
    said = {
        (leave, word, stop): Message("user", "red", end=True),
        (leave, stop): Message("user", "", end=True),
        (word, leave, stop): Message("user", "red"),
        (word, stop): Message("user", "red"),
        (stop,): Message("user", "..."),
    }
    for ids, message in said.items():
        assert as_message(user.format, sampler.Sampled(list(ids), [0.0] * len(ids), True)) == message
    assert not as_message(agent.format, sampler.Sampled([leave, word, stop], [0.0] * 3, True)).end
    ids, mask = user.format.own(Message("user", "red", end=True), ())
    assert [i for i, own in zip(ids, mask, strict=True) if own] == [leave, word, stop]


def test_alternatives_go_on_from_the_same_words(tiny_model: ChatModel) -> None:
    said = (*OPENING, Message("agent", "a"), Message("user", "red"))
    speaker = ModelSpeaker(tiny_model, "agent", width=4, max_message_tokens=6)
    alone = ModelSpeaker(tiny_model, "agent", width=4, max_message_tokens=6)
    long = (Message("user", "red " * 600),)
    requests = [request(1, said, "take"), request(2, long), request(3, OPENING)]
    first, failed, third = speaker.alternatives(requests, 5)
    assert isinstance(failed, Failure)
    assert not isinstance(first, Failure)
    assert not isinstance(third, Failure)
    assert len(third) == 5
    assert len({message.text for message, _ in first}) > 1
    for message, record in first:
        assert message.text.startswith("take")
        assert len(record.spans) == 1
        sampled = torch.tensor(record.sampled)
        assert (torch.tensor(record.logprobs) - full_logprobs(tiny_model, record))[sampled].abs().max() < 0.02
    assert alone.reply(requests[:1]) == [first[0][0]]  # the same draws as for one reply
    same = alone.finish(1)
    assert same is not None
    assert (same.ids, same.sampled, same.spans) == (first[0][1].ids, first[0][1].sampled, first[0][1].spans)
    assert same.logprobs == pytest.approx(first[0][1].logprobs, abs=0.02)  # rounding depends on the batch
    assert speaker.finish(1) is None
    assert len(speaker._free) == 4


def test_a_full_context_is_a_failure_not_a_reward(tiny_model: ChatModel) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=2, max_message_tokens=6)
    long, short = request(0, (Message("user", "red " * 100),)), request(1, OPENING)
    answers = speaker.reply([long, short])
    assert isinstance(answers[0], Failure)
    assert isinstance(answers[1], Message)


def test_greedy_takes_the_most_probable_token(tiny_model: ChatModel) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=1, max_message_tokens=4, temperature=0.0)
    speaker.reply([request(0, OPENING)])
    record = speaker.finish(0)
    assert record is not None
    with torch.no_grad():
        logits = tiny_model.model.to(torch.float32)(torch.tensor([record.ids])).logits[0]
    for position, token in enumerate(record.ids):
        if record.sampled[position]:
            # A tie within bf16 rounding may go either way.
            assert logits[position - 1].max() - logits[position - 1, token] < 0.01


def test_rows_do_not_depend_on_how_earlier_dialogues_ended(
    tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a row's rounding depends on its place in the batch, a resumed run would otherwise differ in the last bits."""
    fed: list[list[list[int]]] = []

    def sample(self: sampler.Sampler, places: list[int], new_ids: list[list[int]], *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        fed.append(new_ids)
        return [[sampler.Sampled([1], [0.0], True)] for _ in places]

    monkeypatch.setattr(sampler.Sampler, "sample", sample)
    speaker = ModelSpeaker(tiny_model, "agent", width=5, max_message_tokens=6)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        speaker.reply([request(k, (Message("user", "red " * (k + 1)),)) for k in range(3)])
        for key in order:
            speaker.finish(key)
    assert fed[0] == fed[1] == fed[2]
