"""A large index of moments: seconds to build it, milliseconds of a search, memory, and how many neighbors are missed.

    python experiments/bench/moments.py                    # a million rows of width 128
    python experiments/bench/moments.py --rows 100000

Rows lie in clusters, as states do. A query is one of the rows with noise; its true neighbors are found by comparing it
with all rows. The index is opened again in a process of its own, which tells what a search keeps in memory, and must
give the same. Results go to ``experiments/bench/results/moments.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import quantile, store  # isort: skip  # sets how threads wait, before torch is there
import numpy as np
from numpy.typing import NDArray

from gad_lightning import IndexFacts, MomentIndex

CLUSTERS, SPREAD, TOP, QUERIES = 2000, 0.7, 10, 200
KEPT = """
import json, sys
import numpy as np
from gad_lightning import MomentIndex
def megabytes(name):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines[name].split()[0]) / 1024
before = megabytes("RssAnon")
index = MomentIndex(sys.argv[1], "bench")
found = [index.nearest(query, 10) for query in np.load(sys.argv[2])]
numbers = [one.numbers.tolist() for one in found]
scores = [one.scores.tolist() for one in found]
print(json.dumps({"anonymous_mb": megabytes("RssAnon") - before, "numbers": numbers, "scores": scores}))
"""
"""What another process does with the folder of the index and the file of the queries."""


def made(rows: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of length 1 in clusters, (n, p), and queries near some of them, (q, p)."""
    random = np.random.default_rng(0)
    centers = random.standard_normal((CLUSTERS, width), dtype=np.float32)
    found = centers[random.integers(CLUSTERS, size=rows)]
    found += SPREAD * random.standard_normal((rows, width), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    noise = 0.02 * random.standard_normal((QUERIES, width), dtype=np.float32)
    queries = found[random.integers(rows, size=QUERIES)] + noise
    return found, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def main() -> None:
    """Build, search, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=128)
    given = parser.parse_args()
    rows, queries = made(given.rows, given.width)
    moments = np.zeros(len(rows), MomentIndex.MOMENT)
    moments["start"], moments["end"], moments["unit"] = np.arange(len(rows)), np.arange(len(rows)) + 1, 1
    facts = IndexFacts("bench", "bench", "none", "states", 1.0, ("action",), ("video",))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        begin, busy = time.perf_counter(), time.process_time()
        index = MomentIndex.build(home / "index", rows, moments, facts)
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        waits, numbers, scores, hits = [], [], [], 0
        for query in queries:
            begin = time.perf_counter()
            found = index.nearest(query, TOP)
            waits.append(time.perf_counter() - begin)
            numbers.append(found.numbers.tolist())
            scores.append(found.scores.tolist())
        for query, near in zip(queries[:50], numbers, strict=False):
            hits += len(set(near) & set(np.argpartition(-(rows @ query), TOP)[:TOP].tolist()))
        np.save(home / "queries.npy", queries)
        arguments = [sys.executable, "-c", KEPT, str(home / "index"), str(home / "queries.npy")]
        other = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
        size = sum(path.stat().st_size for path in (home / "index").iterdir()) / 2**20
    result = {
        "rows": given.rows,
        "width": given.width,
        "build_seconds": round(seconds, 1),
        "build_cpu_seconds": round(busy, 1),
        "search_ms": {str(share): round(quantile(waits, share), 2) for share in (0.5, 0.9, 0.99)},
        "found_of_ten": round(hits / (50 * TOP), 4),
        "folder_mb": round(size),
        "anonymous_mb_of_searching": round(other["anonymous_mb"]),
        "same_after_opening_again": other["numbers"] == numbers and other["scores"] == scores,
    }
    store("moments", result, Path(__file__).resolve().parent / "results")
    print(result)


if __name__ == "__main__":
    main()
