"""A job in a process of its own that gets more rows: python growing_job.py OUTPUT COUNT.

It begins to write when it is told to, and ends with its input.
"""

import sys
from pathlib import Path

from app_jobs import answer
from scripted import Scripted, passages, spec

from bonito_local.jobs.folder import open_job
from bonito_local.jobs.runner import run_job

if __name__ == "__main__":
    with open_job(Path(sys.argv[1])) as store:
        run = store.begin_run("scripted", False)
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        sys.stdin.readline()
        run_job(store, Scripted(answer), spec("exqa"), passages(int(sys.argv[2])))
        sys.stdin.read()
        store.end_run(run, "finished")
