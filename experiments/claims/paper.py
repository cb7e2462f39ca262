"""The paper's headline averages, computed again from its tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent


class Headline(NamedTuple):
    """A figure of the abstract and what the tables give for it."""

    says: str
    stated: float
    reading: str  # what was computed
    found: float | None  # None: the tables at hand do not have the figures

    @property
    def verdict(self) -> str:
        """Whether it is the same to the digits stated."""
        if self.found is None:
            return "cannot be recomputed: the figures are not at hand"
        return (
            "matches" if abs(self.found - self.stated) < 0.0501 else f"**mismatch** ({self.found - self.stated:+.2f})"
        )


def mean(values: list[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


def gain(tables: dict[str, Any], data: str, first: str, second: str) -> float:
    """Mean over S-F1 and P-F1 of one method minus another."""
    pair = zip(tables["online"][data][first], tables["online"][data][second], strict=True)
    return mean([ours - theirs for ours, theirs in pair])


def headlines() -> list[Headline]:
    """All of them, every reading that the tables allow."""
    tables = tomllib.loads((HERE / "paper.toml").read_text(encoding="utf-8"))
    fps, coin = tables["fps"], tables["coin"]
    ratios = {data: row["Disc"] / row["Gen"] for data, row in fps.items()}
    f1, speed = "+6.8 % F1 on EK100 on average", "1.8x faster on EK100 on average"
    accuracy, coin_speed = "+2.5 % accuracy on COIN on average", "3x faster on COIN on average"
    found = [
        Headline(f1, 6.8, "GAD minus Gen, mean of S-F1 and P-F1", gain(tables, "EK100", "GAD", "Gen")),
        Headline(f1, 6.8, "Disc minus Gen, mean of S-F1 and P-F1", gain(tables, "EK100", "Disc", "Gen")),
        Headline(speed, 1.8, "frames a second, Disc over Gen", ratios["EK100"]),
    ]
    for first, second in (
        ("GAD, Llama-3-8B", "VideoLLM-online 8B"),
        ("GAD, Llama-3-8B", "StreamMind 8B"),
        ("GAD, Llama-3.2-1B", "VideoLLM-online 8B"),
        ("GAD, Llama-3.2-1B", "StreamMind 8B"),
    ):
        differences = [ours - theirs for ours, theirs in zip(coin[first], coin[second], strict=True)]
        found.append(Headline(accuracy, 2.5, f"{first} minus {second}, mean of the three tasks", mean(differences)))
    rivals = [mean(coin[name]) for name in ("VideoLLM-online 8B", "StreamMind 8B")]
    ahead = mean(coin["GAD, Llama-3-8B"]) - mean(rivals)
    found.append(Headline(accuracy, 2.5, "GAD, Llama-3-8B minus the mean of both 8B rivals and three tasks", ahead))
    found.append(Headline(accuracy, 2.5, "GAD minus Gen of the same model", None))
    return [*found, Headline(coin_speed, 3.0, "frames a second on COIN", None)]


def lines() -> list[str]:
    """The table."""
    rows = [
        f"| {one.says} | {one.reading} | {'' if one.found is None else f'{one.found:.2f}'} | {one.verdict} |"
        for one in headlines()
    ]
    return ["| the paper says | reading | its tables give | |", "| --- | --- | ---: | --- |", *rows]


if __name__ == "__main__":
    print("\n".join(lines()))
