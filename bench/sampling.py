"""Two models talking: caches kept across turns, against transformers' `generate` with the history sent again each turn.

    python bench/sampling.py [--dialogues 64] [--turns 6] [--repeats 3]

Both sides are freshly initialised tiny models, which hardly ever end a message by themselves, so that both ways write about the
same number of tokens (the rates count what was written). Prints tokens per second of each and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from understudy.config import ModelConfig
from understudy.models.chat_model import ChatModel
from understudy.models.precision import sampling_dtype
from understudy.models.speaker import ModelSpeaker
from understudy.models.tiny import make_tiny
from understudy.speaker import Request
from understudy.types import Message

TEXTS = ["good morning , i would like a large coffee please", "what size would you like ?", "a large one"] * 20
MESSAGE_TOKENS = 16
OPENING = Message("user", "good morning , i would like a large coffee please")


def ours(models: dict[str, ChatModel], dialogues: int, turns: int) -> tuple[int, float]:
    """Tokens written and seconds with persistent caches."""
    speakers = {
        side: ModelSpeaker(m, side, width=dialogues, max_message_tokens=MESSAGE_TOKENS)  # type: ignore[arg-type]
        for side, m in models.items()
    }
    said: list[tuple[Message, ...]] = [(OPENING,)] * dialogues
    began = time.perf_counter()
    for turn in range(turns):
        side = ("agent", "user")[turn % 2]
        requests = [Request(k, side, "coffee", said[k], seed=k) for k in range(dialogues)]  # type: ignore[arg-type]
        answers = speakers[side].reply(requests)
        said = [(*s, a) for s, a in zip(said, answers, strict=True) if isinstance(a, Message)]
    seconds = time.perf_counter() - began
    records = [speaker.finish(k) for speaker in speakers.values() for k in range(dialogues)]
    return sum(sum(r.sampled) for r in records if r is not None), seconds


def resending(models: dict[str, ChatModel], dialogues: int, turns: int) -> tuple[int, float]:
    """Tokens written and seconds with `generate`, the whole history encoded again at each turn."""
    tokenizers = {side: m.tokenizer for side, m in models.items()}
    loaded = {side: m.model.to(sampling_dtype()).eval() for side, m in models.items()}
    for side, model in loaded.items():
        model.set_attn_implementation("sdpa")
        tokenizers[side].padding_side = "left"
    said: list[list[tuple[str, str]]] = [[("user", OPENING.text)] for _ in range(dialogues)]
    written, began = 0, time.perf_counter()
    for turn in range(turns):
        side = ("agent", "user")[turn % 2]
        tokenizer = tokenizers[side]
        prompts = [
            tokenizer.apply_chat_template(
                [{"role": "system", "content": "coffee", "end": False}]
                + [
                    {"role": "assistant" if who == side else "user", "content": text, "end": False}
                    for who, text in history
                ],
                tokenize=False,
                add_generation_prompt=True,
            )
            for history in said
        ]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            out = loaded[side].generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                do_sample=True,
                top_k=0,
                max_new_tokens=MESSAGE_TOKENS,
                min_new_tokens=MESSAGE_TOKENS,
            )
        new = out[:, batch["input_ids"].shape[1] :]
        written += new.numel()
        for history, ids in zip(said, new, strict=True):
            history.append((side, tokenizer.decode(ids, skip_special_tokens=True).strip()))
    return written, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=64)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ratios = []
    for repeat in range(options.repeats):
        rates = {}
        for name, way in (("kept caches", ours), ("history sent again", resending)):
            models = {s: make_tiny(TEXTS, ModelConfig(), seed=repeat) for s in ("agent", "user")}
            tokens, seconds = way(models, options.dialogues, options.turns)
            rates[name] = tokens / seconds
        ratios.append(rates["kept caches"] / rates["history sent again"])
        print(", ".join(f"{name}: {rate:,.0f} tokens/s" for name, rate in rates.items()), f"ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f} over {options.repeats} repeats")


if __name__ == "__main__":
    main()
