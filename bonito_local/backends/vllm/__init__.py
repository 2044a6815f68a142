"""vLLM: a checkpoint folder on one or several GPUs, or on the CPU."""
