"""Load a server on this machine: many live streams over real sockets, some clients killed, every label checked.

python experiments/serving/load.py --streams 256 --seconds 300
python experiments/serving/load.py --streams 256 --seconds 60 --crash
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from gad_lightning import Classifier, FeatureSpec, GADClassifier, TinyBackbone
from gad_lightning.schema import Windows, schema_of
from gad_lightning.serving.resuming import AsyncStream
from gad_lightning.serving.told import ServerError

FPS, WIDTH = 4.0, 96
NAMES = ["background", "cut", "stir", "pour", "wash", "wipe", "peel", "fry"]
MEMORY_SECONDS = 30.0
"""How often the server's memory is measured."""
RETRY_SECONDS = 120.0
"""For which a client waits for a server that was killed."""


def features_of(seed: int, count: int) -> np.ndarray:
    """Frames of one stream, (count, WIDTH): states that last, with noise."""
    drawn = np.random.default_rng(seed)
    states = np.repeat(drawn.standard_normal((count // 8 + 1, WIDTH)), 8, axis=0)[:count]
    return (states + 0.5 * drawn.standard_normal((count, WIDTH))).astype(np.float32)


def classifier_of(mode: str) -> Classifier:
    """An untrained classifier of the tiny shape."""
    torch.manual_seed(0)
    windows = Windows(mode="one_pass" if mode == "one_pass" else "window", short=32, chunk=128)
    schema = schema_of(NAMES, features=FeatureSpec(encoder="load", fps=FPS, width=WIDTH))._replace(windows=windows)
    return GADClassifier(schema=schema, backbone=TinyBackbone()).eval()


class Served:
    """A server in a process of its own, which can be killed and started again at the same port."""

    def __init__(self, folder: str, streams: int) -> None:
        self.command = [sys.executable, "-m", "gad_lightning", "serve", "--ckpt_path", folder, "--device", "cpu"]
        self.command += ["--streams", str(streams), "--port"]
        self.port = "0"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen([*self.command, self.port], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if "serving at" in line)
        self.url = line.split("streams at ")[1].split("/stream;")[0]
        self.port = self.url.rsplit(":", 1)[1]

    def crash(self) -> None:
        """Kill it as ``kill -9`` does, and start it again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def memory(self) -> float:
        """Resident memory in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        assert found is not None
        return int(found[1]) / 1024


class Load:
    """One client: sends frames at the rate of the stream, and keeps what it is told."""

    def __init__(self, number: int, url: str, seconds: float) -> None:
        self.frames = features_of(number, int(seconds * FPS))
        start = {"kind": "features", "fps": FPS}
        self.stream = AsyncStream(url, "", start, RETRY_SECONDS)
        self.labels: dict[int, str] = {}
        self.begun: list[int] = []  # frames with which a server that knew nothing began
        self.latency: list[float] = []
        self.times: dict[int, float] = {}
        self.why, self.complete, self.killed = "", False, False

    async def run(self, wait: float) -> None:
        """Send all frames; a killed client stops where it is."""
        await asyncio.sleep(wait)
        reader = None
        try:
            await self.open()
            reader = asyncio.create_task(self.read())
            began = time.perf_counter()
            for number, frame in enumerate(self.frames):
                await asyncio.sleep(max(0, began + number / FPS - time.perf_counter()))
                self.times[number] = time.perf_counter()
                await self.stream.send(frame)
            await self.stream.finish()
            await reader
            self.complete = True
        except (ServerError, OSError) as error:
            self.why = str(error)
        finally:
            if reader is not None:
                reader.cancel()

    async def open(self) -> None:
        """Connect; if the server is not there, again and again."""
        until = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                await self.stream.__aenter__()
                return
            except ServerError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(1)

    async def read(self) -> None:
        """Take labels until the stream has ended."""
        async for told in self.stream:
            if told.restarted:
                self.begun.append(told.frame)
            if told.frame in self.labels:
                raise ServerError(f"Frame {told.frame} was labeled twice.", "")
            self.labels[told.frame] = told.label
            self.latency.append(time.perf_counter() - self.times.pop(told.frame))

    def exact(self) -> bool:
        """Whether the frames without a label are as many as the client was told that were lost."""
        return len(self.frames) - len(self.labels) == self.stream.dropped

    def wrong(self, classifier: Classifier) -> list[float]:
        """Of labels that offline prediction of the accepted frames does not give: how much likelier its own is."""
        gaps, edges = [], [0, *self.begun, len(self.frames)]
        for first, end in pairwise(edges):
            kept = [number for number in sorted(self.labels) if first <= number < end]
            if kept:
                offline = classifier.detect(self.frames[kept], batch_size=64)
                for number, label, scores in zip(kept, offline.labels, offline.probabilities, strict=True):
                    told = self.labels[number]
                    gaps += [] if told == label else [float(scores.max() - scores[NAMES.index(told)])]
        return gaps


async def load(served: Served, streams: int, seconds: float, killed: float, crash: bool) -> list[Load]:
    """Run all clients, kill some at random and put new ones in their place; kill the server too if so asked."""
    random.seed(0)
    clients = [Load(number, served.url, seconds) for number in range(streams)]
    tasks = [asyncio.create_task(client.run(random.random() / FPS * 8)) for client in clients]
    watch = asyncio.create_task(watch_memory(served))
    fall = asyncio.create_task(crash_at(served, seconds / 2)) if crash else None
    for number in random.sample(range(streams), round(killed * streams)):
        await asyncio.sleep(0.7 * seconds / max(1, killed * streams))
        if (socket := clients[number].stream.socket) is not None:
            tasks[number].cancel()
            socket.transport.abort()
            clients[number].killed = True
            new = Load(len(clients), served.url, seconds / 4)
            clients.append(new)
            tasks.append(asyncio.create_task(new.run(1.0)))
    await asyncio.gather(*tasks, return_exceptions=True)
    if fall is not None:
        await fall
    print(f"at the end: {served.memory():.1f} MB", flush=True)
    watch.cancel()
    return clients


async def watch_memory(served: Served) -> None:
    """Print the server's memory from time to time."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(MEMORY_SECONDS)
        print(f"after {time.monotonic() - began:.0f} s: {served.memory():.1f} MB", flush=True)


async def crash_at(served: Served, seconds: float) -> None:
    """Kill the server after a while; the clients go on meanwhile."""
    await asyncio.sleep(seconds)
    print("kill -9", flush=True)
    await asyncio.to_thread(served.crash)
    print("the server is there again", flush=True)


def figures_of(clients: list[Load], classifier: Classifier) -> dict[str, object]:
    """What came of it."""
    whole = [client for client in clients if client.complete]
    latency = np.array([value for client in clients for value in client.latency])
    began = time.perf_counter()
    wrong = [gap for client in clients for gap in client.wrong(classifier)]
    return {
        "clients": len(clients),
        "killed": sum(client.killed for client in clients),
        "failed": sorted({client.why for client in clients if not client.complete and not client.killed}),
        "begun anew by the server": sum(len(client.begun) for client in clients),
        "frames sent": sum(client.stream.sent for client in clients),
        "frames labeled": len(latency),
        "frames lost": sum(client.stream.dropped for client in whole),
        "clients whose lost frames are not told exactly": sum(not client.exact() for client in whole),
        "labels that differ from offline": len(wrong),
        "offline, how much likelier the other label was at most": max(wrong, default=0.0),
        "s for the comparison": round(time.perf_counter() - began, 1),
        "latency ms, median, p99, worst": [round(1000 * float(np.quantile(latency, q)), 1) for q in (0.5, 0.99, 1)],
    }


def main() -> None:
    """Save a classifier, serve it, load it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--killed", type=float, default=0.2, help="share of the clients that are killed")
    parser.add_argument("--mode", choices=["one_pass", "window"], default="one_pass")
    parser.add_argument("--crash", action="store_true", help="kill -9 of the server in the middle")
    chosen = parser.parse_args()
    classifier = classifier_of(chosen.mode)
    with tempfile.TemporaryDirectory() as folder:
        classifier.save_pretrained(folder)
        served = Served(folder, chosen.streams)
        try:
            clients = asyncio.run(load(served, chosen.streams, chosen.seconds, chosen.killed, chosen.crash))
        finally:
            served.process.terminate()
            served.process.wait()
    for name, value in figures_of(clients, classifier).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
