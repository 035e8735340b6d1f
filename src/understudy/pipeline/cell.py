"""What the stages of one cell (a task family and a seed) share: its family, its users by name, its models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from understudy.config import CompareConfig, ModelConfig, RLConfig
from understudy.endpoint.answers import ANSWERS
from understudy.logs.read import read_dialogues
from understudy.results import PROGRAMME
from understudy.runs import stream_seed
from understudy.scheduler import StageContext
from understudy.speaker import Speaker
from understudy.tasks import is_known, load_family
from understudy.tasks.base import CorpusFamily, HasVariants, KeepsForJudging, TaskFamily
from understudy.types import Dialogue
from understudy.users.spec import UserSpec

if TYPE_CHECKING:  # they import torch, which the process that only hands out stages need not load
    from understudy.models.chat_model import ChatModel
    from understudy.models.speaker import ModelSpeaker

POPULATION, REFEREE = "population", "referee"
ALIGNED, UNSEEN, PROMPTED = "aligned", "unseen", "prompted"
ALIGNED_BY_SFT = "aligned by SFT"
"""The aligned user's model without its residual energy: measured beside it, trained with by no arm."""
REFEREE_LOGS = "referee"
"""The part of a corpus that the referee alone is fitted on."""
_WORDS = {
    POPULATION: "real users (population)",
    REFEREE: "referee (models of people)",
    ALIGNED: "aligned user",
    ALIGNED_BY_SFT: "aligned user, SFT alone",
    UNSEEN: "unseen aligned user",
}
MET = "met.jsonl"
"""The dialogues that a stage has let people hold with an agent in training."""
LOG_ARMS = ("base", "control")
"""Arms that are fitted on logs and trained by no reward."""
LOGGED_CONTEXTS = (*LOG_ARMS, "static", "multiturn-aware")
"""Arms whose contexts in training are those of the logs."""


