"""Plans as people have them: in psql's frames and exports, in auto_explain's log, and cut off."""

import csv
import html
import io
import json
from contextlib import closing

import pytest

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.plan_reader import read_plan, read_plans
from queryproof.analyzer.postgres.server import Server

SQL = (
    "SELECT count(*) FROM generate_series(1, 9) n, generate_series(1, 3) m WHERE n::text || ',' <> '<&>' GROUP BY n, m"
)


def explained(server: Server, options: str) -> str:
    with closing(connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, {options}) {SQL}")
        rows = [row[0] for row in cursor.fetchall()]
    return "\n".join(row if isinstance(row, str) else json.dumps(row, indent=2) for row in rows)


def as_html(cell: str) -> str:
    """As psql writes a cell: only blanks at the beginning of a line are kept from breaking."""
    lines = []
    for line in cell.split("\n"):
        rest = line.lstrip(" ")
        lines.append("&nbsp;" * (len(line) - len(rest)) + html.escape(rest).replace("&#x27;", "'"))
    return "<br />\n".join(lines)


@pytest.mark.parametrize("options", ["FORMAT TEXT", "FORMAT JSON", "FORMAT YAML"])
@pytest.mark.parametrize("frame", ["unicode", "records", "csv", "html", "html records", "html rows"])
def test_what_psql_puts_around_a_plan_is_taken_off(server: Server, options: str, frame: str) -> None:
    bare = explained(server, options)
    lines = bare.split("\n")
    match frame:
        case "unicode":
            wide = max(map(len, lines))
            more = "" if "TEXT" in options else "↵"
            text = "\n".join(
                [
                    "Border style is 2.",
                    "Line style is unicode.",
                    f"┌{'─' * (wide + 2)}┐",
                    f"│{'QUERY PLAN'.center(wide + 2)}│",
                    f"├{'─' * (wide + 2)}┤",
                    *(f"│ {line.ljust(wide)}{more or ' '}│" for line in lines[:-1]),
                    f"│ {lines[-1].ljust(wide)} │",
                    f"└{'─' * (wide + 2)}┘",
                    "(1 row)",
                ]
            )
        case "records":
            texts = "TEXT" in options
            parts = [f"-[ RECORD {n} ]---\nQUERY PLAN | {line}" for n, line in enumerate(lines, 1)] if texts else [
                "-[ RECORD 1 ]---", f"QUERY PLAN | {lines[0]}+", *(f"           | {line}+" for line in lines[1:-1]), f"           | {lines[-1]}",
            ]  # fmt: skip
            text = "\n".join(["Expanded display is on.", *parts])
        case "html" | "html records" | "html rows":
            rows = lines if "TEXT" in options else [bare]
            head = "" if frame == "html rows" else '    <th align="center">QUERY PLAN</th>\n'
            beside = frame == "html records"
            parts = [
                f'  <tr valign="top">\n{head if beside else ""}    <td align="left">{as_html(row)}</td>\n  </tr>\n' for row in rows
            ]  # fmt: skip
            top = f"  <tr>\n{head}  </tr>\n" if head and not beside else ""
            text = f'<p>SET</p>\n<table border="1">\n{top}{"".join(parts)}</table>\n<p>({len(rows)} rows)<br />\n</p>\n'
        case _:
            out = io.StringIO()
            rows = lines if "TEXT" in options else [bare]
            csv.writer(out, lineterminator="\n").writerows([["QUERY PLAN"], *([row] for row in rows)])
            text = out.getvalue()
    framed, plain = read_plan(text), read_plan(bare)
    assert framed == plain
    assert len(list(plain.root.walk())) >= 4


@pytest.mark.parametrize("options", ["FORMAT TEXT", "FORMAT JSON", "FORMAT YAML", "FORMAT XML"])
def test_what_psql_says_of_the_statements_around_is_left_out(server: Server, options: str) -> None:
    bare = explained(server, options)
    text = f"Timing is on.\nBEGIN\nTime: 0.1 ms\nCREATE INDEX\nINSERT 0 12\n{bare}\nTime: 3.2 ms\nROLLBACK\n"
    assert read_plan(text) == read_plan(bare)


def test_plans_that_follow_one_another_are_not_taken_for_one(server: Server) -> None:
    bare = explained(server, "FORMAT TEXT")
    table = "  QUERY PLAN\n--------------\n" + "\n".join(f" {line}" for line in bare.split("\n")) + "\n(9 rows)\n\n"
    assert list(read_plans(table + table)) == [read_plan(bare)] * 2
    with pytest.raises(StatementError, match="several plans"):
        list(read_plans(f"{bare}\n{bare}"))


@pytest.mark.parametrize("log_format", ["text", "json", "yaml", "xml"])
def test_plans_of_auto_explain_are_read_in_each_format(server: Server, log_format: str) -> None:
    logged = auto_explained(server, log_format)
    first, second = read_plans(logged)
    assert first.query_text == second.query_text == SQL
    assert first.root.rows == second.root.rows == 27
    assert first.duration_ms is not None


@pytest.mark.parametrize("log_format", ["text", "json", "yaml", "xml"])
@pytest.mark.parametrize("prefix", ["<2026-11-28 10:00:00.123 UTC>", "1764324000.1 7 0 ", "app@db/[local] ", ""])
def test_plans_end_where_the_next_message_begins(server: Server, log_format: str, prefix: str) -> None:
    """Whatever log_line_prefix is."""
    lines = auto_explained(server, log_format).rstrip("\n").split("\n")
    logged = "".join(
        f"{prefix}{line}\n" if line.startswith("LOG:") else f"\t{line}\n" for line in lines
    ) + f"{prefix}LOG:  checkpoint starting: time\n{prefix}ERROR:  syntax error\n{prefix}STATEMENT:  SELEC\n\tLimit 1\n"  # fmt: skip
    first, second = read_plans(logged)
    assert first.root.rows == second.root.rows == 27


