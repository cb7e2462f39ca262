"""The configs of the runs: where they differ, and each as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

import yaml

from gad_lightning.environment import stored
from gad_lightning.redact import redact
from gad_lightning.report.figures import section
from gad_lightning.report.markup import table, tag
from gad_lightning.report.runs import RunTraces


def configs(runs: Sequence[RunTraces]) -> Element | None:
    """What differs between the configs, and the whole of each; passwords and keys struck out."""
    with_one = [run for run in runs if run.config]
    if not with_one:
        return None
    rows = [[path, *values] for path, values in _differences(with_one)]
    parts = [table(["setting", *(run.name for run in with_one)], rows)] if rows else []
    for run in with_one:
        for kind, where in run.trackers.items():
            place = tag("a", where, href=where) if where.startswith(("http://", "https://")) else tag("code", where)
            parts.append(tag("p", f"{run.name} is in {kind} at ", place))
        text = yaml.safe_dump(stored(run.config), sort_keys=False, allow_unicode=True)
        parts.append(tag("details", tag("summary", f"config.yaml of {run.name}"), tag("pre", redact(text))))
    return section("Config", *parts)


def _differences(runs: Sequence[RunTraces]) -> list[tuple[str, list[str]]]:
    """Settings that are not the same in all runs: dotted path, and the value in each."""
    tables = [dict(_leaves(stored(run.config))) for run in runs]
    paths = list(dict.fromkeys(path for table_ in tables for path in table_))
    rows = [(path, [redact(table_.get(path, "-")) for table_ in tables]) for path in paths]
    return [(path, values) for path, values in rows if len(set(values)) > 1]


def _leaves(settings: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted paths and values of a nested config.

    Example:
        >>> list(_leaves({"a": {"b": 1}, "c": [1, 2]}))
        [('a.b', '1'), ('c', '[1, 2]')]
    """
    if isinstance(settings, dict) and settings:
        for name, value in settings.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, str(settings)
