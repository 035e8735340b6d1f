"""What a chat template writes around messages, found by rendering probes; and whether it can be followed at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from understudy.errors import ModelError
from understudy.models.shipped import shipped_templates

TemplateRole = Literal["system", "user", "assistant"]
Around = tuple[str, str]
"""What stands before and after a message's words."""

_PROBES = ("xyzzy", "plugh", "plover", "fee", "fie")


@dataclass(frozen=True, slots=True)
class Template:
    """The text around messages, each of which adds to what stands before it and changes nothing there.

    Attributes:
        system: around a prompt of its own at the start, with what begins a sequence; None where the template has none.
        system_again: the same later on; None where it has none there.
        start: what begins a sequence that has no prompt of its own.
        user, assistant: around their messages.
        answers_system: whether the assistant may speak right after the prompt. Where it may not, or where there is no
            `system`, a prompt that the assistant's opening follows is given as the first user message.
    """

    system: Around | None
    system_again: Around | None
    start: str
    user: Around
    assistant: Around
    answers_system: bool


def read_template(tokenizer: PreTrainedTokenizerBase) -> Template:
    """Find out what a tokenizer's template writes, and check that it only ever appends.

    Raises:
        ModelError: if a new message changes how earlier ones are written, if roles cannot take turns, or if the generation
            prompt is not what stands before an answer in the history.
    """
    probing = _Probing(tokenizer)
    system = probing.added(["system"])
    if system is not None and probing.added(["system", "user"]) is None:
        system = None  # it is written with the message that follows
    opening: list[TemplateRole] = ["system"] if system is not None else []
    turns: list[TemplateRole] = [*opening, "user", "assistant", "user", "assistant"]
    pieces = [probing.added(turns[: n + 1]) for n in range(len(opening), len(turns))]
    first_user, first_answer, user, assistant = pieces
    if first_user is None or first_answer is None or user is None or assistant is None:
        raise probing.refuse("a new message changes how earlier ones are written, or is not written at all")
    if first_answer != assistant or not first_user[0].endswith(user[0]) or first_user[1] != user[1]:
        raise probing.refuse("messages are not written the same way at each turn")
    generated = probing.generated(turns[:-1])
    if generated is None or generated.rstrip() != assistant[0].rstrip():
        raise probing.refuse("what makes the model answer is not what stands before an answer in the history")
    answers_system = system is not None and probing.added(["system", "assistant"]) == assistant
    bare = probing.added(["user"])
    if bare is None or not bare[0].endswith(user[0]):
        if not answers_system:
            raise probing.refuse("a dialogue cannot begin with a user message")
        bare = user
    again = probing.added(["system", "user", "assistant", "system"]) if system is not None else None
    if again is not None and probing.added(["system", "user", "assistant", "system", "user"]) != user:
        again = None
    return Template(
        system=system,
        system_again=again,
        start=bare[0][: len(bare[0]) - len(user[0])],
        user=user,
        # A space there is brought along by the first token of the answer.
        assistant=(generated, assistant[1]),
        answers_system=answers_system,
    )


class _Probing:
    """Renders probes; what the template refuses to render is None."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def added(self, roles: Sequence[TemplateRole]) -> Around | None:
        """What the last message adds around its words; None if it is not written, or anything before it is changed."""
        before = self._render(roles[:-1]) if len(roles) > 1 else ""
        after = self._render(roles)
        probe = _PROBES[len(roles) - 1]
        if before is None or after is None or not after.startswith(before):
            return None
        head, found, tail = after[len(before) :].partition(probe)
        return (head, tail) if found else None

    def generated(self, roles: Sequence[TemplateRole]) -> str | None:
        """What is written to make the model answer."""
        before, after = self._render(roles), self._render(roles, generate=True)
        if before is None or after is None or not after.startswith(before):
            return None
        return after[len(before) :]

    def refuse(self, why: str) -> ModelError:
        plain = self._plain_form()
        fix = "give a template that writes each message once, in turn, and leaves history as it was"
        if plain is not None:
            fix = f"set chat_template={plain} in the model's section, a plain form of the same format"
        where = str(self.tokenizer.name_or_path)
        return ModelError(f"the chat template is not append-only: {why}", where=where, fix=f"{fix}: see docs/models.md")

    def _plain_form(self) -> str | None:
        """The template of the package that asks for the answer to a message in the same words as the tokenizer's own."""
        own = self._render(["user"], generate=True)
        for name, text in shipped_templates().items():
            plain = self._render(["user"], generate=True, template=text)
            if own is not None and plain is not None and own.endswith(plain):
                return name
        return None

    def _render(
        self, roles: Sequence[TemplateRole], *, generate: bool = False, template: str | None = None
    ) -> str | None:
        messages = [{"role": role, "content": probe, "end": False} for role, probe in zip(roles, _PROBES, strict=False)]
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=generate
            )
        except (TemplateError, IndexError, TypeError):
            return None
        return text
