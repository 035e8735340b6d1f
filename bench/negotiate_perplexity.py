"""How well a small model foretells people's negotiations, next to the GRUs of Lewis et al. 2017 (arXiv 1706.05125).

    python bench/negotiate_perplexity.py DATA [--hidden 192 --layers 4 --epochs 12 --dropout 0.1 --members 2 --choose]

Trains on all of the corpus' `train.txt` but a twentieth that chooses the epoch, from both sides of each negotiation, and
gives the perplexity per word on `val.txt`. As in the authors' files, each side's line is a sample of its own: the prompt
holds that side's values, and both sides' words are foretold. Words seen fewer than 20 times in `train.txt` (where each is
written twice, once per side) become one unknown word. Counted are words, the end of each message and the closing
`<selection>`; the authors' files also have a YOU: or THEM: before each message, which costs nothing where turns
alternate, so that the second figure counts it as well.

With --members they are trained at the same time, a process each, and each next word's probability is their mean.

With --choose it measures the twentieth instead, for choosing the model's shape: `val.txt` is not read.
"""

from __future__ import annotations

import argparse
import math
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from understudy.align.sft import fit, texts_of, validation_split
from understudy.align.sft_state import Epoch
from understudy.config import ModelConfig, SFTConfig
from understudy.logs.deal_or_no_deal import Negotiation, read_negotiations
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import Example, batches_by_length, token_logprobs
from understudy.models.load import load_chat_model
from understudy.models.tiny import ROLES, make_tiny
from understudy.tasks.negotiate import Scenario, renamed
from understudy.tasks.negotiate.corpus import TRAIN, VALIDATION, corpus_folder
from understudy.tasks.negotiate.items import SELECTION, make_task
from understudy.types import Dialogue, Message, Outcome, Role

SEEN, UNKNOWN = 20, "unknownword"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Deal or No Deal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--renamed", action="store_true", help="also train with the items' names exchanged")
    parser.add_argument("--members", type=int, default=1, help="models that foretell together")
    parser.add_argument("--threads", type=int, default=2, help="of each member")
    parser.add_argument("--choose", action="store_true")
    asked = parser.parse_args()
    began = time.perf_counter()
    _, held_out, known = corpus(asked)
    with TemporaryDirectory() as folder, ProcessPoolExecutor(asked.members, get_context("spawn")) as workers:
        places = [Path(folder) / str(member) for member in range(asked.members)]
        list(workers.map(train, [asked] * asked.members, range(asked.members), places))
        models = [load_chat_model(place) for place in places]
    trained = time.perf_counter() - began
    judged = (
        held_out if asked.choose else both_sides(read_negotiations(corpus_folder(asked.data) / VALIDATION)[0], known)
    )
    torch.set_num_threads(asked.members * asked.threads)
    whole = {"together": models} if len(models) > 1 else {}
    for name, chosen in whole | {f"member {i}": [model] for i, model in enumerate(models)}.items():
        nll, words, messages, unknown = scored(chosen, judged)
        print(
            f"{name}: perplexity per word or end {math.exp(nll / words):.2f}, "
            f"where YOU: and THEM: count as words {math.exp(nll / (words + messages)):.2f}"
        )
    print(
        f"trained in {trained:.0f} s; {len(judged):,} samples judged, {words:,} words and ends, {unknown:.1%} unknown"
    )


def corpus(asked: Namespace) -> tuple[list[Dialogue], list[Dialogue], set[str]]:
    """What is trained on, what chooses the epoch, the same for all members, and the words that are known."""
    logged = read_negotiations(corpus_folder(asked.data) / TRAIN)[0]
    counts = Counter(word for n in logged for text in n.texts for word in text.split() for _ in range(2))
    known = {word for word, count in counts.items() if count >= SEEN}
    return *validation_split(both_sides(logged, known), 0.05, asked.seed), known


