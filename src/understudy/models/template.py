"""What a chat template writes around messages, found by rendering probes; and whether it can be followed at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from understudy.errors import ModelError
from understudy.models.fixed_date import DATE_STRING, with_fixed_date
from understudy.models.shipped import shipped_templates

TemplateRole = Literal["system", "user", "assistant"]
Around = tuple[str, str]
"""What stands before and after a message's words."""

_PROBES = ("xyzzy", "plugh", "plover", "fee", "fie")
_THOUGHT: Around = ("<think>\nhm\n</think>\n\n", "")
"""What a model writes that thinks before it answers (DeepSeek R1, Qwen 3)."""
_SPACES: Around = ("  ", "\n")


@dataclass(frozen=True, slots=True)
class Template:
    """The text around messages, each of which adds to what stands before it and changes nothing there.

    Attributes:
        system: around a prompt of its own at the start, with what begins a sequence; None where the template has none.
        system_again: the same later on; None where it has none there.
        aside: around a system message between a user's message and the answer to it; None where it has none there.
        start: what begins a sequence that has no prompt of its own.
        user, assistant: around their messages.
        trimmed: roles whose words are written without the whitespace around them.
        answers_system: whether the assistant may speak right after the prompt. Where it may not, or where there is no
            `system`, a prompt that the assistant's opening follows is given as the first user message.
    """

    system: Around | None
    system_again: Around | None
    aside: Around | None
    start: str
    user: Around
    assistant: Around
    trimmed: frozenset[TemplateRole]
    answers_system: bool


def read_template(tokenizer: PreTrainedTokenizerBase) -> Template:
    """Find out what a tokenizer's template writes, and check that it only ever appends.

    Raises:
        ModelError: if a new message changes how earlier ones are written, if roles cannot take turns, if the generation
            prompt is not what stands before an answer in the history, or if what a model thought is left out of that.
    """
    probing = _Probing(tokenizer)
    system = probing.added(["system"])
    if system is not None and probing.added(["system", "user"]) is None:
        system = None  # it is written with the message that follows
    opening: list[TemplateRole] = ["system"] if system is not None else []
    turns: list[TemplateRole] = [*opening, "user", "assistant", "user", "assistant"]
    pieces = probing.turns(turns)
    if pieces is None:
        raise probing.refuse("a new message changes how earlier ones are written, or is not written at all")
    first_user, first_answer, user, assistant = pieces
    if first_answer != assistant or not first_user[0].endswith(user[0]) or first_user[1] != user[1]:
        raise probing.refuse("messages are not written the same way at each turn")
    generated = probing.generated(turns[:-1])
    if generated is None or generated.rstrip() != assistant[0].rstrip():
        raise probing.refuse("what makes the model answer is not what stands before an answer in the history")
    if probing.turns(turns, _THOUGHT) != [_inside(piece, _THOUGHT) for piece in pieces]:
        raise probing.refuse(
            "it leaves what a model thought (<think>..</think>) out of the history, while here the other side would be "
            "given that as words",
            thinks=True,
        )
    answers_system = system is not None and probing.added(["system", "assistant"]) == assistant
    bare = probing.added(["user"])
    if bare is None or not bare[0].endswith(user[0]):
        if not answers_system:
            raise probing.refuse("a dialogue cannot begin with a user message")
        bare = user
    again = probing.added(["system", "user", "assistant", "system"]) if system is not None else None
    if again is not None and probing.added(["system", "user", "assistant", "system", "user"]) != user:
        again = None
    aside = probing.added([*opening, "user", "system"])
    answer = probing.added([*opening, "user", "system", "assistant"])
    next_user = probing.added([*opening, "user", "system", "assistant", "user"])
    # Some write whatever they do not know as a message of one of the sides.
    if (answer, next_user) != (assistant, user) or aside in (user, assistant):
        aside = None
    return Template(
        system=system,
        system_again=again,
        aside=aside,
        start=bare[0][: len(bare[0]) - len(user[0])],
        user=user,
        # A space there is brought along by the first token of the answer.
        assistant=(generated, assistant[1]),
        trimmed=_trimmed(probing, turns, pieces),
        answers_system=answers_system,
    )


def _trimmed(probing: _Probing, turns: Sequence[TemplateRole], pieces: Sequence[Around]) -> frozenset[TemplateRole]:
    """The roles whose words are written without the whitespace around them, at each turn alike.

    Raises:
        ModelError: if whitespace is taken away now and then, or not on both sides.
    """
    spaced = probing.turns(turns, _SPACES) or []
    roles = turns[len(turns) - len(pieces) :]
    found = frozenset(role for role, plain, piece in zip(roles, pieces, spaced, strict=False) if piece == plain)
    expected = [plain if role in found else _inside(plain, _SPACES) for role, plain in zip(roles, pieces, strict=True)]
    if spaced != expected:
        raise probing.refuse("whitespace around the words of a message is not treated the same way at each turn")
    return found


def _inside(around: Around, within: Around) -> Around:
    return around[0] + within[0], within[1] + around[1]


class _Probing:
    """Renders probes; what the template refuses to render is None."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def turns(self, roles: Sequence[TemplateRole], within: Around = ("", "")) -> list[Around] | None:
        """What each message but a first system message adds; None if one of them is not written or changes others."""
        first = int(roles[0] == "system")
        found = [self.added(roles[: n + 1], within) for n in range(first, len(roles))]
        return [piece for piece in found if piece is not None] if None not in found else None

    def added(self, roles: Sequence[TemplateRole], within: Around = ("", "")) -> Around | None:
        """What the last message adds around its words; None if it is not written, or anything before it is changed.

        Args:
            within: stands around the words of each message, as a part of these.
        """
        before = self._render(roles[:-1], within) if len(roles) > 1 else ""
        after = self._render(roles, within)
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

    def refuse(self, why: str, *, thinks: bool = False) -> ModelError:
        """The refusal, with a template of the package that can stand in where there is one.

        Args:
            thinks: whether it must keep a model from thinking.
        """
        plain = self._plain_form(thinks)
        fix = "give a template that writes each message once, in turn, and leaves history as it was"
        if plain is not None:
            fix = f"set chat_template={plain} in the model's section, a plain form of the same format"
        elif thinks:
            fix = "use a model that does not think aloud, or give a template whose answers begin with a thought that is over"
        where = str(self.tokenizer.name_or_path)
        return ModelError(f"the chat template is not append-only: {why}", where=where, fix=f"{fix}: see docs/models.md")

    def _plain_form(self, thinks: bool) -> str | None:
        """The template of the package that asks for the answer to a message in the same words as the tokenizer's own.

        Of a template that can be told to, that is its way to ask for an answer without thinking.
        """
        own = self._render(["user"], generate=True, enable_thinking=False)
        for name, text in shipped_templates().items():
            plain = self._render(["user"], generate=True, template=text)
            if own is not None and plain is not None and own.endswith(plain) and ("</think>" in plain or not thinks):
                return name
        return None

    def _render(
        self,
        roles: Sequence[TemplateRole],
        within: Around = ("", ""),
        *,
        generate: bool = False,
        template: str | None = None,
        **options: object,
    ) -> str | None:
        messages = [
            {"role": role, "content": probe.join(within), "end": False}
            for role, probe in zip(roles, _PROBES, strict=False)
        ]
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages,
                chat_template=with_fixed_date(template or self.tokenizer.get_chat_template()),
                tokenize=False,
                add_generation_prompt=generate,
                date_string=DATE_STRING,
                **options,
            )
        except (TemplateError, IndexError, TypeError):
            return None
        return text
