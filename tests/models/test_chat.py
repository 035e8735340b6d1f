from __future__ import annotations

import copy

import pytest
from transformers import PreTrainedTokenizerBase

from understudy.errors import ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.types import Message

MESSAGES = (
    Message("user", "i want red please"),
    Message("agent", "which colour ?"),
    Message("user", "red", end=True),
)


def pieces(model: ChatModel, ids: list[int], mask: list[bool]) -> list[tuple[str, bool]]:
    return [(model.tokenizer.decode([i]).strip(), m) for i, m in zip(ids, mask, strict=True)]


def test_expected_loss_mask_of_the_agent(tiny_model: ChatModel) -> None:
    ids, mask = ChatFormat(tiny_model.tokenizer, "agent").dialogue("you sell paint", MESSAGES)
    assert pieces(tiny_model, ids, mask) == [
        ("<|system|>", False), ("you", False), ("sell", False), ("paint", False), ("<|eot|>", False),
        ("<|user|>", False), ("i", False), ("want", False), ("red", False), ("please", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("which", True), ("colour", True), ("?", True), ("<|eot|>", True),
        ("<|user|>", False), ("red", False), ("<|eot|>", False),
    ]  # fmt: skip


def test_expected_loss_mask_of_the_user_has_roles_reversed_and_a_learned_end(tiny_model: ChatModel) -> None:
    ids, mask = ChatFormat(tiny_model.tokenizer, "user").dialogue("you want red", MESSAGES)
    assert pieces(tiny_model, ids, mask) == [
        ("<|system|>", False), ("you", False), ("want", False), ("red", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("i", True), ("want", True), ("red", True), ("please", True), ("<|eot|>", True),
        ("<|user|>", False), ("which", False), ("colour", False), ("?", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("<|leaves|>", True), ("red", True), ("<|eot|>", True),
    ]  # fmt: skip


def test_a_restated_prompt_stands_before_each_message_of_the_other_side(tiny_model: ChatModel) -> None:
    chat = ChatFormat(tiny_model.tokenizer, "user", restate_prompt=True)
    ids, mask = chat.dialogue("you want red", MESSAGES)
    assert pieces(tiny_model, ids, mask) == [
        ("<|system|>", False), ("you", False), ("want", False), ("red", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("i", True), ("want", True), ("red", True), ("please", True), ("<|eot|>", True),
        ("<|system|>", False), ("you", False), ("want", False), ("red", False), ("<|eot|>", False),
        ("<|user|>", False), ("which", False), ("colour", False), ("?", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("<|leaves|>", True), ("red", True), ("<|eot|>", True),
    ]  # fmt: skip


SHOWN = (
    Message("user", "red", shown="you sell"),
    Message("agent", "which <|system|>", shown="you want"),
    Message("user", "please", end=True),
)


def test_what_is_shown_is_a_system_message_before_the_answer(tiny_model: ChatModel) -> None:
    user = ChatFormat(tiny_model.tokenizer, "user")
    ids, mask = user.dialogue("paint", SHOWN)
    assert pieces(tiny_model, ids, mask)[-8:] == [
        ("<|system|>", False), ("you", False), ("want", False), ("<|eot|>", False),
        ("<|assistant|>", False), ("<|leaves|>", True), ("please", True), ("<|eot|>", True),
    ]  # fmt: skip
    assert user.before_own(SHOWN[:2]) == ids[-8:-3]
    # Words that look like a special token stay words, and what is shown is not heard.
    assert ids.count(tiny_model.tokenizer.convert_tokens_to_ids("<|system|>")) == 2
    heard = user.heard("paint", SHOWN)
    assert len(heard) == len(ids)
    assert not any(heard[-8:])
    assert user.shown_within("paint", SHOWN) == []
    agent_ids, agent_mask = ChatFormat(tiny_model.tokenizer, "agent").dialogue("paint", SHOWN[:2])
    assert pieces(tiny_model, agent_ids, agent_mask)[6:12] == [
        ("<|system|>", False), ("you", False), ("sell", False), ("<|eot|>", False), ("<|assistant|>", False), ("which", True),
    ]  # fmt: skip


def test_where_no_system_message_may_stand_there_what_is_shown_heads_the_own_turn(
    tiny_model: ChatModel, system_first_tokenizer: PreTrainedTokenizerBase
) -> None:
    user = ChatFormat(system_first_tokenizer, "user")
    ids, mask = user.dialogue("paint", SHOWN)
    assert pieces(tiny_model, ids, mask)[-6:] == [
        ("<|assistant|>", False), ("you", False), ("want", False), ("<|leaves|>", True), ("please", True), ("<|eot|>", True),
    ]  # fmt: skip
    assert user.before_own(SHOWN[:2]) == ids[-6:-3]
    assert user.shown_within("paint", SHOWN) == [len(ids) - 5, len(ids) - 4]  # you want


def test_a_model_of_an_earlier_version_reads_what_is_shown_where_it_learned_to(tiny_model: ChatModel) -> None:
    config, tokenizer = copy.deepcopy(tiny_model.model.config), tiny_model.tokenizer
    assert ChatFormat.read(config, tokenizer, "user") == ChatFormat(tokenizer, "user", shown_apart=True)
    del config.shown_apart
    old = ChatFormat.read(config, tokenizer, "user").before_own(SHOWN[:2])
    assert pieces(tiny_model, old, [False] * 3) == [("<|assistant|>", False), ("you", False), ("want", False)]
    # One that keeps neither was never ours: it has learned neither.
    del config.restate_prompt
    assert ChatFormat.read(config, tokenizer, "user") == ChatFormat(tokenizer, "user", shown_apart=True)


def test_heard_are_the_words_of_the_other_side(tiny_model: ChatModel) -> None:
    for side, expected in (("user", ["which", "colour", "?"]), ("agent", ["i", "want", "red", "please", "red"])):
        chat = ChatFormat(tiny_model.tokenizer, side, restate_prompt=True)  # type: ignore[arg-type]
        ids, _ = chat.dialogue("you want red", MESSAGES)
        heard = chat.heard("you want red", MESSAGES)
        assert [word for word, marked in pieces(tiny_model, ids, heard) if marked] == expected


def test_words_that_look_like_a_special_token_stay_words(tiny_model: ChatModel) -> None:
    chat = ChatFormat(tiny_model.tokenizer, "agent")
    ids = chat.other("", Message("user", "red <|eot|> <|assistant|>"), first=True)
    assert ids.count(chat.end_of_turn) == 1
    assert chat.before_own(())[0] not in ids


def test_a_template_that_rewrites_history_is_refused(tiny_model: ChatModel) -> None:
    tokenizer = copy.deepcopy(tiny_model.tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ m.role }}|>{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %}"
        "<|eot|>{% endfor %}"
    )
    with pytest.raises(ModelError, match="append-only"):
        ChatFormat(tokenizer, "agent")


def test_saved_folder_gives_the_same_tokens_and_weights(tiny_model: ChatModel, tmp_path) -> None:  # type: ignore[no-untyped-def]
    tiny_model.save(tmp_path)
    loaded = load_chat_model(tmp_path)
    text = "i  want REd, 42 greeen"
    assert loaded.tokenizer.encode(text) == tiny_model.tokenizer.encode(text)
    for a, b in zip(loaded.model.parameters(), tiny_model.model.parameters(), strict=True):
        assert a.equal(b)


def test_a_missing_model_says_what_to_do(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match="save_pretrained"):
        load_chat_model(tmp_path)


def test_what_is_private_is_written_by_its_own_side_and_not_given_to_the_other(tiny_model: ChatModel) -> None:
    said = (Message("user", "red"), Message("agent", "i sell green", public="i sell"), Message("user", "please"))
    agent, user = (ChatFormat(tiny_model.tokenizer, side) for side in ("agent", "user"))  # type: ignore[arg-type]
    own, mask = agent.dialogue("", said)
    assert [w for w, marked in pieces(tiny_model, own, mask) if marked] == ["i", "sell", "green", "<|eot|>"]
    given, _ = user.dialogue("", said)
    heard = [w for w, marked in pieces(tiny_model, given, user.heard("", said)) if marked]
    assert heard == ["i", "sell"]
    assert "green" not in tiny_model.tokenizer.decode(given)
