"""What psql itself prints, with settings that people have in their .psqlrc, is read as the plan that it frames."""

import subprocess

import pytest

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.plan_text import described
from queryproof.analyzer.postgres.server import Server

SQL = (
    "SELECT a.n, count(*) FROM generate_series(1, 9) a(n) JOIN (VALUES (1, 'x | y'), (2, '<b>&\"q\"')) v(i, t) ON v.i = a.n "
    "WHERE v.t || ',x' <> 'z' GROUP BY 1 ORDER BY 2 LIMIT 3"
)
SETTINGS = {
    "as it comes": (),
    "no border": ("border 0",),
    "full border": ("border 2", "title Plan"),
    "double lines": ("border 2", "linestyle unicode", "unicode_border_linestyle double"),
    "old lines": ("linestyle old-ascii",),
    "expanded": ("expanded on",),
    "expanded, no border": ("expanded on", "border 0"),
    "expanded, full border": ("expanded on", "border 2", "linestyle unicode"),
    "tuples only": ("tuples_only on",),
    "tuples only, full border": ("tuples_only on", "border 2"),
    "tuples only, expanded": ("tuples_only on", "expanded on"),
    "wrapped": ("format wrapped", "columns 70", "linestyle unicode"),
    "unaligned": ("format unaligned",),
    "csv": ("format csv",),
    "csv, tuples only": ("format csv", "tuples_only on"),
    "csv, expanded": ("format csv", "expanded on"),
    "html": ("format html",),
    "html, expanded": ("format html", "expanded on"),
    "html, tuples only": ("format html", "tuples_only on"),
}


def told(server: Server, form: str, settings: tuple[str, ...]) -> str:
    """psql's output after some other statements."""
    programs = server.binaries.directory
    script = (
        "".join(f"\\pset {one}\n" for one in settings)
        + f"SET work_mem = '8MB';\nEXPLAIN (VERBOSE, FORMAT {form}) {SQL};\n"
    )
    url = server.url("postgres").replace("+psycopg2", "")
    done = subprocess.run([programs / "psql", "-X", url], input=script, capture_output=True, text=True, check=True)
    return done.stdout


def what(plan: Plan) -> list[object]:
    return [(one.type, one.filter, one.hash_cond, one.output, one.plan_rows) for one in described(plan).root.walk()]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_plans_are_read_in_every_frame(server: Server, settings: tuple[str, ...]) -> None:
    for form in ("TEXT", "JSON", "YAML", "XML"):
        bare = read_plan(told(server, form, ("format unaligned", "tuples_only on")))
        assert len(what(bare)) >= 4
        assert what(read_plan(told(server, form, settings))) == what(bare), form


@pytest.mark.parametrize("form", ["asciidoc", "latex", "latex-longtable", "troff-ms"])
def test_what_is_set_for_a_printer_is_refused_with_the_remedy(server: Server, form: str) -> None:
    with pytest.raises(StatementError, match=r"\\pset format aligned"):
        read_plan(told(server, "JSON", (f"format {form}",)))


@pytest.mark.parametrize("text", ["\x1c", "| |", "QUERY PLAN", "--\n--", "+", ".\n."])
def test_a_frame_with_nothing_in_it_holds_no_plan(text: str) -> None:
    with pytest.raises(StatementError, match="no plan"):
        read_plan(text)
