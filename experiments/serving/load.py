"""Load a server on this machine: many live streams over real sockets, some clients killed, every label checked.

python experiments/serving/load.py --streams 256 --seconds 300
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gad_lightning import Classifier, FeatureSpec, GADClassifier, TinyBackbone

FPS, WIDTH, CHUNK = 4.0, 96, 256
NAMES = ["background", "cut", "stir", "pour", "wash", "wipe", "peel", "fry"]


def features_of(seed: int, count: int) -> np.ndarray:
    """Frames of one stream, (count, WIDTH): states that last, with noise."""
    drawn = np.random.default_rng(seed)
    states = np.repeat(drawn.standard_normal((count // 8 + 1, WIDTH)), 8, axis=0)[:count]
    return (states + 0.5 * drawn.standard_normal((count, WIDTH))).astype(np.float32)


class Load:
    """One client: sends frames at the rate of the stream, and keeps what it is told."""

    def __init__(self, number: int, address: str, seconds: float) -> None:
        self.number, self.address = number, address
        self.frames = features_of(number, int(seconds * FPS))
        self.labels: dict[int, str] = {}
        self.lost: set[int] = set()
        self.latency: list[float] = []
        self.times: dict[int, float] = {}
        self.sent, self.why, self.complete = 0, "", False
        self.socket: ClientConnection | None = None

    async def run(self, wait: float) -> None:
        """Send all frames; a killed client stops where it is."""
        await asyncio.sleep(wait)
        try:
            async with connect(f"ws://{self.address}/stream", compression=None, open_timeout=60) as socket:
                self.socket = socket
                await socket.send(json.dumps({"type": "start", "kind": "features", "fps": FPS}))
                ready = json.loads(await socket.recv())
                assert ready["type"] == "ready", ready
                reader = asyncio.create_task(self.read(socket))
                reader.add_done_callback(lambda task: task.cancelled() or task.exception())  # a killed one's is known
                began = time.perf_counter()
                for number, frame in enumerate(self.frames):
                    await asyncio.sleep(max(0, began + number / FPS - time.perf_counter()))
                    self.times[number] = time.perf_counter()
                    await socket.send(frame.tobytes())
                    self.sent += 1
                await socket.send('{"type":"end"}')
                await reader
                self.complete = True
        except (ConnectionClosed, OSError, TimeoutError) as error:
            self.why = type(error).__name__

    async def read(self, socket: ClientConnection) -> None:
        """Take labels until the stream has ended."""
        async for text in socket:
            told: dict[str, Any] = json.loads(text)
            self.lost |= {number for first, last in told["lost"] for number in range(first, last + 1)}
            if told["type"] == "label":
                self.labels[told["frame"]] = told["label"]
                self.latency.append(time.perf_counter() - self.times.pop(told["frame"]))
            if told["type"] == "end":
                return

    def wrong(self, classifier: Classifier) -> int:
        """Labels that offline prediction of the accepted frames does not give."""
        kept = sorted(self.labels)
        if not kept:
            return 0
        offline = classifier.detect(self.frames[kept], batch_size=1).labels
        return sum(self.labels[number] != label for number, label in zip(kept, offline, strict=True))


def memory_of(process: int) -> float:
    """Resident memory in MB."""
    text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+)", text)
    assert found is not None
    return int(found[1]) / 1024


async def load(
    address: str, server: int, streams: int, seconds: float, killed: float
) -> tuple[list[Load], list[float]]:
    """Run all clients, kill some at random and put new ones in their place; gives them and the memory over time."""
    random.seed(0)
    clients = [Load(number, address, seconds) for number in range(streams)]
    tasks = [asyncio.create_task(client.run(random.random() / FPS * 8)) for client in clients]
    memory = []
    for number in random.sample(range(streams), round(killed * streams)):
        await asyncio.sleep(0.7 * seconds / max(1, killed * streams))
        memory.append(memory_of(server))
        if (socket := clients[number].socket) is not None:
            socket.transport.abort()
            new = Load(len(clients), address, seconds / 4)
            clients.append(new)
            tasks.append(asyncio.create_task(new.run(1.0)))
    await asyncio.gather(*tasks)
    memory.append(memory_of(server))
    return clients, memory


def figures_of(clients: list[Load], memory: list[float], classifier: Classifier) -> dict[str, object]:
    """What came of it."""
    whole = [client for client in clients if client.complete]
    latency = np.array([value for client in clients for value in client.latency])
    exact = all(set(each.labels) | each.lost == set(range(each.sent)) for each in whole)
    return {
        "clients": len(clients),
        "killed": sum(bool(client.why) for client in clients),
        "frames sent": sum(client.sent for client in clients),
        "frames labeled": len(latency),
        "frames lost, told exactly": sum(len(client.lost) for client in whole) if exact else "NOT EXACT",
        "labels that differ from offline": sum(client.wrong(classifier) for client in clients),
        "latency ms, median, p99, worst": [round(1000 * float(np.quantile(latency, q)), 1) for q in (0.5, 0.99, 1)],
        "memory MB, first, last": [round(memory[min(2, len(memory) - 1)], 1), round(memory[-1], 1)],
    }


def main() -> None:
    """Save a classifier, serve it, load it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--killed", type=float, default=0.2)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    spec = FeatureSpec(encoder="load", fps=FPS, width=WIDTH)
    classifier = GADClassifier(class_names=NAMES, backbone=TinyBackbone(), features=spec).eval()
    with tempfile.TemporaryDirectory() as folder:
        classifier.save_pretrained(folder)
        command = [sys.executable, "-m", "gad_lightning", "serve", "--ckpt_path", folder, "--port", "0"]
        command += ["--streams", str(chosen.streams), "--device", "cpu"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            line = next(line for line in server.stdout if "serving at" in line)
            address = line.split("http://")[1].split(",")[0]
            try:
                found = load(address, server.pid, chosen.streams, chosen.seconds, chosen.killed)
                clients, memory = asyncio.run(found)
            finally:
                server.terminate()
    for name, value in figures_of(clients, memory, classifier).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
