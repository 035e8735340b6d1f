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
from understudy.models.likelihood import Surprise
from understudy.models.placement import is_spread
from understudy.models.precision import sampling_dtype
from understudy.models.weights import copy_weights, sampling_copy

_PADDING = 1.3
"""Rows are fed together up to this ratio of longest to shortest chunk."""
_SMALLEST_GROUP = 32
"""Rows fed together whatever their chunks: below this, a forward pass costs more than the padding it saves."""
_MOST_LOGITS = 2**26
"""Logits that are held at once where they are asked for after every token, 256 MB of them and some copies."""
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


@dataclass(frozen=True, slots=True)
class _Fed:
    """Tokens that some rows were fed, padded on the left.

    Attributes:
        rows: [R] of the working copy.
        tokens: [R, n].
        logits: [R, k, V] after the last k of them.
        whole: [R] whether nothing is left to feed the row.
    """

    rows: np.ndarray
    tokens: torch.Tensor
    logits: torch.Tensor
    whole: np.ndarray


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
        self._step = DecodingSteps(self._next, self.device, captures=self._on_one_device)
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

    @contextmanager
    def _at(self, places: np.ndarray) -> Iterator[RaggedCache]:
        """The cache of some places to feed tokens to, [B] in their order; written back unless it is the whole itself."""
        order, start = torch.as_tensor(places, device=self.device), self.held[places]
        whole = np.array_equal(places, np.arange(self.cache.rows))
        work = self.cache if whole else self.cache.select(order, int(start.max()))
        work.states.clear(torch.as_tensor(np.flatnonzero(start == 0), device=self.device))
        yield work
        if not whole:
            self.cache.store(order, work)

    def read(self, places: Sequence[int], new_ids: Sequence[Sequence[int]], scored: Sequence[int]) -> list[np.ndarray]:
        """Feed each place its new tokens, and tell how surprised the model is by the last of them.

        Args:
            places: [B] distinct places.
            new_ids: [B] the tokens that each place has not seen yet.
            scored: [B] how many of the last ones to tell of, fewer than there are.

        Returns:
            [B] of [3, scored], the rows as in `Surprise`.

        Raises:
            ValueError: if all tokens of a place, or more, are to be told of: what stands before the first is not known here.
        """
        if any(count >= len(ids) for count, ids in zip(scored, new_ids, strict=True)):
            raise ValueError(
                "the first new token of a place can't be scored: what comes before it has been read already"
            )
        place_array = np.asarray(places)
        found: list[list[np.ndarray]] = [[] for _ in places]
        ends: dict[int, torch.Tensor] = {}
        with self._sampling(), self._at(place_array) as work:
            for fed in self._feed(work, place_array, new_ids, scored):
                told = fed.tokens.shape[1] - fed.logits.shape[1] + 1
                surprise = torch.stack(Surprise.of(fed.logits[:, :-1], fed.tokens[:, told:])).cpu().numpy()
                rows = fed.rows.tolist()
                if parted := [place for place, row in enumerate(rows) if row in ends]:
                    before = torch.stack([ends.pop(rows[place]) for place in parted])
                    first = Surprise.of(before[:, None], fed.tokens[parted, :1])
                    for place, told_first in zip(parted, torch.cat(first, 1).cpu().numpy(), strict=True):
                        found[rows[place]].append(told_first[:, None])
                for place, row in enumerate(rows):
                    found[row].append(surprise[:, place])
                    if not fed.whole[place]:  # a copy, as a view would keep the logits of all
                        ends[row] = fed.logits[place, -1].clone()
        joined = (np.concatenate(parts, axis=1) for parts in found)
        return [part[:, part.shape[1] - count :] for part, count in zip(joined, scored, strict=True)]

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
        with self._sampling():
            with self._at(place_array) as work:
                parts = [(f.rows, f.logits[:, -1]) for f in self._feed(work, place_array, new_ids, [0] * len(places))]
            logits = torch.empty(len(places), parts[0][1].shape[1], device=self.device)
            for rows, last in parts:
                logits[torch.as_tensor(rows, device=self.device)] = last
            lengths = self.held[place_array]
            if count > 1:
                copies = torch.arange(len(places), device=self.device).repeat_interleave(count)
                work, logits, lengths = (
                    work.select(copies, int(lengths.max())),
                    logits[copies],
                    np.repeat(lengths, count),
                )
            elif work is self.cache:
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
        self, work: RaggedCache, places: np.ndarray, new_ids: Sequence[Sequence[int]], scored: Sequence[int]
    ) -> Iterator[_Fed]:
        """Feed each row of `work` the new tokens of its place; `scored` of the last ones are to have logits before them."""
        counts = np.array([len(ids) for ids in new_ids])
        start = self.held[places]
        self.held[places] = start + counts
        if self.layers.recurrent:
            return self._feed_in_step(work, new_ids, counts, start, keep=0 if any(scored) else 1)
        return self._feed_in_groups(work, new_ids, counts, start, np.asarray(scored) + 1)

    def _feed_in_groups(
        self,
        work: RaggedCache,
        new_ids: Sequence[Sequence[int]],
        counts: np.ndarray,
        start: np.ndarray,
        keep: np.ndarray,
    ) -> Iterator[_Fed]:
        """In groups of about one length, so that little of what is fed is padding.

        Args:
            counts: [B] how many new tokens each row has.
            start: [B] how many tokens each row holds already.
            keep: [B] after how many of its last tokens logits are asked for.
        """
        order = np.argsort(counts, kind="stable")
        while len(order):
            group = order[: max(_SMALLEST_GROUP, int((counts[order] <= _PADDING * counts[order[0]]).sum()))]
            if (most := int(keep[group].max())) > 1:  # one each is what decoding holds as well
                group = group[: max(1, self._most_places // most)]
            order = order[len(group) :]
            chunk = int(counts[group].max())
            tokens = np.zeros((len(group), chunk), dtype=np.int64)
            for row, index in enumerate(group):
                tokens[row, chunk - counts[index] :] = new_ids[index]
            offset = np.arange(chunk)[None, :] - (chunk - counts[group])[:, None]
            positions = np.where(offset >= 0, start[group][:, None] + offset, -1)
            work.reserve(int(positions.max()) + 1)
            given, placed, rows = (torch.as_tensor(part, device=self.device) for part in (tokens, positions, group))
            logits = self._forward(work, given, placed, rows, keep=int(keep[group].max()))
            yield _Fed(group, given, logits, np.ones(len(group), dtype=bool))

    def _feed_in_step(
        self, work: RaggedCache, new_ids: Sequence[Sequence[int]], counts: np.ndarray, start: np.ndarray, *, keep: int
    ) -> Iterator[_Fed]:
        """As `_feed_in_groups`, without padding, which would disturb recurrent layers: rows go on together until one ends."""
        done = np.zeros(len(counts), dtype=np.int64)
        while len(rows := np.flatnonzero(done < counts)):
            count = int((counts - done)[rows].min())
            if not self.layers.reads_on:
                begins = rows[start[rows] + done[rows] == 0]
                rows, count = (begins, int(counts[begins].min())) if len(begins) else (rows, 1)
            if not keep:  # more than one logit for each row
                rows = rows[: max(1, self._most_places // (1 if self.layers.reads_on else count))]
                count = min(count, max(1, self._most_places // len(rows))) if self.layers.reads_on else count
            tokens = np.array([new_ids[row][done[row] : done[row] + count] for row in rows.tolist()])
            positions = (start + done)[rows][:, None] + np.arange(count)
            work.reserve(int(positions.max()) + 1)
            some = None if len(rows) == len(counts) else torch.as_tensor(rows, device=self.device)
            given, placed = (torch.as_tensor(part, device=self.device) for part in (tokens, positions))
            logits = self._forward(work, given, placed, some, keep=keep)
            done[rows] += count
            yield _Fed(rows, given, logits, done[rows] == counts[rows])

    @property
    def _most_places(self) -> int:
        """After how many tokens logits are held at once, where they are asked for after several of a row."""
        return int(_MOST_LOGITS // self.model.config.get_text_config().vocab_size)

    def _forward(
        self,
        work: RaggedCache,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        rows: torch.Tensor | None = None,
        *,
        keep: int = 1,
    ) -> torch.Tensor:
        """Logits after the last `keep` tokens of each row (of `rows` of the cache; None for all), [B, keep, V] in fp32.

        Args:
            keep: 0 for all tokens.
        """
        places = self.layers.arguments(work, positions, rows)
        logits: torch.Tensor = self.model(input_ids=tokens, use_cache=True, logits_to_keep=keep, **places).logits
        work.settle()
        return logits[:, -keep:].float()

    def _next(self, work: RaggedCache, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """[B, V] logits after one token of each row."""
        return self._forward(work, tokens, positions)[:, -1]


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
