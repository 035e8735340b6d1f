"""Samples the next message of many dialogues at once, on caches that are kept across turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from understudy.errors import ModelError
from understudy.models.attention import DECODING_ATTENTION
from understudy.models.cache import RaggedCache
from understudy.models.chat_model import context_length
from understudy.models.decoding import DecodingSteps, stream_context
from understudy.models.layers import layers_of
from understudy.models.placement import is_spread
from understudy.models.precision import sampling_dtype
from understudy.models.weights import copy_weights, sampling_copy

_PADDING = 1.3
"""Rows are fed together up to this ratio of longest to shortest chunk."""
_SMALLEST_GROUP = 32
"""Rows fed together whatever their chunks: below this, a forward pass costs more than the padding it saves."""
_COMPACT = {"cpu": 0.75, "cuda": 0.25}
"""Finished rows are dropped from the batch once fewer than this share of it is still being written: a GPU, which waits for
weights rather than rows, captures its forward pass anew then (see `decoding`)."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Newly sampled tokens (the stop token included) and their log-probabilities as sampled.

    Attributes:
        stopped: whether a stop token came before the token limit.
    """

    ids: list[int]
    logprobs: list[float]
    stopped: bool


class Sampler:
    """Places for `width` dialogues; each keeps its keys and values until it is reused.

    Sampling is by inversion of the cumulative distribution with uniforms that the caller gives, so that a dialogue's
    words do not depend, up to rounding, on which other dialogues share its batch.

    Raises:
        ModelError: if the model's attention cannot be replaced, or see `layers_of`.
    """

    def __init__(self, model: PreTrainedModel, width: int) -> None:
        dtype = sampling_dtype()
        self.model = sampling_copy(model, dtype)
        self.device = self.model.get_input_embeddings().weight.device
        self.model.set_attn_implementation(DECODING_ATTENTION)
        if self.model.config._attn_implementation != DECODING_ATTENTION:  # transformers has warned of it, no more
            raise ModelError(
                f"has attention of its own ({type(model).__name__}), where the caches that are kept over turns have no place",
                where=str(model.name_or_path),
                fix="use a model that transformers has code for, or whose code uses its AttentionInterface",
            )
        self.layers = layers_of(model)
        _refuse_scaled_queries(model)
        self.cache = RaggedCache.empty(self.model.config.num_hidden_layers, width, dtype, self.device)
        self.held = np.zeros(width, dtype=np.int64)
        self._on_one_device = not is_spread(self.model)
        self._step = DecodingSteps(self._forward, self.device, captures=self._on_one_device)
        if self.layers.recurrent:
            self._refuse_states_of_its_own()

    def _refuse_states_of_its_own(self) -> None:
        """Some recurrent layers keep their states in themselves, or in a cache of their own kind."""
        tried = RaggedCache.empty(len(self.cache.keys), 1, self.cache.keys[0].dtype, self.device)
        tokens, positions = (torch.zeros((1, 1), dtype=torch.long, device=self.device) for _ in range(2))
        tried.reserve(1)
        why: Exception | None = None
        try:
            with torch.inference_mode():
                self._forward(tried, tokens, positions)
        except (AttributeError, TypeError, ValueError) as error:
            why = error
        if why or not tried.states:
            told = f": {why}" if why else ""
            raise ModelError(
                f"keeps recurrent states in a way of its own ({type(self.model).__name__}), not in transformers' caches{told}",
                where=str(self.model.name_or_path or self.model.config.model_type),
                fix="use a model whose code calls `update_conv_state` or `update_recurrent_state` of a cache",
            ) from why

    def load_weights(self, model: PreTrainedModel) -> None:
        """Copy the weights of a model that has moved on in training; all places are forgotten."""
        copy_weights(model, self.model)
        self.held[:] = 0

    def release(self, place: int) -> None:
        self.held[place] = 0

    def keep(self, place: int, tokens: int) -> None:
        """Forget what a place holds past so many tokens; where some layers are recurrent, all of it."""
        if tokens < self.held[place]:
            self.held[place] = 0 if self.layers.recurrent else tokens

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        with torch.inference_mode(), stream_context(self.device) if self._on_one_device else nullcontext():
            try:
                yield
            finally:
                self._step.forget()

    def sample(
        self,
        places: Sequence[int],
        new_ids: Sequence[Sequence[int]],
        uniforms: np.ndarray,
        *,
        stops: Sequence[int],
        temperature: float,
    ) -> list[list[Sampled]]:
        """Feed each place its new tokens, then sample candidates for its next message, each until a stop token.

        A place keeps what it was fed and none of its candidates: the one that is said comes with the next call's tokens.

        Args:
            places: [B] distinct places.
            new_ids: [B] the tokens that each place has not seen yet, at least one each.
            uniforms: [B, K, M] in [0, 1) for K candidates; M is the token limit of a message.
            stops: tokens that end a message.
            temperature: of the softmax; 0 takes the most probable token.

        Returns:
            [B][K]
        """
        count, limit = uniforms.shape[1:]
        place_array = np.asarray(places)
        fed = np.array([len(ids) for ids in new_ids])
        start = self.held[place_array]
        lengths = start + fed
        with self._sampling():
            order = torch.as_tensor(place_array, device=self.device)
            whole = np.array_equal(place_array, np.arange(self.cache.rows))
            work = self.cache if whole else self.cache.select(order, int(start.max()))
            work.states.clear(torch.as_tensor(np.flatnonzero(start == 0), device=self.device))
            feed = self._feed_in_step if self.layers.recurrent else self._feed
            logits = feed(work, new_ids, fed, start)
            if not whole:
                self.cache.store(order, work)
            self.held[place_array] = lengths
            if count > 1:
                copies = torch.arange(len(places), device=self.device).repeat_interleave(count)
                work, logits, lengths = (
                    work.select(copies, int(lengths.max())),
                    logits[copies],
                    np.repeat(lengths, count),
                )
            elif whole:
                work = work.branch()
            written = self._decode(work, logits, lengths, uniforms.reshape(-1, limit), stops, temperature)
        return [written[row : row + count] for row in range(0, len(written), count)]

    def _decode(
        self,
        work: RaggedCache,
        logits: torch.Tensor,
        lengths: np.ndarray,
        uniforms: np.ndarray,
        stops: Sequence[int],
        temperature: float,
    ) -> list[Sampled]:
        """Sample a message for each row of `work`, whose columns past `lengths` are written over.

        Args:
            logits: [B, V] of the first token.
            lengths: [B] tokens that each row holds.
            uniforms: [B, M].
        """
        total, limit = uniforms.shape
        ids_out: list[list[int]] = [[] for _ in range(total)]
        logprobs_out: list[list[float]] = [[] for _ in range(total)]
        stopped = np.zeros(total, dtype=bool)
        noise = torch.as_tensor(uniforms, dtype=torch.float32, device=self.device)
        rows = np.arange(total)  # the rows still being written, as indices into the arguments
        inside = rows  # the same rows, as rows of `work`
        for step in range(limit):
            chosen, logp = _choose(logits, noise[torch.as_tensor(rows, device=self.device), step], temperature)
            newest = chosen.cpu().numpy()
            for row, token, lp in zip(rows.tolist(), newest.tolist(), logp.tolist(), strict=True):
                ids_out[row].append(token)
                logprobs_out[row].append(lp)
            done = np.isin(newest, list(stops))
            stopped[rows[done]] = True
            if done.all() or step + 1 == limit:
                break
            rows, inside, newest = rows[~done], inside[~done], newest[~done]
            if len(rows) < _COMPACT[self.device.type] * work.rows:
                # Few rows are left: stop paying for the finished ones.
                longest = int(lengths[rows].max()) + step
                work, inside = work.select(torch.as_tensor(inside, device=self.device), longest), np.arange(len(rows))
            tokens = np.zeros((work.rows, 1), dtype=np.int64)
            positions = np.full((work.rows, 1), -1)
            tokens[inside, 0] = newest
            positions[inside, 0] = lengths[rows] + step
            logits = self._step(work, tokens, positions)[torch.as_tensor(inside, device=self.device)]
        return [Sampled(i, lp, bool(s)) for i, lp, s in zip(ids_out, logprobs_out, stopped, strict=True)]

    def _feed(
        self, work: RaggedCache, new_ids: Sequence[Sequence[int]], fed: np.ndarray, start: np.ndarray
    ) -> torch.Tensor:
        """Feed each row of `work` its new tokens, in groups of about one length so that little of it is padding.

        Args:
            fed: [B] how many new tokens each row has.
            start: [B] how many tokens each row holds already.

        Returns:
            [B, V] logits after the last token of each row.
        """
        parts, order = [], np.argsort(fed, kind="stable")
        while len(order):
            group = order[: max(_SMALLEST_GROUP, int((fed[order] <= _PADDING * fed[order[0]]).sum()))]
            order = order[len(group) :]
            chunk = int(fed[group].max())
            tokens = np.zeros((len(group), chunk), dtype=np.int64)
            for row, index in enumerate(group):
                tokens[row, chunk - fed[index] :] = new_ids[index]
            offset = np.arange(chunk)[None, :] - (chunk - fed[group])[:, None]
            positions = np.where(offset >= 0, start[group][:, None] + offset, -1)
            work.reserve(int(positions.max()) + 1)
            arguments = (torch.as_tensor(part, device=self.device) for part in (tokens, positions, group))
            parts.append((group, self._forward(work, *arguments)))
        return self._in_order(parts, len(fed))

    def _feed_in_step(
        self, work: RaggedCache, new_ids: Sequence[Sequence[int]], fed: np.ndarray, start: np.ndarray
    ) -> torch.Tensor:
        """As `_feed`, without padding, which would disturb recurrent layers: rows go on together until one of them ends."""
        parts, done = [], np.zeros(len(fed), dtype=np.int64)
        while len(rows := np.flatnonzero(done < fed)):
            count = int((fed - done)[rows].min())
            if not self.layers.reads_on:
                begins = rows[start[rows] + done[rows] == 0]
                rows, count = (begins, int(fed[begins].min())) if len(begins) else (rows, 1)
            tokens = np.array([new_ids[row][done[row] : done[row] + count] for row in rows.tolist()])
            positions = (start + done)[rows][:, None] + np.arange(count)
            work.reserve(int(positions.max()) + 1)
            some = None if len(rows) == len(fed) else torch.as_tensor(rows, device=self.device)
            given, places = (torch.as_tensor(part, device=self.device) for part in (tokens, positions))
            parts.append((rows, self._forward(work, given, places, some)))
            done[rows] += count
        return self._in_order(parts, len(fed))

    def _in_order(self, parts: Sequence[tuple[np.ndarray, torch.Tensor]], rows: int) -> torch.Tensor:
        """[rows, V] the logits of groups of rows, the latest of each row."""
        logits = torch.empty(rows, parts[0][1].shape[1], device=self.device)
        for group, found in parts:
            logits[torch.as_tensor(group, device=self.device)] = found
        return logits

    def _forward(
        self, work: RaggedCache, tokens: torch.Tensor, positions: torch.Tensor, rows: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits after the last token of each row (of `rows` of the cache; None for all), [B, V] in fp32."""
        places = self.layers.arguments(work, positions, rows)
        logits: torch.Tensor = self.model(input_ids=tokens, use_cache=True, logits_to_keep=1, **places).logits
        work.settle()
        return logits[:, -1].float()


def _refuse_scaled_queries(model: PreTrainedModel) -> None:
    """Llama 4 scales the queries of far tokens, whose places it takes from the cache's columns and not from `position_ids`."""
    longest = context_length(model)
    if getattr(model.config, "attn_temperature_tuning", False) and 2 * longest >= model.config.floor_scale:
        raise ModelError(
            f"attends in another way beyond {model.config.floor_scale} tokens, which the sampler cannot place; "
            f"dialogues may have {longest}",
            where=str(model.name_or_path),
            fix=f"set max_length below {model.config.floor_scale // 2} in the model's section",
        )


def _choose(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens [B] and their log-probabilities [B] under the distribution sampled from."""
    if temperature == 0:
        return logits.argmax(-1), torch.zeros(len(logits))
    logp = torch.log_softmax(logits / temperature, -1)
    cumulative = logp.exp().cumsum(-1)
    chosen = (cumulative <= uniforms[:, None] * cumulative[:, -1:]).sum(-1).clamp_(max=logits.shape[-1] - 1)
    return chosen, logp.gather(1, chosen[:, None])[:, 0]
