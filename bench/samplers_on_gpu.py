"""The sampling of one side on a GPU: passes run one by one, passes replayed as CUDA graphs, and vLLM, in one run.

    python bench/samplers_on_gpu.py --model examples/paper/shapes/qwen2.5-7b

Random weights in bf16 of the shape that the folder gives. Every message has the length asked for, what is heard is random
too: so all three read and write as many tokens, and vLLM finds its caches again by prefix, as it would in training. It is left
out where it is not installed. The first of the repetitions warms up and is not counted.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from cost_on_gpu import device_name, random_model, synchronised
from transformers import AutoConfig

from understudy.models.sampler import Sampled, Sampler
from understudy.models.served_sampler import ServedSampler


def seconds_of(sampler: Sampler | ServedSampler, given: argparse.Namespace, vocabulary: int, repetition: int) -> float:
    """Of one repetition: all messages of all dialogues, which no repetition has seen before."""
    for place in range(given.dialogues):
        sampler.release(place)
    generator = np.random.default_rng(repetition)
    said: list[list[int]] = [[] for _ in range(given.dialogues)]
    began = synchronised()
    for turn in range(given.turns):
        heard = given.prompt if turn == 0 else given.heard
        unread = [last + generator.integers(2, vocabulary, heard).tolist() for last in said]
        uniforms = generator.random((given.dialogues, 1, given.written))
        written = sampler.sample(range(given.dialogues), unread, uniforms, stops=[], temperature=1.0)
        said = [only.ids for (only,) in written]
        assert all(len(only.ids) == given.written for (only,) in written)
    return synchronised() - began


def our_sampler(given: argparse.Namespace) -> Sampler:
    return Sampler(random_model(given.model, seed=0), given.dialogues)


def vllm_sampler(given: argparse.Namespace) -> ServedSampler:
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found]

    engine: Any = LLM(
        given.model,
        load_format="dummy",
        skip_tokenizer_init=True,
        dtype="bfloat16",
        max_model_len=given.prompt + given.turns * (given.heard + given.written) + 1,
        gpu_memory_utilization=given.vllm_memory,
        max_num_seqs=given.dialogues,
    )
    settings = SamplingParams(
        max_tokens=given.written, ignore_eos=True, logprobs=0, temperature=1.0, detokenize=False, seed=None
    )

    def generate(prompts: list[list[int]]) -> list[Sampled]:
        answers = engine.generate([{"prompt_token_ids": ids} for ids in prompts], settings, use_tqdm=False)
        found = []
        for answer in answers:
            (only,) = answer.outputs
            logprobs = [float(top[token].logprob) for top, token in zip(only.logprobs, only.token_ids, strict=True)]
            found.append(Sampled(list(only.token_ids), logprobs, stopped=False))
        return found

    return ServedSampler(given.dialogues, generate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="examples/paper/shapes/qwen2.5-7b")
    parser.add_argument("--dialogues", type=int, default=48, help="held at once")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--prompt", type=int, default=200, help="tokens read before the first message")
    parser.add_argument("--written", type=int, default=200, help="tokens of each message")
    parser.add_argument("--heard", type=int, default=50, help="tokens read before each later message")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["run", "replayed", "vllm"], choices=["run", "replayed", "vllm"])
    parser.add_argument("--vllm-memory", type=float, default=0.5, help="share of the GPU's memory")
    given = parser.parse_args()
    vocabulary = AutoConfig.from_pretrained(given.model).vocab_size
    tokens = given.dialogues * given.turns * given.written
    print(
        f"{device_name()}, {given.model}: {given.dialogues} dialogues, {given.turns} messages of {given.written} tokens",
        flush=True,
    )
    rates: dict[str, float] = {}
    for which in given.only:
        if which == "vllm" and importlib.util.find_spec("vllm") is None:
            continue
        make: Callable[[argparse.Namespace], Sampler | ServedSampler] = vllm_sampler if which == "vllm" else our_sampler
        sampler = make(given)
        if isinstance(sampler, Sampler):
            sampler._step.captures = which == "replayed"
        repetitions = [seconds_of(sampler, given, vocabulary, r) for r in range(1 + given.repetitions)][1:]
        if isinstance(sampler, Sampler) and which == "replayed" and not sampler._step.captures:
            print("  the model could not be captured: its passes were run")
        rates[which] = tokens / statistics.median(repetitions)
        each = ", ".join(f"{seconds:.2f}" for seconds in repetitions)
        print(
            f"  {which}: {rates[which]:,.0f} tokens written a second ({each} s; "
            f"{1000 * given.dialogues / rates[which]:.1f} ms for a token of all, reading included)",
            flush=True,
        )
        del sampler
        gc.collect()
        torch.cuda.empty_cache()
    first = next(iter(rates))
    for which, rate in rates.items():
        print(f"  {which} / {first}: {rate / rates[first]:.2f}")


if __name__ == "__main__":
    main()
