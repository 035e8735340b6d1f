"""vLLM as the sampler of a policy that TRL trains."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from understudy.errors import ModelError
from understudy.models.adapters import is_adapted, merged_weights, save_merged
from understudy.models.chat_model import ChatModel
from understudy.models.sampler import Sampled
from understudy.models.served_sampler import ServedSampler
from understudy.models.speaker import ModelSpeaker


def need_vllm() -> None:
    """Check that vLLM is there.

    Raises:
        ModelError: if it is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ModelError(
            "rl.vllm needs vLLM, which is not installed",
            fix="pip install 'trl[vllm]' (it needs a GPU; docs/engines.md), or leave rl.vllm at false",
        )


def sampling_settings(speaker: ModelSpeaker) -> dict[str, Any]:
    """A message ends where it does for our own sampler, and nowhere else."""
    return {
        "max_tokens": speaker.max_message_tokens,
        "stop_token_ids": [speaker.format.end_of_turn],
        "ignore_eos": True,
    }


class ColocatedVLLM:
    """Writes the messages of a speaker by vLLM, which TRL starts in this process and gives the weights of each step.

    Takes the place of the speaker's own sampler at once, whose copy of the weights is let go of.
    """

    def __init__(self, policy: ChatModel, speaker: ModelSpeaker) -> None:
        self.policy = policy
        self._end = speaker.format.end_of_turn
        self._generation: Any = None
        speaker.sampler = ServedSampler(len(speaker.sampler.held), self._generate)

    @contextmanager
    def startable(self, arguments: TrainingArguments, scratch: Path) -> Iterator[None]:
        """A Trainer made within starts vLLM from a folder with all weights of the policy.

        That of an adapter's model may lack the row of a token that was added: the adapter's sum is written, by one process.
        """
        model = self.policy.model
        if not is_adapted(model):
            yield
            return
        folder, name = scratch / "vllm", model.name_or_path
        with arguments.main_process_first():
            if arguments.process_index == 0:
                save_merged(model, folder)
                self.policy.tokenizer.save_pretrained(folder)
        model.name_or_path = str(folder)
        try:
            yield  # TRL lets no process go on until vLLM has started in all
        finally:
            model.name_or_path = name
            if arguments.process_index == 0:
                shutil.rmtree(folder)

    def start(self, generation: Any) -> None:
        """Sample with a Trainer's `VLLMGeneration` from now on."""
        self._generation = generation
        if is_adapted(self.policy.model):
            # TRL adds up the adapters of peft's own wrapper alone, not those that a model of transformers holds itself.
            generation._iter_named_params = lambda: merged_weights(self.policy.model)

    def _generate(self, prompts: list[list[int]]) -> list[Sampled]:
        _, ids, logprobs, _ = self._generation.generate(prompts, images=None, num_generations=1)
        return [Sampled([*i], [top for top, *_ in lp], i[-1] == self._end) for i, lp in zip(ids, logprobs, strict=True)]
