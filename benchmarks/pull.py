"""`models pull` against what it replaces: the whole checkpoint fetched, then converted.

    PYTHONPATH=tests python benchmarks/pull.py [--layers 6] [--rounds 2]

A hub on this machine serves a Mistral-shaped checkpoint with random weights, in shards of 100 MB.
The peer is `huggingface_hub.snapshot_download` and then `bonito-local convert`. Each pair runs one
after the other; seconds and the most that lay on the disk are printed as a table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from hub_server import HubServer, serve_hub

NAME = "someone/bench"
DOWNLOAD = (
    "import sys; from huggingface_hub import snapshot_download as fetch; "
    "fetch(sys.argv[1], local_dir=sys.argv[2])"
)


@dataclass(frozen=True)
class Run:
    """Wall seconds, and the most bytes on the disk."""

    seconds: float
    disk: int


def make(folder: Path, layers: int) -> None:
    """The checkpoint; in a process of its own, for torch leaves threads behind."""
    from tiny_checkpoint import write_checkpoint

    shape = {"width": 2048, "ffn": 5632, "heads": 16, "kv_heads": 4}
    write_checkpoint(folder, layers=layers, max_shard_size="100MB", **shape)


def on_disk(folder: Path) -> int:
    """Bytes that lie in a folder now."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # it went meanwhile
    return total


def measured(commands: list[list[str]], folder: Path, environment: dict[str, str]) -> Run:
    """Run the commands one after another while somebody watches the folder."""
    most, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, on_disk(folder))

    watcher = threading.Thread(target=watch)
    start = time.perf_counter()
    watcher.start()
    for command in commands:
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    return Run(seconds, most)


def main() -> None:
    """Make the checkpoint, serve it, measure the pairs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pull-") as temporary:
        root = Path(temporary)
        making = multiprocessing.get_context("spawn").Process(
            target=make, args=(root / "bench", args.layers)
        )
        making.start()
        making.join()
        print(f"checkpoint: {on_disk(root / 'bench') / 1e9:.2f} GB")
        print("| pair | way | seconds | most on the disk, GB |")
        print("|---|---|---|---|")
        with serve_hub(HubServer({NAME: root / "bench"})) as hub:
            cli = [sys.executable, "-m", "bonito_local"]
            for pair in range(1, args.rounds + 1):
                runs = []
                for way in ("snapshot_download, convert", "models pull"):
                    work = root / "work"
                    environment = {
                        **os.environ,
                        "HF_ENDPOINT": hub.url,
                        "HF_HUB_OFFLINE": "0",
                        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                        "BONITO_LOCAL_MODELS": str(work),
                    }
                    if way == "models pull":
                        commands = [[*cli, "models", "pull", NAME, "--quant", "Q4_K_M"]]
                    else:
                        source, out = str(work / "source"), str(work / "bench.gguf")
                        commands = [
                            [sys.executable, "-c", DOWNLOAD, NAME, source],
                            [*cli, "convert", source, "-o", out, "--quant", "Q4_K_M"],
                        ]
                    work.mkdir()
                    run = measured(commands, work, environment)
                    shutil.rmtree(work)
                    runs.append(run)
                    figures = f"{run.seconds:.1f} | {run.disk / 1e9:.2f}"
                    print(f"| {pair} | {way} | {figures} |", flush=True)
                theirs, ours = runs
                time_ratio, disk_ratio = ours.seconds / theirs.seconds, ours.disk / theirs.disk
                print(f"| {pair} | ratio | {time_ratio:.2f} | {disk_ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
