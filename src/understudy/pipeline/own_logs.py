"""A user model fitted on anybody's logs, and how far it is from the people in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from understudy.align.sft import examples_of, fit, texts_of, validation_split
from understudy.align.sft_state import Epoch
from understudy.align.truncate import Truncated, truncate
from understudy.config import CompareConfig
from understudy.errors import LogError
from understudy.logs.conversation import read_conversations
from understudy.logs.dialogues import as_dialogue
from understudy.logs.files import refuse_existing
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.start import start_model
from understudy.realism.by_turn import fit_by_turn
from understudy.realism.card import UserCard
from understudy.realism.perplexity import held_out_perplexity, unigram_perplexity
from understudy.runs import atomic_folder, stream_seed, write_json
from understudy.types import Dialogue

ALIGN, HELD_OUT = "align.jsonl", "heldout.jsonl"
CARD = "card.json"


def align_on_logs(
    splits: Path,
    out: Path,
    config: CompareConfig,
    *,
    heard_words: int | None,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> UserCard:
    """Role-reversed SFT of a user from scratch on `align.jsonl`, measured on `heldout.jsonl`: `model/` and `card.json`.

    Args:
        splits: folder that `understudy logs split` wrote.
        out: new folder, which appears whole or not at all.
        config: its `user_model` and `sft`.
        heard_words: see `as_dialogue`.

    Raises:
        LogError: if a split is missing or too small, nothing fits the model's context, or `out` exists.
    """
    refuse_existing(out)
    logs, held_out = (_dialogues(splits / name, heard_words) for name in (ALIGN, HELD_OUT))
    fit_seed = stream_seed(seed, "fit", "user")
    train, validation = validation_split(logs, config.sft.validation_share, fit_seed)
    chat_model = start_model(texts_of(train, "user"), config.user_model, fit_seed % 2**31)
    parts = [_truncated(part, chat_model) for part in (train, validation, held_out)]
    epochs = fit(
        chat_model, "user", parts[0].dialogues, parts[1].dialogues, config.sft, seed=fit_seed, on_epoch=on_epoch
    )
    chat = ChatFormat.of(chat_model, "user")
    said = [examples_of(part.dialogues, chat) for part in (parts[0], parts[2])]
    found = held_out_perplexity([chat_model], "user", parts[2].dialogues)
    card = UserCard(
        conversations=len(logs),
        held_out=len(held_out),
        cut=sum(part.cut for part in parts),
        dropped=sum(part.dropped for part in parts),
        parameters=chat_model.parameters,
        steps=min(epochs, key=lambda epoch: epoch.validation_nll).step,
        perplexity=found.per_token,
        bits_per_character=found.bits_per_character,
        unigram=unigram_perplexity(said[0], said[1], len(chat_model.tokenizer)),
        turns=fit_by_turn(chat_model, parts[2].dialogues, seed=seed),
    )
    with atomic_folder(out) as unfinished:
        chat_model.save(unfinished / "model")
        write_json(unfinished / CARD, asdict(card))
    return card


def _dialogues(path: Path, heard_words: int | None) -> list[Dialogue]:
    if not path.is_file():
        raise LogError(
            "does not exist",
            where=str(path),
            fix="give the folder that `understudy logs split` wrote, with align and heldout",
        )
    found = [as_dialogue(conversation, heard_words=heard_words) for conversation in read_conversations(path)]
    if not found:
        raise LogError("holds no conversation", where=str(path), fix="split again with a larger share")
    return found


def _truncated(dialogues: list[Dialogue], chat_model: ChatModel) -> Truncated:
    limit = context_length(chat_model.model)
    found = truncate(dialogues, ChatFormat.of(chat_model, "user"), limit)
    if not found.dialogues:
        raise LogError(
            f"none of {len(dialogues)} conversations fits the model's {limit} tokens up to the user's first message",
            fix="raise user_model.max_length",
        )
    return found
