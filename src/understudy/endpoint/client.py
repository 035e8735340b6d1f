"""Asks an LLM behind any OpenAI-compatible endpoint: with patience, within a budget, and never twice for the same."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from understudy.config import EndpointConfig
from understudy.endpoint.answers import Answer, AnswerStore
from understudy.endpoint.background import await_within
from understudy.errors import ConfigError, UnderstudyError
from understudy.speaker import Failure

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 30.0
_OF_ONE_REQUEST = frozenset({400, 413, 422})
"""Statuses that may be about this request alone: longer than the model's context, stopped by a filter of contents."""
_TRY_AGAIN = frozenset({408, 409, 429})
"""Statuses besides those from 500 after which the same request may be answered."""

_LOOK_AFTER = (
    "see that the endpoint is up and takes so many requests (base_url, concurrency, timeout_seconds, retries), and go on "
    "with --resume: all answers are kept"
)
_SAY_IT_OTHERWISE = (
    "raise max_tokens (a model that thinks until its limit says nothing) or give another prompt, in a new run"
)
_MEND_WHAT_IT_NAMES = "mend what it names in a new run: a model with a longer context, another prompt, other parameters"


class BudgetSpent(UnderstudyError):
    """The run has used what it was allowed to; every answer so far is kept."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        messages: with `role` (`system`, `user` or `assistant`) and `content`.
        seed: keeps answers to the same words apart; it is not sent.
    """

    messages: Sequence[dict[str, str]]
    seed: int


@dataclass(frozen=True, slots=True)
class Refused(Failure):
    """The endpoint will not answer this question, however often it is asked."""


class EndpointClient:
    """Gets an answer that can be used, or a `Failure`, for each question.

    A request is tried again after refusals for load (429), errors of the server (5xx), time-outs, broken connections, and
    answers that are no JSON or cannot be used; with pauses that double. What is refused for what it holds (400, 413, 422: too
    long for the model, stopped by a filter) is `Refused` and not asked again, but where no request was ever answered the
    set-up is taken to be wrong. Every answer that can be used is kept in `store` under the model, what was asked, how it is
    sampled and the question's seed, so that a run that goes on asks for none of them again; what the others cost is kept as
    well.

    Args:
        config: model, address, limits and prices.
        store: of answers.

    Raises:
        ConfigError: if the `openai` package or the key is missing.
    """

    def __init__(self, config: EndpointConfig, store: AnswerStore) -> None:
        self.config, self.store = config, store
        self.counts: Counter[str] = Counter()
        """Requests by what became of them: `answered`, `kept` (from the store), `tried again`, `failed` (of them `refused`),
        `cut`."""
        self._lock = threading.Lock()
        self._client = _client(config)

    def ask(self, questions: Sequence[Question], read: Callable[[str], T]) -> list[T | Failure]:
        """What is read in each answer, `config.concurrency` questions at a time.

        Args:
            read: from the answer's text; raises ValueError where it cannot be used, and says why.

        Raises:
            BudgetSpent: if tokens or money are used up.
            ConfigError: if the endpoint refuses the key, the model or the like; or refuses requests and never answered one,
                so that the fault is in what all of them share.
        """
        with ThreadPoolExecutor(max_workers=self.config.concurrency) as pool:
            found = list(pool.map(lambda question: self._one(question, read), questions))
        refused = [answer for answer in found if isinstance(answer, Refused)]
        if len(refused) > 1 and self.store.is_empty():  # a single one may be the fault of what it holds
            raise self._wrong(f"no request was ever answered: {refused[0].reason}")
        return found

    def _one(self, question: Question, read: Callable[[str], T]) -> T | Failure:
        asked = self._request(question)
        key = hashlib.sha256(json.dumps([asked, question.seed], sort_keys=True).encode()).hexdigest()
        kept = self.store.get(key)
        if kept is not None:
            self._count("kept")
            return read(kept.text)
        self._stop_if_spent()
        failure = Failure("")
        for attempt in range(self.config.retries + 1):
            if attempt:
                self._stop_if_spent()
                self._count("tried again")
                time.sleep(min(_LONGEST_PAUSE_SECONDS, self.config.pause_seconds * 2 ** (attempt - 1)))
            answer = self._send(asked)
            if isinstance(answer, Refused):
                self._count("refused")
                self._count("failed")
                return answer
            if isinstance(answer, Failure):
                failure = answer
                continue
            try:
                found = read(answer.text)
            except ValueError as error:
                # It was billed all the same (a model that thinks until its limit says nothing).
                self.store.put(f"unusable {uuid.uuid4()}", replace(answer, text=""))
                failure = Failure(f"the endpoint's answer cannot be used: {error}", fix=_SAY_IT_OTHERWISE)
                continue
            self.store.put(key, answer)
            self._count("answered")
            if answer.cut:
                self._count("cut")
            return found
        self._count("failed")
        return replace(failure, reason=f"{failure.reason} ({self.config.retries + 1} attempts)")

    def _request(self, question: Question) -> dict[str, Any]:
        """All that is sent; without `parameters` what earlier versions sent, whose kept answers must be found."""
        config = self.config
        asked = {
            "model": config.model,
            "messages": list(question.messages),
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            **config.parameters,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def _send(self, asked: dict[str, Any]) -> Answer | Failure:
        """One attempt.

        Raises:
            ConfigError: if no other request would be answered either.
        """
        from openai import APIConnectionError, APIStatusError

        limit = self.config.timeout_seconds
        try:
            return _read(await_within(limit, self._post(asked)))
        except TimeoutError:
            why = f"no whole answer from the endpoint in {limit:g} seconds (timeout_seconds)"
            return Failure(why, fix=_LOOK_AFTER)
        except APIStatusError as error:
            status = error.status_code
            if status in _TRY_AGAIN or status >= 500:
                return Failure(f"the endpoint answered {status}", fix=_LOOK_AFTER)
            why = f"the endpoint refuses the request ({status}): {error.message}"
            if status in _OF_ONE_REQUEST:
                return Refused(why, fix=_MEND_WHAT_IT_NAMES)
            raise self._wrong(why) from error
        except APIConnectionError as error:  # connections that broke, or were never made
            return Failure(f"no answer from the endpoint: {error}", fix=_LOOK_AFTER)
        except ValueError as error:
            return Failure(f"the endpoint's answer cannot be read: {error}", fix=_LOOK_AFTER)

    async def _post(self, asked: dict[str, Any]) -> str:
        # Servers take more parameters than the package knows names of: all go as they are.
        rest = {name: value for name, value in asked.items() if name not in ("model", "messages")}
        response = await self._client.chat.completions.with_raw_response.create(
            model=asked["model"], messages=asked["messages"], extra_body=rest
        )
        return str(response.text)

    def _wrong(self, what: str) -> ConfigError:
        """What is said where no request can be answered."""
        return ConfigError(
            what,
            where=f"endpoint {self.config.model}",
            fix="check model, base_url, the key, and the limits and parameters of the section",
        )

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
        from openai import AsyncOpenAI
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
    # Retries are made, counted and limited here, for answers that cannot be read as well. So is the time of a whole answer:
    # a limit given to the package would be one for each read, which a server that drips never comes to.
    return AsyncOpenAI(api_key=key or "none", base_url=config.base_url, timeout=None, max_retries=0)
