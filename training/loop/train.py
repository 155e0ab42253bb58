"""A run from its folder: build or resume, step, evaluate, checkpoint, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from schemas.errors import InputError, StepError
from training.data import TrainSampler, ValidationSet, open_blend, unigram_entropy
from training.loop.batches import train_batches
from training.loop.checkpoint import Checkpoints, Progress
from training.loop.schedule import learning_rate
from training.loop.signals import StopRequest
from training.loop.step import Trainer
from training.metrics import JsonLinesWriter
from training.model.parallel import Ranks
from training.run_folder import RunConfig, RunFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How an attempt ended; `result.json` holds the same, `status` "completed" or "interrupted".

    Losses and entropy are in nats a token; `tokens_per_second` is over this attempt's steps,
    evaluation and checkpoints not counted.
    """

    status: str
    iteration: int
    steps: int
    loss: float | None
    validation_loss: float | None
    unigram_entropy: float
    consumed_tokens: int
    tokens_per_second: float
    seconds: float
    parameters: int
    checkpoint: str | None
    attempt: int
    signal: str | None = None


class _Run:
    """The state of one attempt in one process."""

    def __init__(self, folder: RunFolder, attempt: int, ranks: Ranks, stop: StopRequest) -> None:
        self.folder, self.attempt, self.ranks, self.stop = folder, attempt, ranks, stop
        self.config: RunConfig = folder.config()
        self.recipe = self.config.recipe
        blend = open_blend(folder.blend_path)
        data, seq_length = self.recipe.data, self.recipe.model.seq_length
        self.sampler = TrainSampler(blend, seq_length, data.seed, data.validation_fraction)
        self.validation = ValidationSet(
            blend, seq_length, data.validation_fraction, data.validation_samples
        )
        vocabulary = blend.manifest.vocabulary_size
        self.entropy = unigram_entropy(
            self.sampler.streams, self.sampler.weights, vocabulary, data.entropy_max_tokens
        )
        self.trainer = Trainer(self.recipe, vocabulary, ranks)
        self.checkpoints = Checkpoints(folder.checkpoints, self.recipe.loop.keep_checkpoints)
        self.progress = Progress(
            iteration=0,
            consumed_tokens=0,
            run_key=self.config.key,
            vocabulary_hash=blend.manifest.vocabulary_hash,
        )
        self.loss: float | None = None
        self.validation_loss: float | None = None
        self.saved: str | None = None
        self.started = time.perf_counter()
        self.step_seconds = 0.0
        self.step_tokens = 0

    def train(self, metrics: JsonLinesWriter | None, samples: JsonLinesWriter) -> Outcome:
        restored = self.checkpoints.load(
            self.trainer.model, self.trainer.optimizer, expected=self.progress
        )
        if restored is not None:
            self.progress = restored
            self.saved = f"iter_{restored.iteration:07d}"
        loop = self.recipe.loop
        interrupted = False
        while self.progress.iteration < loop.steps and not interrupted:
            row = self._step(samples)
            iteration = self.progress.iteration
            if self._due(iteration, loop.eval_interval):
                self.validation_loss = self.trainer.evaluate(self.validation)
                row["validation_loss"] = self.validation_loss
            if metrics is not None and (
                iteration % loop.log_interval == 0 or "validation_loss" in row
            ):
                metrics.write(row)
            interrupted = self.stop.everywhere(self.ranks.world_size)
            if interrupted or self._due(iteration, loop.checkpoint_interval):
                self._save()
        finished = self.progress.iteration >= loop.steps
        if finished and self.validation_loss is None:  # a crash after the last checkpoint
            self.validation_loss = self.trainer.evaluate(self.validation)
        return self._outcome("completed" if finished else "interrupted")

    def _due(self, iteration: int, interval: int) -> bool:
        return iteration == self.recipe.loop.steps or bool(interval and iteration % interval == 0)

    def _step(self, samples: JsonLinesWriter) -> dict[str, Any]:
        loop, seq_length = self.recipe.loop, self.recipe.model.seq_length
        iteration = self.progress.iteration + 1
        started = time.perf_counter()
        batches = train_batches(self.sampler, iteration, loop, self.ranks)
        samples.write(
            {
                "iteration": iteration,
                "samples": [list(documents) for batch in batches for documents in batch.documents],
            }
        )
        rate = learning_rate(iteration, loop.steps, self.recipe.optimizer)
        numbers = self.trainer.step(batches, rate)
        self.loss = numbers["loss"]
        if self.loss != self.loss:
            raise StepError(
                f"iteration {iteration}: the loss is not a number; lower optimizer.lr, or look "
                f"at this step's documents in {self.folder.path / 'samples'}"
            )
        seconds = time.perf_counter() - started
        tokens = loop.global_batch * seq_length
        self.step_seconds += seconds
        self.step_tokens += tokens
        self.progress = replace(
            self.progress,
            iteration=iteration,
            consumed_tokens=self.progress.consumed_tokens + tokens,
        )
        return {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "attempt": self.attempt,
            "iteration": iteration,
            **numbers,
            "lr": rate,
            "consumed_tokens": self.progress.consumed_tokens,
            "throughput_tps": tokens / seconds,
            "step_seconds": seconds,
            "unigram_entropy": self.entropy,
        }

    def _save(self) -> None:
        self.saved = self.checkpoints.save(
            self.progress, self.trainer.model, self.trainer.optimizer
        ).name

    def _outcome(self, status: str) -> Outcome:
        return Outcome(
            status=status,
            iteration=self.progress.iteration,
            steps=self.recipe.loop.steps,
            loss=self.loss,
            validation_loss=self.validation_loss,
            unigram_entropy=self.entropy,
            consumed_tokens=self.progress.consumed_tokens,
            tokens_per_second=self.step_tokens / self.step_seconds if self.step_seconds else 0.0,
            seconds=time.perf_counter() - self.started,
            parameters=self.trainer.parameters,
            checkpoint=self.saved,
            attempt=self.attempt,
            signal=self.stop.signal_name if status == "interrupted" else None,
        )


def train(folder: RunFolder, attempt: int, ranks: Ranks, stop: StopRequest) -> Outcome:
    """Run (or go on with) the run of `folder` in this process, one of `ranks.world_size`.

    Raises `InputError` for data that does not fit, `StepError` for a diverged loss.
    """
    with ExitStack() as stack:
        samples = stack.enter_context(JsonLinesWriter(folder.samples_path(attempt, ranks.rank)))
        metrics = (
            stack.enter_context(JsonLinesWriter(folder.metrics_path)) if ranks.is_first else None
        )
        return _Run(folder, attempt, ranks, stop).train(metrics, samples)


def failure(error: Exception, attempt: int) -> Mapping[str, Any]:
    """What `result.json` says after `error`."""
    kind = "input" if isinstance(error, InputError) else "failed"
    return {
        "status": "failed",
        "attempt": attempt,
        "kind": kind,
        "error": f"{type(error).__name__}: {error}",
    }
