"""Signals: a request first, an interrupt where that is safe or asked for twice."""

import signal

import pytest

from bonito_local.jobs.signals import StopSignals


def test_the_first_signal_does_not_cut_a_callback() -> None:
    """While a model loads, llama.cpp calls into Python, where an exception would be lost."""
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_where_it_may_a_signal_interrupts_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        signals.interrupts = True
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert signals.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
