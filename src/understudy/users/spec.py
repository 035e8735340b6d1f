"""A user as plain data, from which any process makes the same speaker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, cast

from pydantic import BaseModel, ConfigDict

from understudy.config import CompareConfig
from understudy.endpoint.answers import AnswerStore
from understudy.speaker import Speaker
from understudy.tasks.base import KnownUserFamily, TaskFamily
from understudy.users.endpoint import EndpointSpeaker
from understudy.users.ensemble import EnsembleSpeaker
from understudy.users.population import PopulationSpeaker, PromptedFamily, PromptedSpeaker

if TYPE_CHECKING:  # it imports torch, which users that are programmes do not need
    from understudy.models.speaker import ModelSpeaker


class UserSpec(BaseModel):
    """Which user takes part.

    Attributes:
        kind: `population` (the family's own known users), `prompted` (an LLM behind an endpoint where the config names one,
            else the family's stand-in) or `models`.
        severity: of the stand-in's failings, 0 to 1.
        models: folders of the models that play the user; several make an ensemble.
        energies: whether a residual energy beside a model chooses among its candidates.
        cautious: whether it leaves where the agent says what is outside the support that lies beside a model.
        remote_code: whether code that lies with the models may be run.
        answers: file of what an endpoint has answered (`AnswerStore`); needed where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["population", "prompted", "models"]
    severity: float = 1.0
    models: tuple[Path, ...] = ()
    energies: bool = True
    cautious: bool = False
    remote_code: bool = False
    answers: Path | None = None

    def absolute(self) -> Self:
        """With paths that mean the same in another process."""
        update = {
            "models": tuple(m.absolute() for m in self.models),
            "answers": self.answers and self.answers.absolute(),
        }
        return self.model_copy(update=update)

    def speaker(self, family: TaskFamily, config: CompareConfig) -> Speaker:
        """The user as a speaker.

        Raises:
            ModelError: if one of the models cannot be loaded.
            ConfigError: if the endpoint's package, key or prompt is missing.
            ValueError: if something is missing: models, the file for an endpoint's answers, or people to mix with where the
                severity is below 1.
        """
        if self.kind == "models":
            if not self.models:
                raise ValueError("a user of the kind `models` needs at least one model")
            members = [self._model_speaker(model, config) for model in self.models]
            return members[0] if len(members) == 1 else EnsembleSpeaker(members)
        if self.kind == "population":
            return PopulationSpeaker(cast(KnownUserFamily, family))
        if config.prompted.model is not None:
            if self.answers is None:
                raise ValueError("a user behind an endpoint needs a file for its answers")
            return EndpointSpeaker(config.prompted, "user", AnswerStore(self.answers))
        known = self.severity < 1 and hasattr(family, "population")
        people = PopulationSpeaker(cast(KnownUserFamily, family)) if known else None
        return PromptedSpeaker(cast(PromptedFamily, family), self.severity, people)

    def _model_speaker(self, model: Path, config: CompareConfig) -> ModelSpeaker:
        from understudy.models.load import load_chat_model
        from understudy.models.speaker import model_speaker
        from understudy.users.load import load_user

        if self.energies:
            candidates = config.residual.candidates
            return load_user(
                model, config.sampling, candidates=candidates, remote_code=self.remote_code, cautious=self.cautious
            )
        return model_speaker(load_chat_model(model, remote_code=self.remote_code), "user", config.sampling)
