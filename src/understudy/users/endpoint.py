"""A prompted LLM behind any OpenAI-compatible endpoint as a speaker, on either side."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

from understudy.config import EndpointConfig
from understudy.errors import ConfigError, UnderstudyError
from understudy.speaker import Failure, Request
from understudy.types import Message, Role, TokenRecord
from understudy.users.answers import Answer, AnswerStore

LEAVE = "[leave]"
"""What the prompt tells a user to write when it ends the conversation."""
BEGIN = "(You speak first.)"
"""What stands in the other side's place where this side opens: an endpoint answers a message, or nothing."""
_LONGEST_PAUSE_SECONDS = 30.0


class BudgetSpent(UnderstudyError):
    """The run has used what it was allowed to; every answer so far is kept."""


class EndpointSpeaker:
    """Asks an endpoint for each message; what cannot be answered is a `Failure`, never a message.

    A request is tried again after refusals for load (429), errors of the server (5xx), time-outs, broken connections, and
    answers that are no JSON or hold no words; with pauses that double. Every answer is kept in `store` under the model, the
    prompt, what was said, and the dialogue's seed, so that a run that goes on asks for none of them again. A user leaves by
    writing `LEAVE`.

    Args:
        config: model, address, limits and prices.
        side: the side it speaks for.
        store: of answers.

    Raises:
        ConfigError: if the `openai` package, the key or the prompt file is missing.
    """

    def __init__(self, config: EndpointConfig, side: Role, store: AnswerStore) -> None:
        self.config, self.side, self.store = config, side, store
        self.counts: Counter[str] = Counter()
        """Requests by what became of them: `answered`, `kept` (from the store), `tried again`, `failed`, `cut`."""
        self._lock = threading.Lock()
        self._client = _client(config)
        self._prompt = _prompt(config)

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        """Answer all requests, `config.concurrency` at a time.

        Raises:
            BudgetSpent: if tokens or money are used up.
        """
        with ThreadPoolExecutor(max_workers=self.config.concurrency) as pool:
            return list(pool.map(self._one, requests))

    def finish(self, key: int) -> TokenRecord | None:
        return None

    def _one(self, request: Request) -> Message | Failure:
        asked = self._asked(request)
        key = hashlib.sha256(json.dumps([asked, request.seed], sort_keys=True).encode()).hexdigest()
        answer = self.store.get(key)
        if answer is not None:
            self._count("kept")
            return self._message(answer)
        self._stop_if_spent()
        found = self._ask(asked)
        if isinstance(found, Failure):
            self._count("failed")
            return found
        self.store.put(key, found)
        self._count("answered")
        if found.cut:
            self._count("cut")
        return self._message(found)

    def _asked(self, request: Request) -> dict[str, Any]:
        """The call: this side's own words are the assistant's, the other's the user's."""
        turns = [
            {"role": "assistant" if m.role == self.side else "user", "content": _said(m, self.side)}
            for m in request.messages
        ]
        if not turns or turns[0]["role"] == "assistant":
            turns.insert(0, {"role": "user", "content": BEGIN})
        system = self._prompt.render(goal=request.prompt, leave=LEAVE, forced=request.forced)
        return {
            "model": self.config.model,
            "messages": [{"role": "system", "content": system}, *turns],
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
        }

    def _ask(self, asked: dict[str, Any]) -> Answer | Failure:
        from openai import APIConnectionError, APIStatusError

        why = ""
        for attempt in range(self.config.retries + 1):
            if attempt:
                self._stop_if_spent()
                self._count("tried again")
                time.sleep(min(_LONGEST_PAUSE_SECONDS, self.config.pause_seconds * 2 ** (attempt - 1)))
            try:
                answer = _read(self._client.chat.completions.with_raw_response.create(**asked).text)
                if answer.text.strip():
                    return answer
                # It was billed all the same (a model that thinks until its limit says nothing).
                self.store.put(f"unusable {uuid.uuid4()}", answer)
                why = "the endpoint's answer holds no words"
            except APIStatusError as error:
                why = f"the endpoint answered {error.status_code}"
                if error.status_code not in (408, 409, 429) and error.status_code < 500:
                    raise ConfigError(
                        f"the endpoint refuses the request ({error.status_code}): {error.message}",
                        where=f"endpoint {self.config.model}",
                        fix="check model, base_url, the key and the limits of the section",
                    ) from error
            except APIConnectionError as error:  # time-outs and connections that broke
                why = f"no answer from the endpoint: {error}"
            except ValueError as error:
                why = f"the endpoint's answer cannot be read: {error}"
        return Failure(f"{why} ({self.config.retries + 1} attempts)")

    def _message(self, answer: Answer) -> Message:
        text = answer.text.strip()
        end = self.side == "user" and LEAVE in text
        return Message(self.side, " ".join(text.replace(LEAVE, " ").split()) if end else text, end)

    def _stop_if_spent(self) -> None:
        config = self.config
        if config.max_total_tokens is None and config.max_cost is None:
            return  # what was spent is a sum over all answers: not to be taken for nothing
        spent = self.store.spent()
        tokens = spent.prompt_tokens + spent.completion_tokens
        cost = spent.cost(config.price_in, config.price_out)
        for used, limit, key in (
            (tokens, config.max_total_tokens, "max_total_tokens"),
            (cost, config.max_cost, "max_cost"),
        ):
            if limit is not None and used >= limit:
                raise BudgetSpent(
                    f"the endpoint's budget is spent: {used:,.2f} of {limit:,} ({key})",
                    where=f"endpoint {config.model}",
                    fix=f"raise {key} and go on with --resume: all {spent.answers:,} answers are kept",
                )

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