def train(asked: Namespace, member: int, place: Path) -> None:
    """A member, saved at a place."""
    torch.set_num_threads(asked.threads)
    began = time.perf_counter()
    train, held_out, known = corpus(asked)
    shape = ModelConfig(
        hidden=asked.hidden, layers=asked.layers, heads=asked.hidden // 32, kv_heads=asked.hidden // 32,
        intermediate=8 * asked.hidden // 3 // 8 * 8, vocabulary=1024, max_length=512,
    )  # fmt: skip
    seed = asked.seed + member
    model = make_tiny(texts_of(train, "user"), shape, seed)
    print(f"member {member}: {model.parameters:,} parameters, {len(known)} words, {len(train):,} samples", flush=True)
    sft = SFTConfig(
        steps=1_000_000, epochs=asked.epochs, batch_tokens=asked.batch_tokens, learning_rate=asked.learning_rate,
        matrix_learning_rate=None, weight_decay=asked.weight_decay, dropout=asked.dropout,
        comparison_weight=0.0, other_side_weight=1.0,
    )  # fmt: skip

    def report(epoch: Epoch) -> None:
        took = time.perf_counter() - began
        nll = f"{epoch.train_nll:.4f} {epoch.validation_nll:.4f}"
        print(f"member {member}, epoch {epoch.epoch}: {nll} ({took:.0f} s)", flush=True)

    if asked.renamed:
        train = [*train, *(other for dialogue in train for other in renamed(dialogue))]
    fit(model, "user", train, held_out, sft, seed=seed, on_epoch=report)
    model.save(place)


def both_sides(negotiations: Sequence[Negotiation], known: set[str]) -> list[Dialogue]:
    """Two dialogues per negotiation: the `user` is the side whose values the prompt holds."""
    return [_dialogue(n, known, mine_first) for n in negotiations for mine_first in (True, False)]


def _dialogue(negotiation: Negotiation, known: set[str], mine_first: bool) -> Dialogue:
    sides: tuple[Role, Role] = ("user", "agent") if mine_first else ("agent", "user")
    texts = [" ".join(word if word in known else UNKNOWN for word in text.split()) for text in negotiation.texts]
    messages = tuple(Message(sides[i % 2], text) for i, text in enumerate([*texts, SELECTION]))
    values = negotiation.first_values if mine_first else negotiation.second_values
    theirs = negotiation.second_values if mine_first else negotiation.first_values
    task = make_task("negotiate", f"{negotiation.line}", Scenario(negotiation.counts, theirs, values), opener=sides[0])
    return Dialogue(task, f"{negotiation.line}", messages, Outcome(0.0, negotiation.ending))


def scored(models: Sequence[ChatModel], dialogues: Sequence[Dialogue]) -> tuple[float, int, int, float]:
    """Total NLL of both sides' words and ends, how many there are, messages but the first, share of unknown words.

    Args:
        models: of one tokenizer; a token's probability is their mean.
    """
    tokenizer = models[0].tokenizer
    chat = ChatFormat.of(models[0], "user")
    roles = set(tokenizer.convert_tokens_to_ids([f"<|{role}|>" for role in ROLES]))
    examples = []
    for dialogue in dialogues:
        ids, _ = chat.dialogue(dialogue.task.user_prompt, dialogue.messages)
        said = len(chat.start(dialogue.task.user_prompt, own_opens=dialogue.task.opener == "user"))
        examples.append(Example(ids, [place >= said and token not in roles for place, token in enumerate(ids)]))
    nll = 0.0
    with torch.no_grad():
        for batch in batches_by_length(examples, 8192, tokenizer.pad_token_id, torch.device("cpu")):
            each = torch.stack([token_logprobs(model.model, batch.ids) for model in models])
            nll -= float(((each.logsumexp(0) - math.log(len(models))) * batch.mask).sum())
    texts = [message.text.split() for dialogue in dialogues for message in dialogue.messages]
    words = sum(len(text) + 1 for text in texts)
    return nll, words, len(texts) - len(dialogues), float(np.mean([word == UNKNOWN for text in texts for word in text]))


if __name__ == "__main__":
    main()
