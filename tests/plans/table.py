"""Precision and recall of every finding, written into benchmarks/README.md: `make bench-findings`."""

import re
from collections.abc import Iterable
from pathlib import Path

from queryproof.rules.judge_plan import plan_rules

from .corpus import stored
from .scenario import scenarios
from .verdicts import Score, Verdict, scores, verdicts

README = Path(__file__).parents[2] / "benchmarks" / "README.md"
BEGIN, END = "<!-- findings: made by `make bench-findings` -->\n", "<!-- end of findings -->\n"


def table(judged: Iterable[Verdict]) -> str:
    """The section's text."""
    every = list(judged)
    rows = "".join(_row(score) for score in scores(every))
    servers = sorted({one.server for one in every}, key=lambda version: float(version))
    silent = [one for one in every if not one.scenario.finds - {"large-seq-scan-ok", "never-executed"}]
    wrong = sum(1 for one in silent if one.false)
    return (
        f"{len(every)} real plans of {len({one.scenario.name for one in every})} scenarios on PostgreSQL {', '.join(servers)}. "
        "wanted: plans in which the finding must be; others: plans in which it must stay at `info` or silent, in brackets "
        "those that were made to mislead it; false: others in which it spoke above `info`.\n"
        f"Of {len(silent)} plans in which nothing is to be found, {wrong} have a false finding above `info`.\n\n"
        "| code | finding | wanted | recall | others | false | precision |\n|---|---|---|---|---|---|---|\n" + rows
    )


def written() -> str:
    """What stands in the README now."""
    match = re.search(re.escape(BEGIN) + r"(.*?)" + re.escape(END), README.read_text(), re.DOTALL)
    return match[1] if match else ""


def _row(score: Score) -> str:
    code = next(rule.code for rule in plan_rules() if rule.name == score.rule)
    return (
        f"| {code} | {score.rule} | {score.wanted} | {score.recall:.3f} | {score.others} ({score.tempting}) "
        f"| {score.false} | {score.precision:.3f} |\n"
    )


def main() -> None:
    """Put the table in its place."""
    known = scenarios()
    text = table(one for schemas, plans in stored() for one in verdicts(known, schemas, plans))
    old = README.read_text()
    README.write_text(old.replace(BEGIN + written() + END, BEGIN + text + END))


if __name__ == "__main__":
    main()
