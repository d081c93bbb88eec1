"""The rule: what every file under rules/query, rules/plan and rules/orm defines once."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar

from ..analyzer.plan import ExplainedQuery
from ..analyzer.schema import Schema
from ..analyzer.sql.statement import Statement
from ..analyzer.workload import Workload
from .finding import Finding, LookedAt, Severity

FAMILIES = ("query", "plan", "orm")


@dataclass(frozen=True, slots=True)
class Case:
    """All that rules may look at. statements and plans are keyed by fingerprint and may lack entries; schema is None
    without a database. orm_verdicts: what the ORM rules have said, which they can only say together."""

    workload: Workload
    statements: Mapping[str, Statement]
    plans: Mapping[str, ExplainedQuery]
    schema: Schema | None
    orm_verdicts: dict[str, list[Finding | LookedAt]] = field(default_factory=dict, compare=False, repr=False)


class Rule(ABC):
    """Base of all rules. A subclass's docstring is its page: summary, `## Why it is slow`, `## Bad`, `## Good`."""

    code: ClassVar[str]
    severity: ClassVar[Severity]
    needs_database: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The file's name with hyphens."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @property
    def page(self) -> str:
        """The rule's documentation in Markdown."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def summary(self) -> str:
        """First line of the page."""
        return self.page.partition("\n")[0]

    @abstractmethod
    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Yield findings, and what looked suspicious but is left alone with the reason."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the package, by code. A rule that cannot be imported raises: a broken rule breaks loudly."""
    rules: list[Rule] = []
    for family in FAMILIES:
        package = import_module(f".{family}", __package__)
        for info in iter_modules(package.__path__):
            module = import_module(f"{package.__name__}.{info.name}")
            rules += [
                member()
                for member in vars(module).values()
                if inspect.isclass(member) and issubclass(member, Rule) and member.__module__ == module.__name__
            ]
    return tuple(sorted(rules, key=lambda rule: rule.code))
