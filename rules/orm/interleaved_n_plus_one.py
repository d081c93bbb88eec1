"""interleaved-n-plus-one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...analyzer.recommendation import Code
from ...analyzer.workload import Execution
from ..asked_for import COUNTED, NOT_AT_ONCE, at_once, followers
from ..finding import Fact, Finding
from ..orm_rule import Claim, OrmRule, callers, sites, with_remedy
from ..recorded import Recorded
from ..rounds import MAX_STATEMENTS, Rounds, rounds


class InterleavedNPlusOne(OrmRule):
    """Several statements follow each other in the same order again and again, each round with other values.

    ## Why it is slow
    It is one loop that sends two or more queries for each item: the round trips are rounds times statements. Each of
    them can be asked once for all items before the loop.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        books: Mapped[list["Book"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    for number in (1, 2, 3, 4):
        print(session.scalars(select(Author.id).where(Author.id == number)).all())
        print(session.scalars(select(Book.id).where(Book.author_id == number)).all())
    ```

    ## Good
    ```python
    print(session.scalars(select(Author.id).where(Author.id.in_((1, 2, 3, 4)))).all())
    print(session.scalars(select(Book.id).where(Book.author_id.in_((1, 2, 3, 4)))).all())
    ```
    """

    code = "ORM005"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Rounds of each unit's free queries, by the loop that sends them."""
        loops: defaultdict[tuple[object, ...], list[Rounds]] = defaultdict(list)
        for one in rounds(recorded):
            loops[one.pattern].append(one)
        for found in loops.values():
            executions = [execution for one in found for execution in one.executions]
            loads = followers(recorded, executions)
            yield Claim(self._finding(recorded, found, executions, loads), [*executions, *loads])

    def _finding(
        self, recorded: Recorded, found: Sequence[Rounds], executions: Sequence[Execution], loads: Sequence[Execution]
    ) -> Finding:
        worst = max(found, key=lambda one: one.times)
        first, sent = worst.executions[0], len(worst.executions)
        places = {key: worst.place(number) for number, key in enumerate(worst.pattern)}
        count = len(places)
        codes: list[Code] = []
        answered = 0
        for alike in places.values():
            statement = recorded.statement(alike[0])
            if statement is not None:
                asked = list(at_once(statement, alike, followers(recorded, alike)))
                answered += bool(asked)
                codes += [
                    replace(code, label=f"{code.label}, in place of the one at {sites(alike, 1)}") for code in asked
                ]
        would_do = f" where {count} would do" if answered == count else ""
        finding = self.finding(
            [*executions, *loads], first.call_site, f"{worst.length} statements",
            f"{count} statements are sent in turn {worst.times} times, each round with other values: {sent} queries"
            f"{would_do}.",
            (
                Fact("rounds", worst.times),
                Fact("queries in all", len(executions), "queries"),
                *((Fact("loads of what they return", len(loads), "queries"),) if loads else ()),
                Fact("sent at", sites(executions, MAX_STATEMENTS)),
                *callers(executions),
            ),
            worst=sent, fingerprint=first.fingerprint,
        )  # fmt: skip
        if not codes:
            return with_remedy(
                finding, *NOT_AT_ONCE, (), before=None, after=None, saves_ms=None, kind="sql-rewrite", how=COUNTED
            )
        # Where some stay as they are, those are still sent in each round.
        after = answered + (count - answered) * worst.times
        total = finding.at_stake_ms or 0.0
        saved = (total - total * len(found) / sum(one.times for one in found)) * answered / count
        title, reason = (
            "Ask for each of them once, before the loop",
            "The values of all rounds are collected first and asked for together.",
        )
        if answered < count:
            title = f"Ask for {'one' if answered == 1 else answered} of them once, before the loop"
            reason += " The others stay in it: how they can be asked for many values depends on what they mean."
        return with_remedy(
            finding, title, reason,
            codes, before=sent, after=after, saves_ms=saved, kind="sql-rewrite",
        )  # fmt: skip
