from __future__ import annotations

import os
import signal

import pytest

from training.loop.signals import listen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_remembered_and_the_handler_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with listen() as stop:
        assert not stop.everywhere(1)
        os.kill(os.getpid(), number)
        assert stop.everywhere(1)
        assert stop.signal_name == number.name
    assert signal.getsignal(number) == before
