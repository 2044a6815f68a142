"""What a quantization may cost before `verify` fails, by type.

`kl` is the mean Kullback-Leibler divergence in nats per token from the reference, `top1` the
least share of tokens whose first choice is the reference's. About four times what llama.cpp's
`llama-perplexity --kl-divergence` reports for Llama-3-8B (its quantize README), as small models
lose more: what fails here is broken, not merely small.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """Most divergence, and least agreement."""

    kl: float
    top1: float


THRESHOLDS = {
    "F32": Threshold(0.001, 0.99),
    "F16": Threshold(0.002, 0.98),
    "BF16": Threshold(0.01, 0.96),
    "Q8_0": Threshold(0.01, 0.95),
    "Q6_K": Threshold(0.03, 0.93),
    "Q5_K_M": Threshold(0.06, 0.91),
    "Q5_K_S": Threshold(0.08, 0.90),
    "Q5_1": Threshold(0.08, 0.90),
    "Q5_0": Threshold(0.10, 0.89),
    "Q4_K_M": Threshold(0.15, 0.86),
    "Q4_K_S": Threshold(0.20, 0.84),
    "Q4_1": Threshold(0.30, 0.80),
    "Q4_0": Threshold(0.30, 0.80),
    "IQ4_NL": Threshold(0.20, 0.84),
    "IQ4_XS": Threshold(0.20, 0.84),
    "Q3_K_L": Threshold(0.40, 0.78),
    "Q3_K_M": Threshold(0.45, 0.76),
    "Q3_K_S": Threshold(0.80, 0.70),
    "Q2_K": Threshold(1.50, 0.60),
    "Q2_K_S": Threshold(1.80, 0.55),
}
MOST_LOST_ROWS = 0.1
"""How much lower the parse rate may be than the reference's."""
