"""The processes that share a run, one for each GPU, as `torchrun` starts them."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among `count`; each computes on `device` and holds the whole adapter."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this one speaks and writes for all."""
        return self.rank == 0

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace float32 tensors by their sums over all processes."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def wait(self) -> None:
        """Go on when all are here."""
        if self.count > 1:
            distributed.barrier()

    def leave(self) -> None:
        """End what connects them, once no model of this run is in use.

        Threads that connect processes and outlive the interpreter abort it as it ends. They
        last as long as something refers to the group of processes: models that are not yet
        collected, and what torch remembers of operations on sharded tensors.
        """
        if self.count > 1:
            from torch.distributed.tensor.debug import _clear_sharding_prop_cache

            distributed.barrier()
            _clear_sharding_prop_cache()
            gc.collect()
            distributed.destroy_process_group()


def join() -> Processes:
    """Find the others, as torchrun says who they are; alone, without it."""
    cuda = torch.cuda.is_available()
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes(device="cuda" if cuda else "cpu")
    device = f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu"
    if cuda:
        torch.cuda.set_device(device)
    # The others wait while the first one makes tokens of all rows.
    timeout = timedelta(hours=12)
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=timeout)
    found = Processes(distributed.get_rank(), count, device)
    # The first sum opens all connections: later none can be opened.
    found.sum([torch.zeros(1, device=device)])
    return found
