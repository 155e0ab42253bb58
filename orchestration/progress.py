"""A Dagster logger for people who wait: one line on stderr for each step, check and message."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import dagster as dg

_LOGGER = "foundry.progress"


class _Steps(logging.Handler):
    """Tells when a step starts, how long it took, what it logged, which checks failed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)  # Dagster logs the events of steps as debug messages
        self._started: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        line = None
        if event is not None:
            line = self._event(event)
        elif record.levelno >= logging.INFO:
            message = str(meta.get("orig_message") or record.getMessage())
            # What follows from a failed step is not worth a line a step.
            line = None if message.startswith("Dependencies for step") else f"    {message}"
        if line:
            print(line, file=sys.stderr, flush=True)

    def _event(self, event: Any) -> str | None:
        step, kind = event.step_key or "", event.event_type
        if kind is dg.DagsterEventType.STEP_START:
            self._started[step] = time.monotonic()
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            seconds = time.monotonic() - self._started.get(step, time.monotonic())
            return f"  {step}: {seconds:.1f} s"
        elif kind is dg.DagsterEventType.STEP_FAILURE:
            return f"  {step} FAILED: {_cause(event)}"
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            checked = event.asset_check_evaluation_data
            if not checked.passed:
                return (
                    f"    CHECK FAILED: {checked.asset_key.to_user_string()} {checked.check_name}"
                )
        return None


def _cause(event: Any) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    message = error.message if error is not None else event.message
    return " ".join(str(message).split())


@dg.logger({}, "One line a step, on stderr.")
def progress_logger(init_context: dg.InitLoggerContext) -> logging.Logger:  # noqa: ARG001
    """Ignores the messages that Dagster writes for machines."""
    logger = logging.Logger(_LOGGER, logging.DEBUG)
    logger.addHandler(_Steps())
    return logger