def _said(message: Message, side: Role) -> str:
    """What an endpoint reads; an own end stays written as it was asked for."""
    shown = f"\n({message.shown})" if message.shown and message.role != side else ""
    end = f" {LEAVE}" if message.end and message.role == side else ""
    words = message.text if message.role == side else message.heard
    return f"{words}{end}{shown}".strip() or "..."


def _read(body: str) -> Answer:
    """The answer in a response's body.

    Raises:
        ValueError: if it is no JSON, or has no choice.
    """
    value = json.loads(body)
    try:
        choice = value["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
        usage = value.get("usage") or {}
        read, written = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"no choice in it ({error!r})") from None
    return Answer(text.strip() if isinstance(text, str) else "", read, written, cut=reason == "length")


def _client(config: EndpointConfig) -> Any:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise ConfigError(
            "an endpoint needs the package `openai`", where="endpoint", fix="pip install -e '.[endpoint]'"
        ) from error
    key = os.environ.get(config.api_key_env, "")
    if not key and config.base_url is None:
        raise ConfigError(
            f"the environment variable {config.api_key_env} is not set",
            where="endpoint",
            fix="set it to the key of the endpoint, or name another one with api_key_env",
        )
    # Retries are made, counted and limited here, for answers that cannot be read as well.
    return OpenAI(api_key=key or "none", base_url=config.base_url, timeout=config.timeout_seconds, max_retries=0)


def _prompt(config: EndpointConfig) -> Any:
    from jinja2 import Environment, StrictUndefined, TemplateError

    file = resources.files("understudy.users") / "prompts" / "user.jinja"
    where = str(config.prompt or file)
    try:
        text = Path(config.prompt).read_text("utf-8") if config.prompt else file.read_text("utf-8")
        template = Environment(undefined=StrictUndefined).from_string(text)
        template.render(goal="", leave=LEAVE, forced="")
    except (OSError, UnicodeDecodeError, TemplateError) as error:
        raise ConfigError(
            f"is no prompt: {error}", where=where, fix="give a Jinja file; it may use goal, leave and forced"
        ) from error
    return template
