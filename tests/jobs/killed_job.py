"""A job in a process of its own, to be killed: python killed_job.py STORE LOG.

Each completion is written to LOG before it is handed over.
"""

import os
import sys
import time
from pathlib import Path

from scripted import Scripted, passages, spec, unique

from bonito_local.backends.base import Request
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store

LOG = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def answer(request: Request, sample: int) -> str:
    time.sleep(0.002)
    os.write(LOG, f"{request.id} {sample}\n".encode())
    return unique(request, sample)


if __name__ == "__main__":
    store = Store(Path(sys.argv[1]))
    run_job(store, Scripted(answer), spec("ynqa,qa", n=2), passages(250))
    store.close()
