"""What an engine of a cluster is given: requests as they arrive, without an end that lasts."""

from __future__ import annotations

from bonito_local.backends.base import Request, Sampling
from bonito_local.backends.cluster.actor import _COMING_SECONDS, _Arriving


def request(name: str) -> Request:
    return Request(name, "prompt", Sampling(), ())


def test_what_comes_after_the_end_is_given_too() -> None:
    queue: list[Request | None] = [request("b"), None, request("c"), request("d"), None]
    waited: list[float] = []

    def following(seconds: float) -> Request | None:
        waited.append(seconds)
        return queue.pop(0)

    arriving = _Arriving(request("a"), following)
    assert [found.id for found in arriving] == ["a", "b"]
    assert [found.id for found in arriving] == ["c", "d"]
    # It waits for what was fed together, and then never holds up what is being drawn.
    assert waited == [_COMING_SECONDS, _COMING_SECONDS, 0.0, 0.0, 0.0]
