"""The statements whose plans make the corpus: `scenarios/*.sql`, one file a theme, each in a database of its own.

What stands before the first `-- plan:` sets the database up; `-- superuser` begins a part that its superuser runs. Then:

    -- plan: name of the scenario
    -- finds: rules that must speak, at any severity
    -- may: rules that are true as well; every other rule stays at `info` or silent
    -- tempts: rules that a careless reader would report (stated for the figures)
    -- on: 14-18, or `jit`: only a server that can compile
    -- options: EXPLAIN's, where others than the usual are meant
    -- before: scenario that has the plan which the same statement had earlier
    -- times: what is found depends on the machine, so a plan made anew need not show it
    -- cold: PostgreSQL is started again first, so that its cache is empty
    SET …; the statements before the last set the session up; the last one is explained.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from queryproof.analyzer.sql.tokens import split_statements

FOLDER = Path(__file__).parent / "scenarios"
MAJORS = (13, 14, 15, 16, 17, 18)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One statement. majors: where its plan is made; jit: only where PostgreSQL can compile."""

    theme: str
    name: str
    before: tuple[str, ...]
    sql: str
    finds: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    tempts: frozenset[str] = frozenset()
    majors: tuple[int, ...] = MAJORS
    jit: bool = False
    options: str | None = None
    earlier: str | None = None
    times: bool = False
    cold: bool = False
    superuser: bool = False


@dataclass(frozen=True, slots=True)
class Theme:
    """A file: its set-up as the owner of the database, as its superuser, and its scenarios."""

    name: str
    setup: str
    superuser: str
    scenarios: tuple[Scenario, ...] = field(default=())


def themes() -> Iterator[Theme]:
    """All of them, in the order of their names."""
    for file in sorted(FOLDER.glob("*.sql")):
        yield _theme(file.stem, file.read_text())


def scenarios() -> dict[str, Scenario]:
    """By name, which is unique."""
    found: dict[str, Scenario] = {}
    for theme in themes():
        for scenario in theme.scenarios:
            if scenario.name in found:
                raise ValueError(f"two scenarios are called {scenario.name}")
            found[scenario.name] = scenario
    return found


def _theme(name: str, text: str) -> Theme:
    setup, *blocks = re.split(r"^-- plan: ", text, flags=re.MULTILINE)
    owner, _, superuser = setup.partition("-- superuser\n")
    return Theme(name, owner, superuser, tuple(_scenario(name, block) for block in blocks))


def _scenario(theme: str, block: str) -> Scenario:
    title, _, rest = block.partition("\n")
    told = dict(re.findall(r"^-- (\w+):? ?(.*)$", rest, re.MULTILINE))
    unknown = set(told) - {"finds", "may", "tempts", "on", "options", "before", "times", "cold", "superuser"}
    if unknown:
        raise ValueError(f"{theme}, {title}: {', '.join(unknown)} is not known")
    *before, last = split_statements("\n".join(line for line in rest.splitlines() if not line.startswith("-- ")))
    names = {key: frozenset(told.get(key, "").split()) for key in ("finds", "may", "tempts")}
    where = told.get("on", "")
    return Scenario(
        theme=theme, name=title.strip(), before=tuple(before), sql=last, finds=names["finds"], may=names["may"],
        tempts=names["tempts"], majors=_majors(where), jit=where == "jit", options=told.get("options"),
        earlier=told.get("before"), times="times" in told, cold="cold" in told, superuser="superuser" in told,
    )  # fmt: skip


def _majors(where: str) -> tuple[int, ...]:
    if where in ("", "jit"):
        return MAJORS
    low, _, high = where.partition("-")
    return tuple(range(int(low), int(high or low) + 1))
