"""Append-only chat rendering for either side: each new message adds tokens, nothing sampled is ever encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from understudy.errors import ModelError
from understudy.models.chat_model import RESTATE_PROMPT, SHOWN_APART, ChatModel
from understudy.models.template import Around, Template, read_template
from understudy.models.tiny import END_OF_DIALOGUE
from understudy.types import Message, Role

_BETWEEN = "\n\n"
"""Between a prompt and the message that it is written into, where a template has no place for it of its own."""


@dataclass(frozen=True)
class ChatFormat:
    """What a chat template writes around a message, for a model that takes one side of the dialogue.

    The model's own messages have the template's `assistant` role, the other side's the `user` role, and its prompt the
    `system` role; on the user's side the roles are therefore reversed. Where a template has no `system` role, the prompt
    stands at the head of the first message of the other side; where it lets no assistant speak first, the prompt is a
    message of the other side by itself, and the opening answers it.

    Attributes:
        restate_prompt: whether the prompt is written again before each message of the other side, so that a small model
            has its goal next to what it compares it with, and reads what was asked with the goal before its eyes.
        shown_apart: whether what is shown is a system message of its own, where the template has a place for one.

    Raises:
        ModelError: if the template is not append-only (see `read_template`), or ends a message with no token of its own.
    """

    tokenizer: PreTrainedTokenizerBase
    side: Role
    restate_prompt: bool = False
    shown_apart: bool = True

    @classmethod
    def of(cls, chat_model: ChatModel, side: Role) -> ChatFormat:
        """The format that a model was trained with, which is kept in its `config.json`."""
        return cls.read(chat_model.model.config, chat_model.tokenizer, side)

    @classmethod
    def read(cls, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, side: Role) -> ChatFormat:
        """The format that a model's config keeps; that of an untouched model where it keeps none."""
        restate = getattr(config, RESTATE_PROMPT, None)
        # A model of an earlier version keeps the one and not the other: what was shown headed its own turn.
        return cls(tokenizer, side, bool(restate), bool(getattr(config, SHOWN_APART, restate is None)))

    def __post_init__(self) -> None:
        tail = self._own[1]
        if not tail or tail[0] not in self.tokenizer.added_tokens_decoder:
            raise ModelError(
                "the chat template ends a message with no token of its own, so that a model could not end one either",
                where=str(self.tokenizer.name_or_path),
                fix="give a template that ends each message with a special token: see docs/models.md",
            )

    @cached_property
    def _template(self) -> Template:
        return read_template(self.tokenizer)

    @cached_property
    def _encode(self) -> Callable[[str], tuple[int, ...]]:
        # The template's own pieces: a handful, asked for at every message.
        encode = self.tokenizer.encode
        return lru_cache(lambda text: tuple(encode(text, add_special_tokens=False)))

    def _around(self, around: Around) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._encode(around[0]), self._encode(around[1])

    @cached_property
    def _other(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._around(self._template.user)

    @cached_property
    def _own(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._around(self._template.assistant)

    @property
    def _aside(self) -> Around | None:
        return self._template.aside if self.shown_apart else None

    def start(self, prompt: str, *, own_opens: bool) -> list[int]:
        """What the dialogue begins with: the prompt, where it has a place of its own.

        Args:
            own_opens: whether this side speaks first.
        """
        template = self._template
        if template.system is not None and (template.answers_system or not own_opens):
            head, tail = self._around(template.system)
            return [*head, *self.words(prompt), *tail]
        begin = self._encode(template.start)
        if not own_opens:
            return [*begin]
        head, tail = self._other
        return [*begin, *head, *self.words(prompt), *tail]

    def other(self, prompt: str, message: Message, *, first: bool) -> list[int]:
        """The tokens of the other side's message; `first` where no message stands before it."""
        head, tail = self._other
        before, inside = self._with_prompt(prompt, first)
        return [*before, *head, *inside, *self._said(message), *tail]

    def _with_prompt(self, prompt: str, first: bool) -> tuple[list[int], list[int]]:
        """What stands before a message of the other side, and at the head of its words, for the prompt's sake."""
        template = self._template
        if first and template.system is not None:
            return [], []  # it has just been given
        if not first and not self.restate_prompt:
            return [], []
        if not first and template.system_again is not None:
            head, tail = self._around(template.system_again)
            return [*head, *self.words(prompt), *tail], []
        return [], [*self.words(prompt), *self._encode(_BETWEEN)] if prompt else []

    def before_own(self, messages: Sequence[Message]) -> list[int]:
        """What stands before the model's own words: what is shown beside the last message, and the generation prompt.

        What is shown is a system message, which no words of the other side can pretend to be, and which a model that has
        learned to foresee it cannot write in place of its own words: it would tell the other side what is private. Where
        the template has no place for one, it stands at the head of the own turn (`shown_within`).

        Args:
            messages: what was said before.
        """
        shown = self.words(messages[-1].shown) if messages else []
        if not shown or self._aside is None:
            return [*self._own[0], *shown]
        head, tail = self._around(self._aside)
        return [*head, *shown, *tail, *self._own[0]]

    @property
    def end_of_turn(self) -> int:
        """The token that ends the model's message and hands over the turn."""
        return self._own[1][0]

    @cached_property
    def end_of_dialogue(self) -> int | None:
        """The token that a message begins with whose speaker leaves after it; None where the vocabulary has none.

        It stands before the words: to leave is then one decision, not one that every word may slip into or miss.
        """
        found = self.tokenizer.convert_tokens_to_ids(END_OF_DIALOGUE)
        return found if isinstance(found, int) and found != self.tokenizer.unk_token_id else None

    @property
    def after_own(self) -> list[int]:
        """What the template writes after the end-of-turn token of the model's own message."""
        return [*self._own[1][1:]]

    def words(self, text: str) -> list[int]:
        """The tokens of a message's words; text that looks like a special token stays text."""
        return list(self._encoded_words(text))

    def _said(self, message: Message) -> list[int]:
        """The tokens of what this side is given of a message, without whitespace around it where the template writes none."""
        own = message.role == self.side
        text = message.text if own else message.heard
        return self.words(text.strip() if ("assistant" if own else "user") in self._template.trimmed else text)

    @cached_property
    def _encoded_words(self) -> Callable[[str], tuple[int, ...]]:
        # Prompts and earlier messages come again at every turn, and encoding costs as much as a small model's forward pass.
        encode = self.tokenizer.encode
        return lru_cache(maxsize=65_536)(
            lambda text: tuple(encode(text, add_special_tokens=False, split_special_tokens=True))
        )

    def own(self, message: Message, before: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """Tokens of an own message from a log, with the loss mask: whether it is the last, its words, the end of turn.

        Args:
            before: the messages that it answers.
        """
        leaves = [self.end_of_dialogue] if message.end and self.end_of_dialogue is not None else []
        words = [*leaves, *self._said(message)]
        head = self.before_own(before)
        ids = [*head, *words, self.end_of_turn, *self.after_own]
        mask = [False] * len(head) + [True] * (len(words) + 1) + [False] * len(self.after_own)
        return ids, mask

    def dialogue(self, prompt: str, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """A logged dialogue in this side's view: ids and loss mask, true on this side's own words and ends."""
        ids = self.start(prompt, own_opens=self.own_opens(messages))
        mask = [False] * len(ids)
        for position, message in enumerate(messages):
            if message.role == self.side:
                new, sampled = self.own(message, messages[:position])
            else:
                new = self.other(prompt, message, first=position == 0)
                sampled = [False] * len(new)
            ids += new
            mask += sampled
        return ids, mask

    def heard(
        self,
        prompt: str,
        messages: Sequence[Message],
        include: Callable[[Message], bool] = lambda message: True,
        *,
        ends: bool = False,
    ) -> list[bool]:
        """For each token of `dialogue`: whether it is a word of the other side, in a message to be included.

        Args:
            ends: whether the token that ends such a message counts as one.
        """
        marks = [False] * len(self.start(prompt, own_opens=self.own_opens(messages)))
        tail = len(self._other[1])
        for position, message in enumerate(messages):
            if message.role == self.side:
                marks += [False] * len(self.own(message, messages[:position])[0])
            else:
                words = len(self._said(message))
                before = len(self.other(prompt, message, first=position == 0)) - words - tail
                told = words + min(tail, int(ends))
                marks += [False] * before + [include(message)] * told + [False] * (words + tail - told)
        return marks

    def ending(self, message: Message) -> tuple[int, int]:
        """How many tokens of `other` are the words of the other side's message, and how many stand after them."""
        return len(self._said(message)), len(self._other[1])

    def shown_within(self, prompt: str, messages: Sequence[Message]) -> list[int]:
        """Places in `dialogue` of what the interface shows at the head of an own turn; none where it stands apart."""
        if self._aside is not None or not any(message.shown for message in messages):
            return []
        found: list[int] = []
        place = len(self.start(prompt, own_opens=self.own_opens(messages)))
        for position, message in enumerate(messages):
            if message.role == self.side:
                before = messages[:position]
                found += range(place + len(self._own[0]), place + len(self.before_own(before)))
                place += len(self.own(message, before)[0])
            else:
                place += len(self.other(prompt, message, first=position == 0))
        return found

    def own_opens(self, messages: Sequence[Message]) -> bool:
        """Whether this side speaks first, in a dialogue that holds these messages or is about to begin with its own."""
        return not messages or messages[0].role == self.side

    def text(self, ids: Sequence[int]) -> str:
        decoded: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return decoded.strip()
