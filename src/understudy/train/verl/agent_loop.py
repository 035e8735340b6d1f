"""The agent loop that verl runs for each dialogue: asks verl's server for the policy's tokens, and our users for the rest.

Written against verl 0.9.1, `verl.experimental.agent_loop`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from verl.experimental.agent_loop import AgentLoopBase, AgentLoopOutput
from verl.utils.profiler import simple_timer

from understudy.models.sampler import Sampled
from understudy.speaker import Failure
from understudy.train.rollouts import Completion
from understudy.train.verl.episodes import Episodes
from understudy.train.verl.spec import LoopSpec
from understudy.train.verl.users import UserPool

NO_TOKENS = "the rollout server gave no token"


@cache
def _episodes(spec: str) -> Episodes:
    """One per process, whatever the number of dialogues: verl makes a loop object for each."""
    found = LoopSpec.read(Path(spec))
    return Episodes(found, None if found.user is None else UserPool(Path(spec)))


class DialogueLoop(AgentLoopBase):  # type: ignore[misc]  # verl is not type-checked here
    """Holds one dialogue of a step, or has one message of it written (see `Episodes`).

    Args:
        spec: file of the `LoopSpec`, given by the agent-loop config beside this class's name.
    """

    def __init__(self, *args: Any, spec: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.episodes = _episodes(spec)

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> AgentLoopOutput | list[AgentLoopOutput]:
        """Hold the dialogue that a row of the data set and a place in its group stand for.

        Args:
            sampling_params: of verl; the length and the end of a message are added here.
            kwargs: the row's fields, of which `extra_info` holds `step` and `group`, and `session_id`, the place in the
                group, which verl's v1 trainer gives.

        Returns:
            Of the dialogue: prompt ids up to the first token that was sampled; [T] response ids, mask (1 where sampled),
            log-probabilities and the reward. Nothing of one that failed, in which the policy said nothing, or whose reward
            the log does not determine, so that verl's group has one member less.

        Raises:
            ValueError: if the server gives no log-probabilities.
        """
        step, group, member = (
            int(n) for n in (kwargs["extra_info"]["step"], kwargs["extra_info"]["group"], kwargs["session_id"])
        )
        seconds: dict[str, float] = {}
        versions: list[int] = []

        async def generate(ids: list[int], seed: int) -> Sampled | Failure:
            config, end = self.episodes.spec.config, self.episodes.format.end_of_turn
            # Servers on GPUs would sample slower with a seed for each message.
            seeded = {"seed": seed} if config.verl.rollout == "cpu" else {}
            with simple_timer("generate_sequences", seconds):
                output = await self.server_manager.generate(
                    # The same for all turns, so that a dialogue stays on the server that holds its keys and values.
                    request_id=f"{step}-{group}-{member}",
                    prompt_ids=ids,
                    sampling_params={
                        **sampling_params,
                        **seeded,
                        "max_tokens": config.sampling.max_message_tokens,
                        "stop_token_ids": [end],
                    },
                )
            if not output.token_ids:
                return Failure(NO_TOKENS)
            if output.log_probs is None:
                raise ValueError("the rollout server gives no log-probabilities: set rollout.calculate_log_probs")
            versions.append(int(output.extra_fields.get("global_steps") or 0))
            return Sampled(list(output.token_ids), list(output.log_probs), output.token_ids[-1] == end)

        rollout = await self.episodes.hold(step, group, member, generate)
        if rollout is None or rollout.reward is None:
            return []
        completion = Completion.of(rollout.record)
        return AgentLoopOutput(
            prompt_ids=completion.prompt_ids,
            response_ids=completion.ids,
            response_mask=[int(sampled) for sampled in completion.sampled],
            response_logprobs=completion.logprobs,
            reward_score=rollout.reward,
            num_turns=rollout.agent_messages,
            metrics=seconds,
            # Which weights sampled it: verl's trainer asks for both, also where they cannot differ.
            extra_fields={"min_global_steps": min(versions), "max_global_steps": max(versions)},
        )
