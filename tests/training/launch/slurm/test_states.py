from __future__ import annotations

import re

import pytest

from training.launch.slurm import State
from training.launch.slurm.client import parse_pairs
from training.launch.slurm.states import interpret

OOM_LOG = "slurmstepd-n1: error: Detected 1 oom-kill event(s) in StepId=2.0."


@pytest.mark.parametrize(
    ("word", "code", "log", "state", "retryable", "says"),
    [
        ("PENDING", "0:0", "", State.PENDING, False, "waiting in the queue"),
        ("COMPLETING", "0:0", "", State.RUNNING, False, "running"),
        ("COMPLETED", "0:0", "", State.COMPLETED, False, "completed"),
        ("FAILED", "7:0", "ValueError: no\n", State.FAILED, False, "exit code 7 on n1; the log"),
        ("FAILED", "0:11", "", State.FAILED, False, "signal 11"),
        ("FAILED", "75:0", "", State.INTERRUPTED, True, "submit again"),
        ("FAILED", "1:0", OOM_LOG, State.OUT_OF_MEMORY, False, r"asked for 2G\); raise slurm.mem"),
        ("OUT_OF_MEMORY", "0:125", "", State.OUT_OF_MEMORY, False, "out of memory on n1"),
        ("TIMEOUT", "0:0", "", State.TIMEOUT, False, "raise slurm.time_limit"),
        ("CANCELLED by 0", "0:15", "", State.CANCELLED, False, "cancelled on n1"),
        ("NODE_FAIL", "0:0", "", State.NODE_FAIL, True, "a node failed on n1"),
        ("PREEMPTED", "0:0", "", State.PREEMPTED, True, "preempted"),
        ("", "0:0", "", State.UNKNOWN, False, "knows nothing"),
    ],
)
def test_each_state_has_its_cause_and_remedy(
    word: str, code: str, log: str, state: State, retryable: bool, says: str
) -> None:
    found = interpret(word, code, "None", "n1", log, memory="2G")
    assert (found.state, found.retryable) == (state, retryable)
    assert found.ended == (state not in (State.PENDING, State.RUNNING))
    assert re.search(says, found.message), found.message


def test_scontrol_pairs_may_hold_spaces() -> None:
    line = "JobId=3 JobName=a b Comment=k/1 ReqNodeList=(null) Command=/x y/z.sh ExitCode=0:0"
    assert parse_pairs(line) == {
        "JobId": "3",
        "JobName": "a b",
        "Comment": "k/1",
        "ReqNodeList": "(null)",
        "Command": "/x y/z.sh",
        "ExitCode": "0:0",
    }
