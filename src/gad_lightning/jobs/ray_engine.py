"""Units of work on a cluster of Ray: actors load what they need once, and Ray Data hands them units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gad_lightning.errors import SettingError
from gad_lightning.optional import need

WHY = "for --engine ray"


class Actor:
    """Does units in a process of the cluster.

    Args:
        make: called once; gives what does a unit.
    """

    def __init__(self, make: Callable[[], Callable[[int], object]]) -> None:
        self.do = make()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Do the unit that a row names."""
        self.do(int(row["unit"]))
        return row


def map_units(
    make: Callable[[], Callable[[int], object]], numbers: Sequence[int], actors: int, cpus: float, gpus: float
) -> None:
    """Do units on the cluster that RAY_ADDRESS names, or that runs here, or else on this machine alone.

    Units of an actor that dies are given to others; what such a unit has left unfinished is made again.

    Args:
        make: called in each actor; gives what does a unit.
        numbers: of the units.
        actors: how many processes.
        cpus: of each.
        gpus: of each, such as 0.5.

    Raises:
        SettingError: if Ray is not installed, there are no actors, or the cluster lacks what they ask for.
    """
    if actors < 1:
        raise SettingError(f"actors must be at least 1, got {actors}.", "set --actors to the processes you want")
    ray, data = (need(name, extra="ray", why=WHY) for name in ("ray", "ray.data"))
    if not numbers:
        return
    if not ray.is_initialized():
        ray.init(logging_level="warning")
    there = ray.cluster_resources()
    for name, asked in (("CPU", cpus), ("GPU", gpus)):
        if actors * asked > there.get(name, 0.0) + 1e-6:
            raise SettingError(
                f"{actors} actors of {asked:g} {name} are asked for; the cluster has {there.get(name, 0.0):g}.",
                f"lower --actors or --actor_{name.lower()}s, or add nodes to the cluster",
            )
    rows = data.from_items([{"unit": number} for number in numbers], override_num_blocks=len(numbers))
    pool = data.ActorPoolStrategy(size=actors)
    done = rows.map(Actor, fn_constructor_args=(make,), compute=pool, num_cpus=cpus, num_gpus=gpus)
    for _ in done.iter_rows():
        pass
