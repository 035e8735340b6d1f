"""Real chat formats, in minimal templates of our own: the loss mask written by hand, for both sides and both openers."""

from __future__ import annotations

import copy

import pytest
from transformers import PreTrainedTokenizerFast

from chat_formats import tokenizer, usable
from understudy.errors import ModelError
from understudy.models.chat import ChatFormat
from understudy.models.template import read_template
from understudy.types import Message, Role

USER_FIRST = (Message("user", "hi there"), Message("agent", "what size ?"), Message("user", "large", end=True))
AGENT_FIRST = (Message("agent", "hello"), Message("user", "a tea"), Message("agent", "bye"))

Expected = list[tuple[str, bool]]
AGENT_ANSWERS: dict[str, Expected] = {
    "gemma": [
        ("<bos><start_of_turn>user\nsell\n\nhi there<end_of_turn>\n<start_of_turn>model\n", False),
        ("what size ?<end_of_turn>", True),
        ("\n<start_of_turn>user\nlarge<end_of_turn>\n", False),
    ],
    "qwen": [
        ("<|im_start|>system\nsell<|im_end|>\n<|im_start|>user\nhi there<|im_end|>\n<|im_start|>assistant\n", False),
        ("what size ?<|im_end|>", True),
        ("\n<|im_start|>user\nlarge<|im_end|>\n", False),
    ],
    "llama": [
        ("<bos><|start_header_id|>system<|end_header_id|>\n\nsell<|eot_id|>", False),
        ("<|start_header_id|>user<|end_header_id|>\n\nhi there<|eot_id|>", False),
        ("<|start_header_id|>assistant<|end_header_id|>\n\n", False),
        ("what size ?<|eot_id|>", True),
        ("<|start_header_id|>user<|end_header_id|>\n\nlarge<|eot_id|>", False),
    ],
    "mistral": [
        ("<bos>[INST] sell\n\nhi there[/INST]", False),
        ("what size ?</s>", True),
        ("[INST] large[/INST]", False),
    ],
    "phi": [
        ("<|system|>\nsell<|end|>\n<|user|>\nhi there<|end|>\n<|assistant|>\n", False),
        ("what size ?<|end|>", True),
        ("\n<|user|>\nlarge<|end|>\n", False),
    ],
}
USER_OPENS: dict[str, Expected] = {
    "gemma": [  # a strict template: the goal is the first message of its user, and the opening answers it
        ("<bos><start_of_turn>user\nbuy<end_of_turn>\n<start_of_turn>model\n", False),
        ("hi there<end_of_turn>", True),
        ("\n<start_of_turn>user\nwhat size ?<end_of_turn>\n<start_of_turn>model\n", False),
        ("large<end_of_turn>", True),
        ("\n", False),
    ],
    "qwen": [
        ("<|im_start|>system\nbuy<|im_end|>\n<|im_start|>assistant\n", False),
        ("hi there<|im_end|>", True),
        ("\n<|im_start|>user\nwhat size ?<|im_end|>\n<|im_start|>assistant\n", False),
        ("large<|im_end|>", True),
        ("\n", False),
    ],
    "llama": [
        ("<bos><|start_header_id|>system<|end_header_id|>\n\nbuy<|eot_id|>", False),
        ("<|start_header_id|>assistant<|end_header_id|>\n\n", False),
        ("hi there<|eot_id|>", True),
        ("<|start_header_id|>user<|end_header_id|>\n\nwhat size ?<|eot_id|>", False),
        ("<|start_header_id|>assistant<|end_header_id|>\n\n", False),
        ("large<|eot_id|>", True),
    ],
    "mistral": [
        ("<bos>[INST] buy[/INST]", False),
        ("hi there</s>", True),
        ("[INST] what size ?[/INST]", False),
        ("large</s>", True),
    ],
    "phi": [
        ("<|system|>\nbuy<|end|>\n<|assistant|>\n", False),
        ("hi there<|end|>", True),
        ("\n<|user|>\nwhat size ?<|end|>\n<|assistant|>\n", False),
        ("large<|end|>", True),
        ("\n", False),
    ],
}


def runs(made: PreTrainedTokenizerFast, ids: list[int], mask: list[bool]) -> Expected:
    """The text of each run of tokens with the same mask."""
    found: list[tuple[list[int], bool]] = []
    for token, own in zip(ids, mask, strict=True):
        if not found or found[-1][1] != own:
            found.append(([], own))
        found[-1][0].append(token)
    return [(made.decode(part), own) for part, own in found]


