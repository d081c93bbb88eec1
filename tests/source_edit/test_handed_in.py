"""Which parameter a statement comes in by."""

import ast

import pytest

from queryproof.analyzer.source_edit.handed_in import Parameter, handed_in

SOURCE = """
def plain(session, statement):
    return session.scalars(statement).all()  # statement 1

class Repository:
    async def method(self, statement):
        return (await self.session.execute(statement.limit(5))).scalars().all()  # statement 0

    def by_name(self, *, query):
        return query.all()  # query None

    def made_here(self, limit):
        statement = select(self.model).limit(limit)
        return self.session.scalars(statement).all()  # nothing

    def two(self, one, other):
        return self.session.scalars(one).all() + self.session.scalars(other).all()  # nothing

    def attribute(self):
        return self.session.scalars(self.statement).all()  # nothing

top.scalars(statement)  # nothing
"""
CALLERS = """
def first(session, x, query):
    return plain(session, query.limit(1))  # query 2

def named(session, query):
    return plain(session, statement=query)  # query 1

def made(session):
    return plain(session, select(Author))  # nothing

def other(session, query):
    return simple(session, query)  # nothing

def too_few(session, query):
    return plain(session)  # nothing
"""


def marked(source: str) -> list[tuple[int, str]]:
    return [(n, line.partition("  # ")[2]) for n, line in enumerate(source.splitlines(), 1) if "  # " in line]


def told(found: Parameter | None) -> str:
    return f"{found.name} {found.place}" if found is not None else "nothing"


@pytest.mark.parametrize(("line", "expected"), marked(SOURCE))
def test_what_is_only_sent_comes_in_by_a_parameter(line: int, expected: str) -> None:
    assert told(handed_in(ast.parse(SOURCE), line)) == expected


@pytest.mark.parametrize(("line", "expected"), marked(CALLERS))
def test_what_is_handed_on_comes_in_by_a_parameter_too(line: int, expected: str) -> None:
    assert told(handed_in(ast.parse(CALLERS), line, Parameter("plain", "statement", 1))) == expected
