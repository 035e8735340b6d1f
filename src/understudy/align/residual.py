"""Learns what a fine-tuned user still gets wrong, by telling its replies from people's in the same contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from understudy.config import ResidualConfig
from understudy.errors import LogError
from understudy.models.load import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.runs import stream, stream_seed
from understudy.speaker import Request
from understudy.types import Dialogue, Message
from understudy.users.relations import reply_relations
from understudy.users.residual import ResidualEnergy

_WIDTH = 256
_ITERATIONS = 500
_MIN_COUNT = 3


@dataclass(frozen=True, slots=True)
class ResidualFit:
    """What the fit was made of.

    Attributes:
        contexts: logged contexts, in each of which a reply of people stands against one of the model.
        relations: names that were frequent enough to get a weight.
    """

    contexts: int
    relations: int

    def record(self) -> dict[str, int]:
        return asdict(self)


def fit_residual(
    chat_model: ChatModel,
    dialogues: Sequence[Dialogue],
    config: ResidualConfig,
    *,
    max_message_tokens: int,
    temperature: float,
    seed: int,
    on_contexts: Callable[[int, int], None] | None = None,
) -> tuple[ResidualEnergy, ResidualFit]:
    """Noise-contrastive estimation (Gutmann, Hyvarinen 2010) of the residual energy, with the model itself as the noise.

    In logged contexts, drawn at random, the model writes one reply; a ridge-penalised logistic regression on
    `reply_relations` learns which of the two replies is people's. Its logit is the energy.

    Args:
        dialogues: with real people; those that the model was fine-tuned on will do.
        on_contexts: called with the number of contexts answered and their total.

    Raises:
        LogError: if no logged user message fits the model's context.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    places = [(d, i) for d in dialogues for i, message in enumerate(d.messages) if message.role == "user"]
    drawn = [places[i] for i in stream(seed, "contexts").permutation(len(places))[: config.contexts]]
    speaker = ModelSpeaker(
        chat_model, "user", width=_WIDTH, max_message_tokens=max_message_tokens, temperature=temperature
    )
    rows: list[dict[str, float]] = []
    for first in range(0, len(drawn), _WIDTH):
        for dialogue, position, own in _answers(speaker, drawn[first : first + _WIDTH], first, seed):
            goal, before = dialogue.task.user_prompt, dialogue.messages[:position]
            rows += [reply_relations(goal, before, reply) for reply in (dialogue.messages[position], own)]
        if on_contexts:
            on_contexts(min(first + _WIDTH, len(drawn)), len(drawn))
    if not rows:
        raise LogError(
            f"none of {len(dialogues)} dialogues has a user message that fits the model's context",
            where="residual energy",
            fix="raise max_length of the user's model",
        )
    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform(rows)
    frequent = (matrix > 0).sum(axis=0).A1 >= _MIN_COUNT
    classifier = LogisticRegression(C=config.inverse_penalty, max_iter=_ITERATIONS)
    classifier.fit(matrix[:, frequent], [True, False] * (len(rows) // 2))
    names = vectorizer.get_feature_names_out()[frequent]
    weights = dict(zip(names.tolist(), classifier.coef_[0].tolist(), strict=True))
    return ResidualEnergy(weights), ResidualFit(len(rows) // 2, len(weights))


def _answers(
    speaker: ModelSpeaker, places: Sequence[tuple[Dialogue, int]], first: int, seed: int
) -> list[tuple[Dialogue, int, Message]]:
    """The model's own reply in each of these contexts; those that do not fit it are left out."""
    requests = [
        Request(key, "user", d.task.user_prompt, tuple(d.messages[:i]), stream_seed(seed, "reply", str(first + key)))
        for key, (d, i) in enumerate(places)
    ]
    replies = speaker.reply(requests)
    for request in requests:
        speaker.finish(request.key)
    return [(d, i, reply) for (d, i), reply in zip(places, replies, strict=True) if isinstance(reply, Message)]
