"""A training run: Q-LoRA on a frozen NF4 base, from a config to an adapter.

The paper's recipe (arXiv 2402.18334): loss on the output tokens only, paged AdamW in 32 bit, a
learning rate that falls linearly to zero, 16 rows a step in batches grouped by length. What is
computed is what transformers' Trainer computes with these settings, up to rounding; rows lie side
by side instead of being padded, rows with one prompt may share it, the head sees only positions
that are trained on, and adapters have float32 masters.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.transformers.texts import Texts
from bonito_local.errors import TrainingError
from bonito_local.training import checkpoint
from bonito_local.training.attention import Masks
from bonito_local.training.compute import Compute, choose_compute
from bonito_local.training.config import TrainConfig
from bonito_local.training.loss import output_loss
from bonito_local.training.model import load, save_adapter, trained
from bonito_local.training.order import Order, passes, share
from bonito_local.training.packing import Pack, pack
from bonito_local.training.plan import Way, advice, choose, room_of, shape_of
from bonito_local.training.processes import Processes, join
from bonito_local.training.record import Record, begin
from bonito_local.training.rows import find_data, read_pairs
from bonito_local.training.tokens import Counts, Limits, Tokens, open_tokens, tokenize
from bonito_local.training.watch import EVERY, Log, Watch

TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; `seconds_left` is None until the first step is done.

    `note` says what a person may want to know of the phase.
    """

    phase: str
    step: int = 0
    steps: int = 0
    loss: float = 0.0
    tokens_per_second: float = 0.0
    seconds_left: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run ended: after so many of its steps, which are all unless it was stopped."""

    output: Path
    counts: Counts
    step: int
    steps: int
    loss: float
    tokens_per_second: float
    compute: Compute

    @property
    def complete(self) -> bool:
        """Whether it is at its end."""
        return self.step == self.steps


def train(
    config: TrainConfig,
    processes: Processes | None = None,
    *,
    notify: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, and save the adapter with its config, data hash and log in `config.output`.

    Goes on from the checkpoint in `config.output` when there is one. `stop` is asked after
    each step; the run then leaves a checkpoint.

    Raises:
        TrainingError: no row is left, the output holds another run, the adapter belongs to
            another base, memory ran out, or the loss ran away. The last checkpoint is kept.
        ConvertError: the base is not one that could be converted afterwards.
    """
    processes = processes or join()
    notify(Progress("reading"))
    data = find_data(config.data)
    record = begin(config, data, processes)
    if record.done:
        ended = (record.counts, record.steps, record.steps, record.loss, 0.0)
        return Trained(config.output, *ended, record.compute or Compute())
    tokens = _tokens(config, data, record, processes)
    steps = config.steps_for(tokens.counts.rows)
    # A run that goes on keeps its format, and so its bits.
    compute = record.compute or choose_compute(shape_of(config.base), processes)
    way = _way(config, record, processes, compute)
    record = record.settle(tokens.counts, steps, way, compute)
    if processes.first:
        record.write(config.output)
    notify(Progress("loading", 0, steps, note=f"computes in {compute}"))
    with _memory(config, way):
        run = _Run(config, processes, tokens, steps, way, compute)
        return run.finish(record, notify, stop)


