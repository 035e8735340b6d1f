"""The stages of `understudy align`: logs of one's own made ready, a user fitted on them and measured on held-out people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from understudy.align.sft import examples_of, texts_of, validation_split
from understudy.align.truncate import Truncated, truncate
from understudy.errors import LogError
from understudy.logs.conversation import read_conversations
from understudy.logs.describe import describe as describe_
from understudy.logs.dialogues import as_dialogue
from understudy.logs.importing import DIALOGUES, import_logs
from understudy.logs.scrub import read_names, scrub_logs
from understudy.logs.splitting import split_logs
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.load import load_chat_model
from understudy.models.start import start_model
from understudy.pipeline.align_plan import ALIGN, HELD_OUT, IMPORTED, PAGE, SCRUBBED, SHARES, SPLIT, USER, AlignConfig
from understudy.pipeline.fitting import fit_in
from understudy.realism.by_turn import fit_by_turn
from understudy.realism.card import UserCard
from understudy.realism.perplexity import held_out_perplexity, unigram_perplexity
from understudy.report import build_logs_page
from understudy.runs import stream_seed, write_json
from understudy.scheduler import StageContext
from understudy.types import Dialogue

_LOGS, _PARTS = "logs", "parts"


def import_(context: StageContext, config: AlignConfig) -> None:
    """Logs in any form as one checked file, and what was rejected, in `logs/`; an `ImportSummary`."""
    summary = import_logs(
        config.logs,
        context.output / _LOGS,
        format_name=config.format,
        columns=config.columns,
        keep_duplicates=config.keep_duplicates,
        on_progress=lambda file, position, size, _: context.progress(
            position, max(position, size), file=Path(file).name
        ),
    )
    write_json(context.output / "result.json", vars(summary))


def scrub(context: StageContext, config: AlignConfig) -> None:
    """`dialogues.jsonl` without personal data; a `ScrubSummary`."""
    source = context.input(IMPORTED) / _LOGS / DIALOGUES
    summary = scrub_logs(
        source,
        context.output / DIALOGUES,
        names=read_names(config.names) if config.names else [],
        region=config.region,
        on_conversation=_counter(context, source),
    )
    write_json(context.output / "result.json", vars(summary))


def split(context: StageContext, config: AlignConfig) -> None:
    """The two parts by person, in `parts/`; a `SplitSummary`."""
    source = context.input(SCRUBBED) / DIALOGUES
    summary = split_logs(
        source,
        context.output / _PARTS,
        SHARES,
        seed=config.seed,
        on_conversation=_counter(context, source),
    )
    write_json(context.output / "result.json", vars(summary))


def describe(context: StageContext, config: AlignConfig) -> None:
    """A page about the scrubbed logs."""
    source = context.input(SCRUBBED) / DIALOGUES
    description = describe_(read_conversations(source), _counter(context, source))
    build_logs_page(description, ", ".join(config.logs), context.output / PAGE)


def fit_user(context: StageContext, config: AlignConfig) -> None:
    """Role-reversed SFT of a user: `model/`, and what it was fitted on."""
    logs = _dialogues(context, config, ALIGN)
    seed = _fit_seed(config)
    train, validation = validation_split(logs, config.sft.validation_share, seed)
    chat_model = start_model(texts_of(train, "user"), config.user_model, seed % 2**31)
    parts = [_truncated(part, chat_model) for part in (train, validation)]
    sft = config.sft.of_user(config.user_model)
    epochs = fit_in(context, chat_model, "user", parts[0].dialogues, parts[1].dialogues, sft, seed)
    chat_model.save(context.output / "model")
    write_json(
        context.output / "result.json",
        {
            "conversations": len(logs),
            "cut": sum(part.cut for part in parts),
            "dropped": sum(part.dropped for part in parts),
            "steps": min(epochs, key=lambda epoch: epoch.validation_nll).step,
            "epochs": [epoch.record() for epoch in epochs],
        },
    )


def measure_user(context: StageContext, config: AlignConfig) -> None:
    """The `UserCard`: the user with people whom it never saw."""
    chat_model = load_chat_model(context.input(USER) / "model", remote_code=config.user_model.remote_code)
    fitted = json.loads((context.input(USER) / "result.json").read_text(encoding="utf-8"))
    held_out = _dialogues(context, config, HELD_OUT)
    read = _truncated(held_out, chat_model)
    train, _ = validation_split(_dialogues(context, config, ALIGN), config.sft.validation_share, _fit_seed(config))
    chat = ChatFormat.of(chat_model, "user")
    said = [examples_of(part.dialogues, chat) for part in (_truncated(train, chat_model), read)]
    found = held_out_perplexity([chat_model], "user", read.dialogues)
    card = UserCard(
        conversations=fitted["conversations"],
        held_out=len(held_out),
        cut=fitted["cut"] + read.cut,
        dropped=fitted["dropped"] + read.dropped,
        parameters=chat_model.parameters,
        steps=fitted["steps"],
        perplexity=found.per_token,
        bits_per_character=found.bits_per_character,
        unigram=unigram_perplexity(said[0], said[1], len(chat_model.tokenizer)),
        turns=fit_by_turn(chat_model, read.dialogues, seed=config.seed),
    )
    write_json(context.output / "result.json", asdict(card))


def _fit_seed(config: AlignConfig) -> int:
    return stream_seed(config.seed, "fit", "user")


def _dialogues(context: StageContext, config: AlignConfig, part: str) -> list[Dialogue]:
    folder = Path(config.logs[0]) if config.are_split else context.input(SPLIT) / _PARTS
    path = folder / f"{part}.jsonl"
    found = [as_dialogue(conversation, heard_words=config.heard_words) for conversation in read_conversations(path)]
    if not found:
        raise LogError("holds no conversation", where=str(path), fix="give more logs")
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


def _counter(context: StageContext, conversations: Path) -> Callable[[int], None]:
    """Reports the number of conversations so far, of all in the file."""
    with conversations.open("rb") as file:
        total = sum(1 for _ in file)
    return lambda count: context.progress(count, total)
