"""A prompted LLM behind any OpenAI-compatible endpoint as a speaker, on either side."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from understudy.config import EndpointConfig
from understudy.endpoint.answers import AnswerStore
from understudy.endpoint.client import EndpointClient, Question
from understudy.endpoint.prompt import load_prompt
from understudy.speaker import Failure, Request
from understudy.types import Message, Role, TokenRecord

LEAVE = "[leave]"
"""What the prompt tells a user to write when it ends the conversation."""
BEGIN = "(You speak first.)"
"""What stands in the other side's place where this side opens: an endpoint answers a message, or nothing."""


class EndpointSpeaker:
    """Asks an endpoint for each message; what cannot be answered is a `Failure`, never a message.

    Every answer is kept under what was said and the dialogue's seed (`EndpointClient`). A user leaves by writing `LEAVE`.

    Args:
        config: model, address, limits and prices.
        side: the side it speaks for.
        store: of answers.

    Raises:
        ConfigError: if the `openai` package, the key or the prompt file is missing.
    """

    def __init__(self, config: EndpointConfig, side: Role, store: AnswerStore) -> None:
        self.side = side
        self.client = EndpointClient(config, store)
        own = resources.files("understudy.users") / "prompts" / "user.jinja"
        self._prompt = load_prompt(config.prompt, own, goal="", leave=LEAVE, forced="")

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        """Answer all requests.

        Raises:
            BudgetSpent: if tokens or money are used up.
        """
        return self.client.ask([self._question(request) for request in requests], self._message)

    def finish(self, key: int) -> TokenRecord | None:
        return None

    def _question(self, request: Request) -> Question:
        """This side's own words are the assistant's, the other's the user's."""
        turns = [
            {"role": "assistant" if m.role == self.side else "user", "content": _said(m, self.side)}
            for m in request.messages
        ]
        if not turns or turns[0]["role"] == "assistant":
            turns.insert(0, {"role": "user", "content": BEGIN})
        system = self._prompt.render(goal=request.prompt, leave=LEAVE, forced=request.forced)
        return Question([{"role": "system", "content": system}, *turns], request.seed)

    def _message(self, answer: str) -> Message:
        text = answer.strip()
        if not text:
            raise ValueError("it holds no words")
        end = self.side == "user" and LEAVE in text
        return Message(self.side, " ".join(text.replace(LEAVE, " ").split()) if end else text, end)


def _said(message: Message, side: Role) -> str:
    """What an endpoint reads; an own end stays written as it was asked for."""
    shown = f"\n({message.shown})" if message.shown and message.role != side else ""
    end = f" {LEAVE}" if message.end and message.role == side else ""
    words = message.text if message.role == side else message.heard
    return f"{words}{end}{shown}".strip() or "..."
