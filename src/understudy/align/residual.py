"""Learns what a fine-tuned user still gets wrong, by telling its replies from people's in the same contexts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.align.sft import validation_split
from understudy.config import ResidualConfig
from understudy.errors import LogError
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.one_step import one_step
from understudy.types import Dialogue
from understudy.users.relations import reply_relations
from understudy.users.residual import ResidualEnergy

Bools = NDArray[np.bool_]

_WIDTH = 256
_ITERATIONS = 500
_MIN_COUNT = 3
_INVERSE_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3)
_HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class ResidualFit:
    """What the fit was made of.

    Attributes:
        contexts: logged contexts, in each of which a reply of people stands against one of the model.
        relations: names that were frequent enough to get a weight.
        inverse_penalty: the one chosen.
        held_out_nats: log 2 less the log loss on the held-out persons at that penalty, in nats per reply: what of the
            difference between people and the model the relations see; 0 or less where they see none.
    """

    contexts: int
    relations: int
    inverse_penalty: float
    held_out_nats: float

    def record(self) -> dict[str, float]:
        return asdict(self)


def fit_residual(
    chat_model: ChatModel,
    dialogues: Sequence[Dialogue],
    config: ResidualConfig,
    *,
    max_message_tokens: int,
    temperature: float,
    seed: int,
    width: int = _WIDTH,
    on_contexts: Callable[[int, int], None] | None = None,
) -> tuple[ResidualEnergy, ResidualFit]:
    """Noise-contrastive estimation (Gutmann, Hyvarinen 2010) of the residual energy, with the model itself as the noise.

    In logged contexts, drawn at random, the model writes one reply; a ridge-penalised logistic regression on
    `reply_relations` learns which of the two replies is people's. Its logit is the energy. The penalty is the one with the
    lowest log loss on a fifth of the persons, held out for that; where the best one sees no more than `config.min_gain` there,
    all replies have the same energy, and the user is sampled as it was fine-tuned.

    Args:
        dialogues: with real people; those that the model was fine-tuned on will do.
        width: dialogues under way at once.
        on_contexts: called with the number of contexts answered and their total.

    Raises:
        LogError: if no logged user message fits the model's context, or if they are all of one person.
    """
    _, held_out = validation_split(dialogues, _HELD_OUT, seed)
    relations: list[dict[str, float]] = []
    persons: list[str] = []
    speaker = ModelSpeaker(
        chat_model, "user", width=width, max_message_tokens=max_message_tokens, temperature=temperature
    )
    for step in one_step(
        speaker, "user", dialogues, contexts=config.contexts, width=width, seed=seed, on_contexts=on_contexts
    ):
        goal = step.dialogue.task.user_prompt
        relations += [reply_relations(goal, step.before, reply) for reply in (step.logged, step.message)]
        persons += [step.dialogue.person] * 2
    if not relations:
        raise LogError(
            f"none of {len(dialogues)} dialogues has a user message that fits the model's context",
            where="residual energy",
            fix="raise max_length of the user's model",
        )
    return _contrast(relations, np.isin(persons, sorted({d.person for d in held_out})), config.min_gain)


def _contrast(
    relations: Sequence[dict[str, float]], held_out: Bools, min_gain: float
) -> tuple[ResidualEnergy, ResidualFit]:
    """Logistic regression on rows that are people's and the model's in turn."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform(relations)
    frequent = (matrix > 0).sum(axis=0).A1 >= _MIN_COUNT
    matrix, people = matrix[:, frequent], np.arange(len(relations)) % 2 == 0

    def fitted(inverse_penalty: float, rows: Bools) -> Any:
        return LogisticRegression(C=inverse_penalty, max_iter=_ITERATIONS).fit(matrix[rows], people[rows])

    def seen(inverse_penalty: float) -> float:
        shares = fitted(inverse_penalty, ~held_out).predict_proba(matrix[held_out])
        return math.log(2) - float(log_loss(people[held_out], shares, labels=[False, True]))

    # Judged by the log of the ratio of the two distributions, which is what the logit is used as; an AUC is not that.
    gains = {inverse_penalty: seen(inverse_penalty) for inverse_penalty in _INVERSE_PENALTIES}
    best = max(gains, key=gains.__getitem__)
    fit = ResidualFit(len(people) // 2, int(frequent.sum()), best, gains[best])
    if gains[best] <= min_gain:
        return ResidualEnergy({}), fit
    names = vectorizer.get_feature_names_out()[frequent]
    weights = fitted(best, np.ones(len(people), dtype=bool)).coef_[0]
    return ResidualEnergy(dict(zip(names.tolist(), weights.tolist(), strict=True))), fit
