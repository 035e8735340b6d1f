"""LLMs behind an OpenAI-compatible endpoint: a prompted user, and a judge of interactivity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from understudy.config.base import StageConfig, broken
from understudy.config.parameters import Parameters

_NOT_THEIRS = ("model", "messages", "stream", "n")
"""Parameters of a request that cannot be given: one question is put to one model, and one whole answer is read."""


class EndpointConfig(StageConfig):
    """An LLM behind any OpenAI-compatible endpoint."""

    model: str | None = None
    """Its name at the endpoint; null: no endpoint."""
    base_url: str | None = None
    """Address up to and with /v1; null for the provider's own."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; it need not be set where base_url is given."""
    prompt: Path | None = None
    """Jinja file with the prompt; null for the package's own."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Decoding temperature, 0 to 2."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Longest answer in tokens, 1 to 100000."""
    parameters: Parameters = Parameters()
    """Further parameters of each request, by name; they win over temperature and max_tokens, and null leaves one out."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests at once, in each worker process, 1 to 1024."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long to wait for the whole answer to one request, its last byte included, above 0 and at most 3600."""
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    """Further attempts before a dialogue is given up and counted as failed, 0 to 100."""
    pause_seconds: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Pause before the second attempt, which doubles with each further one, 0 to 60."""
    max_total_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all answers and what they answered, at which the run stops; null for no limit."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Money at which the run stops, in the unit of the prices; null for no limit."""
    price_in: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that are read, 0 or more."""
    price_out: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that are written, 0 or more."""

    @model_validator(mode="after")
    def _rules(self) -> EndpointConfig:
        for name in _NOT_THEIRS:
            if name in self.parameters:
                raise broken(
                    f"parameters.{name}",
                    f"parameters holds {name}, but one question is put to one model, and one whole answer is read",
                    "leave it out; the model is given by model, what it is asked by prompt",
                )
        if self.max_cost is not None and not self.price_in and not self.price_out:
            raise broken("max_cost", "max_cost is given, but no price", "give price_in and price_out, or leave it out")
        return self


class PromptedConfig(EndpointConfig):
    """A prompted LLM as the user."""

    model: str | None = None
    """Its name at the endpoint; null: no endpoint, and a programme stands in for a prompted LLM."""
    prompt: Path | None = None
    """Jinja file with the system prompt, which may use `goal`, `leave` and `forced`; null for the package's own."""


class InteractivityConfig(EndpointConfig):
    """An LLM that judges how interactive each agent was (CollabLLM, arXiv 2502.00640)."""

    model: str | None = None
    """Its name at the endpoint; null: nobody is asked, and there is no such figure."""
    prompt: Path | None = None
    """Jinja file with the whole request, which may use `messages` (`role`, `text`); null for the package's own."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Decoding temperature, 0 to 2."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 400
    """Longest answer in tokens, 1 to 100000; it says why before it gives the score."""
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    """Further attempts before a score is given up and counted as missing, 0 to 100."""
    dialogues: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    """Dialogues of each arm that are judged, on the same tasks in every arm, 10 to 1000000; fewer where fewer exist."""


ENDPOINT_LIMITS = tuple(
    f"{section}.{key}"
    for section in ("prompted", "interactivity")
    for key in ("concurrency", "timeout_seconds", "retries", "pause_seconds", "max_total_tokens", "max_cost")
)
"""Keys that a run may be gone on with under other values."""
