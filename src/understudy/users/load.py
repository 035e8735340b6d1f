"""User models as speakers, with what alignment has left beside them."""

from __future__ import annotations

from pathlib import Path

from understudy.config import SamplingConfig
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker, model_speaker
from understudy.users.aligned import AlignedSpeaker
from understudy.users.cautious import CautiousSpeaker
from understudy.users.residual import ResidualEnergy
from understudy.users.support import Support


def load_user(
    name_or_folder: str | Path,
    sampling: SamplingConfig,
    *,
    candidates: int,
    remote_code: bool = False,
    cautious: bool = False,
) -> ModelSpeaker:
    """A user model as a speaker, with its residual energy where one lies beside it.

    Args:
        candidates: see `AlignedSpeaker`; not looked at where there is no energy.
        remote_code: see `load_chat_model`.
        cautious: whether it leaves where the agent says what is outside the support that lies beside it, if one does.

    Raises:
        ModelError: if the model, its energy or its support cannot be loaded.
    """
    chat_model = load_chat_model(name_or_folder, remote_code=remote_code)
    return user_speaker(chat_model, name_or_folder, sampling, candidates=candidates, cautious=cautious)


def user_speaker(
    chat_model: ChatModel,
    name_or_folder: str | Path,
    sampling: SamplingConfig,
    *,
    candidates: int,
    cautious: bool = False,
) -> ModelSpeaker:
    """As `load_user`, of a model that was loaded from there."""
    residual = ResidualEnergy.load(Path(name_or_folder))
    support = Support.load(Path(name_or_folder)) if cautious else None
    if residual is None and support is None:
        return model_speaker(chat_model, "user", sampling)
    if support is None:
        return AlignedSpeaker(chat_model, residual, sampling, candidates=candidates)
    return CautiousSpeaker(chat_model, residual, support, sampling, candidates=candidates)