@dataclass(frozen=True)
class Cell:
    """One task family with one seed; all its randomness is derived from that seed."""

    config: CompareConfig
    family_name: str
    seed: int

    @property
    def name(self) -> str:
        # A family of one's own is named package.module:Class; a folder is not.
        return f"{self.family_name.replace(':', '.')}/seed{self.seed}"

    @property
    def known(self) -> bool:
        """Whether the real users are a programme; otherwise a referee model stands for people."""
        return is_known(self.family_name)

    @property
    def people(self) -> str:
        """The user that stands for real people."""
        return POPULATION if self.known else REFEREE

    def stage(self, name: str) -> str:
        return f"{self.name}/{name}"

    def seed_of(self, *names: str) -> int:
        return stream_seed(self.seed, self.family_name, *names)

    def training_family(self) -> TaskFamily:
        """Draws the tasks that agents train and tune on."""
        return load_family(self.family_name, self.config.data)

    def judging_family(self) -> TaskFamily:
        """Draws the tasks that agents are judged on; of a folder, those that it keeps for judging."""
        family = self.training_family()
        return cast(KeepsForJudging, family).for_judging() if hasattr(family, "for_judging") else family

    def corpus_family(self) -> CorpusFamily:
        """The family of a cell whose users are people."""
        return cast(CorpusFamily, self.training_family())

    def rl(self, arm: str) -> RLConfig:
        """The settings that an arm trains with.

        The oracle has no KL penalty: its users are never wrong, and one that is held back would be too easy a reference.
        """
        settings = self.config.rl
        return settings.model_copy(update={"kl_weight": 0.0}) if arm == "oracle" else settings

    def goals(self, *, held_out: bool) -> bool | None:
        """Which goals to draw (see `draw_task`); a family of a folder keeps its parts apart by itself."""
        return None if hasattr(self.training_family(), "for_judging") else held_out

    def words(self, label: str, severity: float = 1.0) -> str:
        """The user's name as tables and plots show it; a stand-in and a referee are named as what they are."""
        if label == POPULATION and self.config.logs.path is not None:
            return PROGRAMME
        if label == PROMPTED:
            model = self.config.prompted.model
            return f"prompted LLM ({model})" if model else f"prompted stand-in (severity {severity:g})"
        return _WORDS.get(label, f"aligned user ({label})")

    @property
    def simulators(self) -> tuple[str, ...]:
        """The users that stand in for people, by label; a prompted one where there is an LLM or the family has a stand-in."""
        prompted = self.config.prompted.model is not None or hasattr(self.training_family(), "prompted_reply")
        return (ALIGNED, UNSEEN, PROMPTED) if prompted else (ALIGNED, UNSEEN)

    def has_likelihood(self, label: str, context: StageContext) -> bool:
        """Whether it is known how likely this user says what was said."""
        if label == PROMPTED:
            return self.config.prompted.model is None
        return not self.has_energy(label, context)

    def enlarged(self, dialogues: list[Dialogue]) -> list[Dialogue]:
        """Dialogues to fit a model on; of a corpus, with those in which what is known to change nothing is changed."""
        family = self.training_family()
        if self.known or not hasattr(family, "variants"):
            return dialogues
        variants = cast(HasVariants, family).variants
        return [*dialogues, *(other for dialogue in dialogues for other in variants(dialogue))]

    def held_out_people(self, context: StageContext) -> list[Dialogue]:
        """The logged dialogues that no model is fitted on."""
        return read_dialogues(context.input(self.stage("logs")) / "heldout.jsonl")

    def user_stage(self, label: str) -> str | None:
        """The stage whose model plays this user; None for a programme."""
        if label in (POPULATION, PROMPTED):
            return None
        return self.stage(f"user-{ALIGNED if label == ALIGNED_BY_SFT else label}")

    def user(self, label: str, context: StageContext, *, severity: float = 1.0, in_training: bool = False) -> Speaker:
        """A user by its label: `population`, `prompted`, or the label of a user model of this cell.

        Args:
            in_training: whether an agent learns from it: a user model then leaves where it does not know people. Where it is
                asked what people would answer, it answers.
        """
        spec = self.user_spec(label, context, severity=severity, in_training=in_training)
        return spec.speaker(self.training_family(), self.config)

    def user_spec(
        self, label: str, context: StageContext, *, severity: float = 1.0, in_training: bool = False
    ) -> UserSpec:
        """As `user`, for a process that is to make the speaker."""
        if (models := self.user_models(label, context)) is not None:
            trusted = self.user_config(label).remote_code
            return UserSpec(
                kind="models",
                models=tuple(models),
                energies=label != ALIGNED_BY_SFT,
                cautious=in_training,
                remote_code=trusted,
            )
        if label == POPULATION:
            return UserSpec(kind="population")
        return UserSpec(kind="prompted", severity=severity, answers=context.shared / ANSWERS)

    def user_config(self, label: str) -> ModelConfig:
        """What the models that play this user were made from."""
        if label.startswith(REFEREE):  # or a candidate for it
            return self.config.referee_model
        return self.config.unseen_user_model if label == UNSEEN else self.config.user_model

    def user_models(self, label: str, context: StageContext) -> list[Path] | None:
        """Folders of the models that play this user, several for an ensemble; None for a programme."""
        stage = self.user_stage(label)
        return None if stage is None else sorted(context.input(stage).glob("model*"))

    def has_energy(self, label: str, context: StageContext) -> bool:
        """Whether this user weighs candidates by a residual energy; it then has no likelihood of its own."""
        from understudy.users.residual import ResidualEnergy

        models = self.user_models(label, context) or []
        return label != ALIGNED_BY_SFT and any(ResidualEnergy.load(model) is not None for model in models)

    def load_user(self, label: str, context: StageContext) -> list[ChatModel] | None:
        """The models that play this user; None for a programme."""
        from understudy.models.load import load_chat_model

        models, trusted = self.user_models(label, context), self.user_config(label).remote_code
        return None if models is None else [load_chat_model(model, remote_code=trusted) for model in models]

    def load_agent(self, stage: str, context: StageContext) -> ChatModel:
        """The agent that a stage left."""
        from understudy.models.load import load_chat_model

        return load_chat_model(context.input(stage) / "model", remote_code=self.config.model.remote_code)

    def agent_speaker(self, chat_model: ChatModel) -> ModelSpeaker:
        from understudy.models.speaker import model_speaker

        return model_speaker(chat_model, "agent", self.config.sampling)


def copying_stage(model: ModelConfig) -> str:
    """Name of the stage whose model the agents and users of this shape start from."""
    shape = (model.hidden, model.intermediate, model.layers, model.heads, model.kv_heads, model.vocabulary)
    return f"shared/copying-{'x'.join(map(str, shape))}"
