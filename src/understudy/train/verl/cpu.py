"""verl without a GPU: a platform for its trainer, and a rollout server that is this package's own sampler.

For trials and tests with tiny models. verl imports this module in each of its processes, by `VERL_USE_EXTERNAL_MODULES`;
it has no such platform or server of its own. Written against verl 0.9.1.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import ray
import torch
from torch.distributed.fsdp import CPUOffloadPolicy
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.utils import distributed
from verl.workers.rollout import base as rollout_base
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry, TokenOutput

from understudy.batched import Batched
from understudy.models.load import load_chat_model
from understudy.models.sampler import Sampled, Sampler

ROLLOUT = "cpu"
"""The name of both in verl's settings."""


@PlatformRegistry.register(platform=ROLLOUT)
class CPUPlatform(PlatformBase):  # type: ignore[misc]  # verl is not type-checked here
    """What verl asks of a device, where there is none."""

    device_name = "cpu"
    vendor_name = "none"

    @property
    def device_module(self) -> types.ModuleType:
        return _DEVICE

    def is_available(self) -> bool:
        return True

    def current_device(self) -> Any:
        return torch.device("cpu")  # verl moves tensors to it, where a number would mean a GPU

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        pass

    def synchronize(self, device_index: int | None = None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        return "GPU"  # Ray is told of one per process (`ray_init.num_gpus`), as verl's placement counts them alone

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> Any:
        return None


def _device() -> types.ModuleType:
    """As `torch.cuda`, of what verl calls there."""
    found = types.ModuleType("understudy_cpu")
    functions: dict[str, Any] = {
        "is_available": lambda: False,
        "get_device_name": lambda: "CPU",
        "device_count": lambda: 1,
        "current_device": lambda: torch.device("cpu"),
        "set_device": lambda device: None,
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
        "memory_allocated": lambda: 0,
        "memory_reserved": lambda: 0,
        "max_memory_allocated": lambda: 0,
        "max_memory_reserved": lambda: 0,
        "mem_get_info": lambda: (0, 0),
    }
    for name, function in functions.items():
        setattr(found, name, function)
    return found


_DEVICE = _device()


@dataclass(frozen=True)
class _Asked:
    ids: list[int]
    seed: int
    most: int
    stop: int
    temperature: float


class SamplerServer:
    """One copy of the policy. Every message is sampled from all tokens before it: caches are not kept from turn to turn.

    Args:
        folder: of the model.
        width: messages sampled at once.
    """

    def __init__(self, folder: str, width: int) -> None:
        self._model = load_chat_model(folder).model
        self._sampler = Sampler(self._model, width)
        self._width = width
        self._sample = Batched(self._sample_all)
        self._step: int | None = None

    async def generate(
        self, prompt_ids: Sequence[int], sampling_params: dict[str, Any], request_id: str, **unused: Any
    ) -> TokenOutput:
        """One message, by the `seed`, `max_tokens`, single `stop_token_ids` and `temperature` of the parameters."""
        (stop,) = sampling_params["stop_token_ids"]
        most, temperature = sampling_params["max_tokens"], sampling_params["temperature"]
        sampled = await self._sample(_Asked([*prompt_ids], sampling_params["seed"], most, stop, temperature))
        return TokenOutput(
            token_ids=sampled.ids,
            log_probs=sampled.logprobs,
            stop_reason="completed",
            extra_fields={"global_steps": self._step},
        )

    async def load_weights(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        """Sample with these weights from now on."""
        async with self._sample.turn:
            found = self._model.load_state_dict(weights, strict=False)  # tied ones may be left out
            if found.unexpected_keys:
                raise ValueError(f"the trainer's weights are another model's: {found.unexpected_keys[:3]}")
            self._sampler.load_weights(self._model)
            self._step = step

    def _sample_all(self, asked: Sequence[_Asked]) -> list[Sampled]:
        found: list[Sampled] = []
        for start in range(0, len(asked), self._width):
            part = asked[start : start + self._width]
            ((most, stop, temperature),) = {(a.most, a.stop, a.temperature) for a in part}
            uniforms = np.stack([np.random.default_rng(a.seed).random((1, most)) for a in part])
            places = range(len(part))
            written = self._sampler.sample(
                places, [a.ids for a in part], uniforms, stops=[stop], temperature=temperature
            )
            found += [only for (only,) in written]
            for place in places:
                self._sampler.release(place)
        return found


def _server_name(rank: int) -> str:
    return f"understudy-sampler-{rank}"


class CPUReplica(RolloutReplica):  # type: ignore[misc]
    """The server as verl's trainer starts it; there is no memory to give back while the trainer works."""

    async def launch_servers(self) -> None:
        server = ray.remote(SamplerServer).options(
            name=_server_name(self.replica_rank), num_cpus=0, max_concurrency=self.max_concurrency
        )
        self._server_handle = server.remote(str(self.model_config.path), self.config.max_num_seqs)
        self._server_address = _server_name(self.replica_rank)
        self.servers = [self._server_handle]

    async def sleep(self) -> None:
        pass

    async def wake_up(self) -> None:
        pass


class WeightsToServer(rollout_base.BaseRollout):  # type: ignore[misc]
    """The trainer's end of the server: hands over the weights after each step."""

    async def resume(self, tags: list[str]) -> None:
        pass

    async def release(self) -> None:
        pass

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None, **unused: Any
    ) -> None:
        found = {name: tensor.detach().float().cpu() for name, tensor in weights}
        await ray.get_actor(_server_name(0)).load_weights.remote(found, global_steps)


# It would name gloo for the CPU twice, once for the device, which torch refuses.
distributed.initialize_global_process_group_ray = partial(
    distributed.initialize_global_process_group_ray, backend="cpu:gloo"
)
RolloutReplicaRegistry.register(ROLLOUT, lambda: CPUReplica)
rollout_base._ROLLOUT_REGISTRY[ROLLOUT, "async"] = f"{__name__}.WeightsToServer"


def _pin_no_memory() -> None:
    """verl would pin the memory of a KL penalty's reference model, for a GPU to read."""
    from verl.workers.engine.fsdp import transformer_impl  # asks for the platform

    transformer_impl.CPUOffloadPolicy = lambda **_: CPUOffloadPolicy(pin_memory=False)


_pin_no_memory()