class _Run:
    """A model under training."""

    def __init__(
        self,
        config: TrainConfig,
        processes: Processes,
        tokens: Tokens,
        steps: int,
        way: Way,
        compute: Compute,
    ) -> None:
        self._config, self._processes, self._tokens = config, processes, tokens
        self._steps, self._compute = steps, compute
        self._lengths = tokens.lengths
        self._order = Order(self._lengths, config.batch, config.seed, tokens.rows)
        self._model = load(
            config,
            processes.device,
            way.weights,
            way.checkpointing,
            sharded=config.shard and processes.count > 1,
            dtype=compute.dtype,
        )
        self._named = dict(trained(self._model))
        masters = {name: p.detach().float().clone() for name, p in self._named.items()}
        for master in masters.values():
            master.grad = torch.zeros_like(master)
        optimizer = checkpoint.paged_adamw(list(masters.values()), config.learning_rate)
        self._state = checkpoint.State(masters, optimizer, 0, {})
        if checkpoint.resume(self._state, config.output):
            self._publish()
        self._watch = Watch(self._state.watch)
        self._speed = 0.0

    def finish(
        self, record: Record, notify: Callable[[Progress], None], stop: Callable[[], bool]
    ) -> Trained:
        """Take all steps that are left, or those until the user wants no more."""
        config, state, first = self._config, self._state, self._processes.first
        log = Log(config.output, state.step) if first else None
        begun, begun_at, tokens_before = time.monotonic(), state.step, self._watch.tokens
        saved = state.step
        stopped = False
        while state.step < self._steps and not stopped:
            loss, norm, stopped = self._step(stop)
            self._watch.add(state.step, loss, self._order_tokens(state.step - 1))
            seconds = time.monotonic() - begun
            self._speed = (self._watch.tokens - tokens_before) / seconds
            last = stopped or state.step == self._steps
            if log and (state.step % EVERY == 0 or last):
                log.write(
                    {
                        "step": state.step,
                        "loss": round(self._watch.mean(), 5),
                        "learning_rate": self._rate(state.step - 1),
                        "grad_norm": round(norm, 5),
                        "tokens": self._watch.tokens,
                        "tokens_per_second": round(self._speed),
                    }
                )
            left = seconds / (state.step - begun_at) * (self._steps - state.step)
            notify(
                Progress("training", state.step, self._steps, self._watch.loss, self._speed, left)
            )
            if log and (last or state.step - saved >= config.save_every):
                self._save(log)
                saved = state.step
        if first and state.step == self._steps:
            record.end(self._watch.loss).write(config.output)
            # They hold the user's text, or are of no more use.
            (config.output / checkpoint.NAME).unlink(missing_ok=True)
            shutil.rmtree(config.output / TOKENS, ignore_errors=True)
        self._processes.wait()
        return Trained(
            config.output,
            self._tokens.counts,
            state.step,
            self._steps,
            self._watch.loss,
            self._speed,
            self._compute,
        )

    def _step(self, stop: Callable[[], bool]) -> tuple[float, float, bool]:
        """One optimizer step; returns loss, gradient norm, and whether any process is to stop."""
        state, config = self._state, self._config
        groups = self._order.groups(state.step)
        scale = 1 / sum(self._tokens.group(group).trained for group in groups)
        numbers = torch.zeros(2, device=self._processes.device)
        for some, counted in self._passes(groups):
            batch = pack([self._tokens.group(at) for at in some], self._processes.device)
            numbers[0] += self._backward(batch, scale * counted)
        numbers[1] = float(stop())
        gradients = [master.grad for master in state.masters.values() if master.grad is not None]
        self._processes.sum([*gradients, numbers])
        norm = torch.nn.utils.clip_grad_norm_(state.masters.values(), config.max_grad_norm)
        state.optimizer.param_groups[0]["lr"] = self._rate(state.step)
        state.optimizer.step()
        for gradient in gradients:
            gradient.zero_()
        self._publish()
        state.step += 1
        loss, stopped = numbers.tolist()
        return loss, float(norm), stopped > 0

    def _passes(self, groups: list[int]) -> Iterator[tuple[list[int], bool]]:
        """Yield this device's passes of a step; where layers are spread, as many on every device.

        A pass that is there for the others' sake counts for nothing.
        """
        count, most = self._processes.count, self._config.micro_tokens
        mine = [
            passes(share(groups, self._lengths, count, which), self._lengths, most)
            for which in (range(count) if self._config.shard else [self._processes.rank])
        ]
        own = mine[self._processes.rank] if self._config.shard else mine[0]
        yield from ((some, True) for some in own)
        for _ in range(max(map(len, mine)) - len(own)):
            yield groups[:1], False

    def _backward(self, batch: Pack, scale: float) -> torch.Tensor:
        """Add a pass's gradients to the masters'; returns its share of the loss."""
        body = self._model.get_base_model()
        masks = None
        if batch.segments is not None:
            masks = Masks(batch.runs, batch.segments, batch.places)
        states = body.model(
            input_ids=batch.ids,
            position_ids=batch.places,
            runs=batch.runs,
            masks=masks,
            use_cache=False,
        ).last_hidden_state
        picked = states[0].index_select(0, batch.positions)
        loss = output_loss(picked, body.lm_head.weight, batch.labels, scale)
        loss.backward()
        for name, parameter in self._named.items():
            gradient = self._state.masters[name].grad
            if parameter.grad is not None and gradient is not None:
                gradient += parameter.grad
            parameter.grad = None
        return loss.detach()

    def _rate(self, step: int) -> float:
        return self._config.learning_rate * (1 - step / self._steps)

    def _order_tokens(self, step: int) -> int:
        return int(self._lengths[self._order.groups(step)].sum())

    def _publish(self) -> None:
        for name, parameter in self._named.items():
            parameter.data.copy_(self._state.masters[name])

    def _save(self, log: Log) -> None:
        self._state.watch = self._watch.state
        save_adapter(self._model, self._config.output)
        log.plot()
        checkpoint.save(self._state, self._config.output)


def _tokens(
    config: TrainConfig, data: Sequence[Path], record: Record, processes: Processes
) -> Tokens:
    """The rows as tokens: the first process makes them, the others look."""
    folder = config.output / TOKENS
    limits = Limits(config.input_tokens, config.output_tokens)
    if processes.first:
        texts = Texts(config.base)
        pairs = read_pairs(data, config.kind)
        most = config.micro_tokens if config.share_prompts else 0
        tokens = tokenize(pairs, texts, limits, folder, record.tokens_key, most)
        processes.wait()
        return tokens
    processes.wait()
    other = open_tokens(folder, record.tokens_key)
    if other is None:
        raise TrainingError(
            f"{folder} is not seen by every process.", "Put `output` where all can read it."
        )
    return other


def _way(config: TrainConfig, record: Record, processes: Processes, compute: Compute) -> Way:
    """How weights and activations are held; a run that goes on keeps its way, and so its bits."""
    if record.weights and config.weights == "auto":
        config = replace(config, weights=record.weights)
    if record.weights and config.gradient_checkpointing == "auto":
        config = replace(config, gradient_checkpointing="on" if record.checkpointing else "off")
    if processes.device == "cpu":
        room = 0.8 * available_memory() / processes.count
    else:
        room = room_of(torch.cuda.mem_get_info()[1])
    return choose(shape_of(config.base), config, room, processes.count, compute.bytes)


@contextmanager
def _memory(config: TrainConfig, way: Way) -> Iterator[None]:
    """Say what to lower, where memory runs out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(config, way) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise _out_of_memory(config, way) from error
        raise


def _out_of_memory(config: TrainConfig, way: Way) -> TrainingError:
    return TrainingError(
        "Memory ran out while training.",
        f"{advice(config, way)} The same command goes on from the last checkpoint.",
    )
