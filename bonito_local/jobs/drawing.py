"""Drawing rows: the engine's completions, and the verifier's, until nothing more follows."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

from bonito_local.backends.base import Backend, Completion
from bonito_local.backends.likelihood import Scorer
from bonito_local.jobs.exchange import Exchange
from bonito_local.jobs.store import Result

_CHECKS = 64  # rows that wait for the verifier, before it is asked


def draw(backend: Backend, exchange: Exchange) -> Generator[Completion, None, None]:
    """Yield completions until nothing follows from them any more."""
    with _scorer(backend) as exchange.scorer:
        yield from _drawn(backend, exchange)


def _drawn(backend: Backend, exchange: Exchange) -> Generator[Completion, None, None]:
    while True:
        with _closing(backend.generate(exchange)) as completions:
            for completion in completions:
                yield completion
                yield from _unasked(exchange)
                if len(exchange.checks) >= _CHECKS:
                    yield from _checked(exchange)
        yield from _checked(exchange)
        yield from _unasked(exchange)
        if not exchange.following:
            return


def results(backend: Backend, exchange: Exchange) -> Generator[Result, None, None]:
    """Yield how each sample ended, once it stays so."""
    with closing(draw(backend, exchange)) as completions:
        for completion in completions:
            _, result, ended = exchange.take(completion)
            if ended:
                yield result


@contextmanager
def _scorer(backend: Backend) -> Iterator[Scorer | None]:
    """Yield what tells how likely an engine's model finds a text, while it writes, or None."""
    opened = getattr(backend, "scorer", None)
    if opened is None:
        yield None
        return
    with closing(opened()) as scorer:
        yield scorer


def _unasked(exchange: Exchange) -> Iterator[Completion]:
    while exchange.unasked:
        yield exchange.unasked.popleft()


def _checked(exchange: Exchange) -> Generator[Completion, None, None]:
    """Yield the verifier's answers to what waits for it."""
    verifier, waiting = exchange.manner.verifier, list(exchange.checks)
    if verifier and waiting:
        exchange.checks.clear()
        with _closing(verifier.backend.generate(waiting)) as completions:
            yield from completions


@contextmanager
def _closing(completions: Iterator[Completion]) -> Iterator[Iterator[Completion]]:
    """Close an engine's generator at the end: that drops what it has only begun."""
    try:
        yield completions
    finally:
        close = getattr(completions, "close", None)
        if close is not None:
            close()