def joined(expected: Expected) -> Expected:
    """Neighbours with the same mask as one: they are written apart for the reader."""
    found: Expected = []
    for text, own in expected:
        if found and found[-1][1] == own:
            found[-1] = (found[-1][0] + text, own)
        else:
            found.append((text, own))
    return found


@pytest.mark.parametrize("name", AGENT_ANSWERS)
def test_expected_mask_where_the_other_side_opens(name: str) -> None:
    made = usable(name)
    chat = ChatFormat(made, "agent")
    assert runs(made, *chat.dialogue("sell", USER_FIRST)) == joined(AGENT_ANSWERS[name])
    heard = [
        text
        for text, marked in runs(made, chat.dialogue("sell", USER_FIRST)[0], chat.heard("sell", USER_FIRST))
        if marked
    ]
    assert heard == ["hi there", "large"]


@pytest.mark.parametrize("name", USER_OPENS)
def test_expected_mask_with_roles_reversed_where_this_side_opens(name: str) -> None:
    made = usable(name)
    assert runs(made, *ChatFormat(made, "user").dialogue("buy", USER_FIRST)) == joined(USER_OPENS[name])


@pytest.mark.parametrize("name", AGENT_ANSWERS)
@pytest.mark.parametrize("side", ["agent", "user"])
def test_what_is_rendered_bit_by_bit_is_what_the_template_writes(name: str, side: Role) -> None:
    made = usable(name)
    chat = ChatFormat(made, side)
    own = "assistant"
    roles = {side: own, ("user" if side == "agent" else "agent"): "user"}
    turns = [{"role": roles[m.role], "content": m.text} for m in AGENT_FIRST]
    if turns[0]["role"] == own and name in ("gemma", "mistral"):
        turns.insert(0, {"role": "user", "content": "goal"})
    elif name in ("gemma", "mistral"):
        turns[0]["content"] = "goal\n\n" + turns[0]["content"]
    else:
        turns.insert(0, {"role": "system", "content": "goal"})
    whole = made.apply_chat_template(turns, tokenize=False)
    written = made.decode(chat.dialogue("goal", AGENT_FIRST)[0])
    # An answer's leading space, which Mistral's format has in history, comes with its own first token.
    assert written == whole.replace("[/INST] ", "[/INST]")


def test_a_prompt_restated_at_each_turn_goes_where_the_template_has_a_place_for_it() -> None:
    for name, expected in (
        ("gemma", "<start_of_turn>user\nbuy\n\nwhat size ?<end_of_turn>\n"),
        ("phi", "<|system|>\nbuy<|end|>\n<|user|>\nwhat size ?<|end|>\n"),
        ("llama", "<|start_header_id|>user<|end_header_id|>\n\nbuy\n\nwhat size ?<|eot_id|>"),
    ):
        made = usable(name)
        chat = ChatFormat(made, "user", restate_prompt=True)
        said = made.decode(chat.other("buy", Message("agent", "what size ?"), first=False))
        if name == "llama":  # it takes a later system message as well
            expected = "<|start_header_id|>system<|end_header_id|>\n\nbuy<|eot_id|>" + expected.replace("buy\n\n", "")
        assert said == expected