def test_a_log_that_is_cut_off_gives_the_plans_before(server: Server) -> None:
    logged = auto_explained(server, "json")
    assert len(list(read_plans(logged[:-200]))) == 1
    first = logged[: logged.rindex("LOG:")]
    with pytest.raises(StatementError, match="not valid JSON"):
        list(read_plans(first[:-200]))


def test_a_json_log_keeps_what_elsewhere_ends_a_line() -> None:
    node = {"Node Type": "Seq Scan", "Relation Name": "a\u2028b\u0085c", "Total Cost": 1.5}
    plan = json.dumps({"Query Text": "SELECT 1", "Plan": node}, ensure_ascii=False)
    entry = json.dumps({"message": f"duration: 1.5 ms  plan:\n{plan}"}, ensure_ascii=False)
    (found,) = read_plans(f"{entry}\n{json.dumps({'message': 'checkpoint starting: time'})}\n")
    assert found.root.relation == "a\u2028b\u0085c"


def test_a_plan_that_is_cut_off_is_not_judged(server: Server) -> None:
    text = explained(server, "FORMAT TEXT")
    cut = text.rindex("(cost=")
    with pytest.raises(StatementError, match="breaks off at `Function Scan on generate_series"):
        read_plan(text[: cut + 3])
    assert len(list(read_plan(explained(server, "COSTS OFF, FORMAT TEXT")).root.walk())) >= 4


def auto_explained(server: Server, log_format: str) -> str:
    """What the server's log holds after the statement was run twice."""
    with closing(connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_format": log_format,
            "auto_explain.log_analyze": "on",
            "client_min_messages": "log",
            "auto_explain.log_min_duration": "0",
        }.items():
            cursor.execute(f"SET {name} = '{value}'")
        connection.notices.clear()
        cursor.execute(SQL)
        cursor.execute(SQL)
        return "".join(connection.notices)


def test_a_damaged_line_of_buffers_is_no_crash() -> None:
    text = "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..0.2 rows=1 loops=1)\n  Buffers: shared hit=3, "
    assert read_plan(text).root.relation == "t"


TEXT = "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..0.2 rows=1 loops=1)\n  Buffers: shared hit=3\n  I/O Timings: shared read=1.5\n"
JSON = '[{"Plan": {"Node Type": "Seq Scan", "Total Cost": 1.5, "Shared Hit Blocks": 3}}]'
YAML = '- Plan: \n    Node Type: "Seq Scan"\n    Total Cost: 1.5\n    Shared Hit Blocks: 3\n'
XML = '<explain xmlns="http://www.postgresql.org/2009/explain"><Query><Plan><Node-Type>Seq Scan</Node-Type><Total-Cost>1.5</Total-Cost></Plan></Query></explain>'


@pytest.mark.parametrize(
    ("text", "damaged"),
    [
        (TEXT, TEXT.replace("read=1.5", "read=1.5.0")),
        (TEXT, TEXT.replace("time=0.1", "time=0.1.1")),
        (TEXT, TEXT.replace("hit=3", f"hit={'9' * 400}")),
        (JSON, JSON.replace('"Total Cost": 1.5', '"Total Cost": 1e999')),
        (JSON, JSON.replace('"Shared Hit Blocks": 3', '"Shared Hit Blocks": -1e999')),
        (JSON, JSON.replace('"Shared Hit Blocks": 3', f'"Shared Hit Blocks": {"9" * 400}')),
        (YAML, YAML.replace("Cost: 1.5", "Cost: .inf")),
        (YAML, YAML.replace("Blocks: 3", "Blocks: 1.0e+999")),
        (XML, XML.replace("1.5", f"{'9' * 400}.5")),
    ],
)
def test_a_damaged_figure_is_told(text: str, damaged: str) -> None:
    assert read_plan(text).root.type == "Seq Scan"
    with pytest.raises(StatementError, match=r"figure|digits"):
        read_plan(damaged)


@pytest.mark.parametrize("key", ["Plans", "Workers", "Node Type"])
def test_a_line_that_names_what_the_tree_is_made_of_changes_nothing(key: str) -> None:
    plan = read_plan(
        f"Limit  (cost=0.00..1.00 rows=1 width=4)\n  {key}: 5\n  ->  {TEXT.splitlines()[0]}\n        Worker 0:  actual rows=1 loops=1"
    )
    assert [node.type for node in plan.root.walk()] == ["Limit", "Seq Scan"]


def test_a_text_that_ends_too_early_is_refused_by_name() -> None:
    whole = """
Sort  (cost=9.0..9.1 rows=5 width=4) (actual time=9.0..9.1 rows=5 loops=1)
  Sort Key: a.id
  InitPlan 1 (returns $0)
    ->  Result  (cost=0.0..0.1 rows=1 width=4) (actual time=0.0..0.1 rows=1 loops=1)
  ->  Nested Loop  (cost=0.0..8.0 rows=5 width=4) (actual time=0.0..8.0 rows=5 loops=1)
        ->  Seq Scan on a  (cost=0.0..2.0 rows=5 width=4) (actual time=0.0..2.0 rows=5 loops=1)
        ->  Seq Scan on b  (cost=0.0..1.0 rows=1 width=4) (actual time=0.0..1.0 rows=1 loops=5)
""".strip().split("\n")
    assert len(list(read_plan("\n".join(whole)).root.walk())) == 5
    for lines, told in ((6, "Nested Loop has 1 of 2"), (4, "Sort has 0 of 1")):
        with pytest.raises(StatementError, match=f"cut off: its {told} inputs"):
            read_plan("\n".join(whole[:lines]))
