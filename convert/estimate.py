"""How long a conversion will take here, measured on a few rows of each type."""

from __future__ import annotations

import os
from time import perf_counter

import numpy as np

from bonito_local.convert import ggml
from bonito_local.convert.plan import Plan

_SAMPLE = 1 << 17
_MERGE_FLOPS = 2e10  # float32 operations a core does in a second, at least


def estimate_seconds(plan: Plan) -> float:
    """Estimate a plan's time from ggml's speed on this machine, for all cores together."""
    kinds = {tensor.kind for tensor in plan.tensors}
    ggml.prepare(kinds)
    values = np.random.default_rng(0).standard_normal((_SAMPLE // 256, 256), dtype=np.float32)
    cost = {}
    for kind in kinds:
        out = np.empty(4 * _SAMPLE, np.uint8)
        start = perf_counter()
        ggml.quantize(kind, values, out)
        cost[kind] = (perf_counter() - start) / _SAMPLE
    total = 0.0
    for tensor in plan.tensors:
        elements = tensor.rows * tensor.columns
        total += elements * cost[tensor.kind]
        ranks = sum(update.a.shape[0] for update in tensor.updates)
        total += 2 * elements * ranks / _MERGE_FLOPS
    return total / (os.cpu_count() or 1)