def test_what_is_shown_goes_where_the_template_has_a_place_for_it() -> None:
    said = (Message("agent", "what size ?", shown="two left"),)
    for name, expected in (
        ("gemma", "<start_of_turn>model\ntwo left"),
        ("phi", "<|system|>\ntwo left<|end|>\n<|assistant|>\n"),
        ("llama", "<|start_header_id|>system<|end_header_id|>\n\ntwo left<|eot_id|>"
         "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    ):  # fmt: skip
        made = usable(name)
        assert made.decode(ChatFormat(made, "user").before_own(said)) == expected


@pytest.mark.parametrize("name", ["llama", "phi", "qwen"])
def test_a_dialogue_with_what_is_shown_is_what_the_template_writes_with_system_messages(name: str) -> None:
    made = usable(name)
    said = (
        Message("agent", "what size ?", shown="two left"),
        Message("user", "large"),
        Message("agent", "and colour ?"),
    )
    turns = [
        {"role": "system", "content": "buy"},
        {"role": "user", "content": "what size ?"},
        {"role": "system", "content": "two left"},
        {"role": "assistant", "content": "large"},
        {"role": "user", "content": "and colour ?"},
    ]
    whole = made.apply_chat_template(turns, tokenize=False)
    assert made.decode(ChatFormat(made, "user").dialogue("buy", said)[0]) == whole


@pytest.mark.parametrize("known", ["assistant", "user"])
def test_a_template_that_writes_a_system_message_as_one_of_a_side_has_no_place_for_what_is_shown(known: str) -> None:
    made = copy.deepcopy(usable("phi"))
    other = {"assistant": "user", "user": "assistant"}[known]
    made.chat_template = (
        "{% for m in messages %}{% if loop.first and m.role == 'system' %}<|system|>{% elif m.role == '"
        + known
        + "' %}"
        "<|" + known + "|>{% else %}<|" + other + "|>{% endif %}{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    assert read_template(made).aside is None


def test_a_template_that_writes_thoughts_last_and_strips_them_from_history_is_refused_and_its_plain_form_is_not() -> (
    None
):
    with pytest.raises(ModelError, match=r"append-only[\s\S]*chat_template=qwen3"):
        ChatFormat(tokenizer("qwen_thinking"), "agent")
    chat = ChatFormat(usable("qwen_thinking"), "agent")
    ids, mask = chat.dialogue("sell", USER_FIRST)
    before = chat.tokenizer.decode([token for token, own in zip(ids, mask, strict=True) if not own])
    assert "assistant\n<think>\n\n</think>\n\n" in before, "an answer begins with a thought that is over"
    ChatFormat(tokenizer("qwen"), "agent")


def test_a_template_that_strips_thoughts_only_where_there_are_some_is_refused() -> None:
    with pytest.raises(ModelError, match=r"<think>..</think>.*given that as words\n.*does not think aloud"):
        ChatFormat(tokenizer("deepseek"), "agent")
    # A plain form does not keep a model from thinking, and is not offered.
    made = tokenizer("qwen")
    made.chat_template = made.chat_template.replace("m.content }}", "m.content.split('</think>')[-1] }}")
    with pytest.raises(ModelError, match=r"does not think aloud"):
        ChatFormat(made, "agent")


def test_a_template_that_trims_a_message_once_another_follows_is_refused() -> None:
    made = tokenizer("qwen")
    made.chat_template = made.chat_template.replace("m.content }}", "(m.content if loop.last else m.content | trim) }}")
    with pytest.raises(ModelError, match=r"whitespace around the words"):
        ChatFormat(made, "agent")


TRIMMED: dict[str, set[Role]] = {
    "gemma": {"user", "agent"}, "qwen": set(), "llama": {"user", "agent"}, "mistral": {"agent"}, "phi": set(),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIMMED)
def test_whitespace_around_words_is_written_where_the_template_writes_it(name: str) -> None:
    made = usable(name)
    said = (Message("user", "  hi there\n"), Message("agent", "  what size ?\n"), Message("user", "large "))
    written = made.decode(ChatFormat(made, "agent").dialogue("", said)[0])
    for message in said[:2]:
        assert (message.text in written) == (message.role not in TRIMMED[name])
    turns = [{"role": "assistant" if m.role == "agent" else "user", "content": m.text} for m in said]
    whole = made.apply_chat_template(turns, tokenize=False).replace("[/INST] ", "[/INST]")
    assert written.endswith(whole[whole.index("hi there") :])


@pytest.mark.parametrize("side", ["agent", "user"])
def test_a_template_that_writes_todays_date_writes_the_same_one_on_every_day(side: Role) -> None:
    made = tokenizer("llama_dated")
    written = made.decode(ChatFormat(made, side).dialogue("sell", USER_FIRST)[0])
    dated = "<bos><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\nNow: Friday 2024-07-26\n\n"
    assert written.startswith(f"{dated}sell<|eot_id|>")
    assert "Date" not in written[len(dated) :]


def test_phis_own_template_ends_every_dialogue_and_the_shipped_one_does_not() -> None:
    own = tokenizer("phi")
    assert own.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False).endswith(
        "<|end|>\n<|endoftext|>"
    )
    with pytest.raises(ModelError, match=r"append-only[\s\S]*chat_template=phi"):
        ChatFormat(own, "agent")
    ChatFormat(usable("phi"), "agent")


def test_phi_ends_a_message_with_what_others_might_leave_with() -> None:
    chat = ChatFormat(usable("phi"), "user")
    assert chat.end_of_dialogue is None
    assert chat.tokenizer.decode([chat.end_of_turn]) == "<|end|>"


def test_a_message_that_ends_with_no_token_of_its_own_is_refused() -> None:
    made = tokenizer("qwen")
    made.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" + (
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    with pytest.raises(ModelError, match="no token of its own"):
        ChatFormat(made, "agent")
