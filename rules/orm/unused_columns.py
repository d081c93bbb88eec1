"""unused-columns."""

from collections.abc import Iterator, Sequence

from ...analyzer.recommendation import Code, LoaderEdit
from ..edit_place import edit_place
from ..entity_uses import UseAtQuery, entity_uses, table_of, width
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..loader_option import ALIAS, UNNAMED
from ..option_codes import option_codes
from ..orm_rule import Claim, OrmRule, with_remedy
from ..recorded import Recorded
from ..source import alias_name

MIN_INSTANCES = 10
"""Instances over the whole recording: of fewer nothing can be said."""
MIN_WIDTH = 200
"""Bytes of a row that nobody reads, from the statistics: less does not pay for an option."""
MIN_COLUMNS = 8
"""Columns that nobody reads, where no statistics tell their width."""


class UnusedColumns(OrmRule):
    """A query loads columns of its entity that nobody reads, and they make up much of the row.

    ## Why it is slow
    Wide columns are fetched from their out-of-line storage, sent, decoded and kept in memory for every row. `load_only` names
    the columns that are read; `defer` names the few that are not. Should one of the others be read after all, it is loaded
    then.

    Known only from recordings made with `--deep`, where reads are counted. With a database the bytes come from its
    statistics; without, only rows of many unread columns are spoken of.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(default="")
        c1: Mapped[int] = mapped_column(default=0)
        c2: Mapped[int] = mapped_column(default=0)
        c3: Mapped[int] = mapped_column(default=0)
        c4: Mapped[int] = mapped_column(default=0)
        c5: Mapped[int] = mapped_column(default=0)
        c6: Mapped[int] = mapped_column(default=0)
        c7: Mapped[int] = mapped_column(default=0)
        c8: Mapped[int] = mapped_column(default=0)
        books: Mapped[list["Book"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    for _ in range(2):
        for author in session.scalars(select(Author)):
            print(author.name)
        session.rollback()
        session.expunge_all()
    ```

    ## Good
    ```python
    from sqlalchemy.orm import load_only

    for _ in range(2):
        for author in session.scalars(select(Author).options(load_only(Author.name))):
            print(author.name)
        session.rollback()
        session.expunge_all()
    ```
    """

    code = "ORM008"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Columns that were loaded by a query line and read of no instance, while most instances were read."""
        for one in entity_uses(recorded):
            use = one.use
            unread = [name for name in use.loaded if name not in use.read]
            if not unread or use.instances < MIN_INSTANCES or use.touched < use.instances / 2 or not use.read:
                continue
            if not use.path and use.entity != one.load.root:
                continue
            table = table_of(one, recorded)
            columns = [column for column in table.columns if column.name in unread] if table is not None else []
            bytes_ = width(columns) if columns else None
            if bytes_ is None and (len(unread) < MIN_COLUMNS or len(unread) < len(use.loaded) / 2):
                continue
            if bytes_ is not None and bytes_ < MIN_WIDTH:
                if len(unread) >= MIN_COLUMNS:
                    subject = Subject(one.queries[0].fingerprint, None, (), f"{use.entity}@{use.origin.function}")
                    reason = (
                        f"{len(unread)} columns of {use.entity} are not read, but they take {bytes_} bytes a row only"
                    )
                    yield Claim(LookedAt(self.name, subject, reason))
                continue
            yield Claim(self._finding(one, unread, bytes_))

    def _finding(self, one: UseAtQuery, unread: Sequence[str], bytes_: int | None) -> Finding:
        use = one.use
        kept = [name for name in use.loaded if name in use.read]
        saved = bytes_ * use.instances if bytes_ is not None else None
        size = f", about {bytes_} bytes of each row" if bytes_ is not None else ""
        finding = self.finding(
            one.queries, use.origin, ">".join((*use.path, use.entity)),
            f"{len(unread)} of {len(use.loaded)} columns of {use.entity} are loaded and never read{size}: {_listed(unread)}.",
            (
                Fact("columns not read", len(unread)),
                *((Fact("not read of a row", bytes_, "bytes"),) if bytes_ is not None else ()),
                *((Fact("not read in all", saved, "bytes"),) if saved is not None else ()),
                Fact("instances loaded", use.instances),
            ),
            worst=0, at_stake_ms=0.0,
        )  # fmt: skip
        if bytes_ is None:
            finding = _as_info(finding)
        few = len(unread) < len(kept)
        names, loader = (unread, "defer") if few else (kept, "load_only")
        aliased = one.load.aliased and not use.path
        owner = ALIAS if aliased else use.entity
        listed = [f"{owner}.{name}" for name in names]
        option = ".".join(f"defer({name})" for name in listed) if few else f"load_only({', '.join(listed)})"
        loaders: tuple[str, ...] = (loader,)
        if use.path:
            steps = [f"defaultload({step})" for step in use.path]
            option, loaders = ".".join((*steps, option)), ("defaultload",)
        text = option
        if aliased:
            name = alias_name(use.origin, one.load.root) if one.load.root is not None else None
            text = option.replace(ALIAS, name or UNNAMED)
        form = one.load.kind
        root = None if aliased else one.load.root
        codes = [*option_codes(text, use.origin, form, root, one.queries[0].stack)]
        codes.append(Code("Import", "python", f"from sqlalchemy.orm import {loaders[0]}"))
        edit = None
        made_at = edit_place(use.origin, one.queries) or use.origin
        if one.load.root is not None:
            edit = LoaderEdit(made_at, one.load.root, option, loaders, (), (), one.load.aliased)
        return with_remedy(
            finding, f"Load only the columns of {use.entity} that are read",
            "No run of this line in the recording has read the others. A column that is read after all is loaded then, by one "
            "more query for each instance.",
            codes, before=None, after=None, saves_ms=None, edit=edit,
            how="bytes from the database's statistics, reads counted in the recording" if bytes_ is not None
            else "reads counted in the recording",
        )  # fmt: skip


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _as_info(finding: Finding) -> Finding:
    from dataclasses import replace

    return replace(finding, severity=Severity.INFO)
