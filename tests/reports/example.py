"""A report as a middling shop application would give it, built by hand: every kind of action, evidence and severity."""

from queryproof.analyzer.plan import Plan, PlanNode
from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import (
    Alternative,
    Code,
    Cost,
    Evidence,
    EvidenceKind,
    Measurement,
    QueryEvidence,
    Recommendation,
)
from queryproof.analyzer.workload import Skipped, Source
from queryproof.reports.report import (
    SCHEMA_VERSION,
    Report,
    ReportedBucket,
    ReportedFinding,
    ReportedParameters,
    ReportedQuery,
    ReportedSite,
    RulePage,
)
from queryproof.rules.finding import Fact, LookedAt, Severity, Subject

ORDERS, LAZY, WEIRD, REPORT = "884d65416b2ebe3b", "aa2fe26ddb48efc7", "1d9c4e19cc0a7f21", "ca152b2b8f6d0e44"
FREE = Cost()
PLACE = CallSite("shop/orders/views.py", 212, "open_orders")
LONG_SQL = "SELECT\n  " + ",\n  ".join(f"orders.column_{n}" for n in range(120)) + "\nFROM orders\nWHERE orders.id = $1"
PAGE = "A page of `rules`.\n\n## Bad\n```sql\nSELECT * FROM orders\n```\n\n## Good\n```sql\nSELECT id FROM orders\n```"


def node(number: int, kind: str, self_ms: float, total_ms: float, rows: float, *below: PlanNode, estimate: float | None = None,
         relation: str | None = None, index: str | None = None, filter: str | None = None, removed: float | None = None,
         index_cond: str | None = None, hash_cond: str | None = None, sort_key: tuple[str, ...] = ()) -> PlanNode:  # fmt: skip
    """A node that really ran once."""
    return PlanNode(
        number, kind, None, 0.0, 10.0 * total_ms, estimate or rows, 64, rows, 1.0, total_ms, relation=relation, index=index,
        filter=filter, index_cond=index_cond, hash_cond=hash_cond, sort_key=sort_key, rows=rows, removed=removed,
        total_ms=total_ms, self_ms=self_ms, buffers=int(40 * self_ms), children=below,
    )  # fmt: skip


def text(root: PlanNode) -> str:
    """A plan's text, each node's line ending with its number."""
    return "\n".join(f"->  {one.type}  (cost=0..{one.total_cost:.0f})  #{one.id}" for one in root.walk())


def plan(root: PlanNode) -> Plan:
    """A plan that really ran."""
    return Plan(root, True, 0.41, root.total_ms, 0.0, (), text(root))


def slow_plan() -> Plan:
    """Nine nodes with one guilty scan."""
    scan = node(
        7,
        "Seq Scan",
        402.0,
        402.0,
        1200,
        relation="orders",
        filter="(status = ?::text)",
        removed=1_998_800,
        estimate=24,
    )
    inner = node(6, "Hash Join", 31.0, 460.0, 1200, scan, node(8, "Hash", 2.0, 27.0, 9000, node(9, "Seq Scan", 25.0, 25.0, 9000, relation="customers")),
                 hash_cond="(orders.customer_id = customers.id)")  # fmt: skip
    items = node(3, "Index Scan", 12.0, 12.0, 4100, relation="order_items", index="ix_order_items_order_id", index_cond="(order_id = orders.id)")  # fmt: skip
    loop = node(4, "Nested Loop", 8.0, 480.0, 4100, node(5, "Materialize", 1.0, 461.0, 1200, inner))
    return plan(node(1, "Sort", 4.0, 500.0, 4100, node(2, "HashAggregate", 5.0, 496.0, 4100, items, loop), sort_key=("orders.created_at DESC",)))  # fmt: skip


def action(
    number: int,
    kind: str,
    title: str,
    evidence: EvidenceKind,
    saves: float | None,
    before: Measurement,
    after: Measurement,
    code: tuple[Code, ...],
    fingerprint: str = ORDERS,
    cost: Cost = FREE,
) -> Recommendation:
    """One action that settles the finding of the same number."""
    return Recommendation(
        f"action{number}", kind, title, "The rows wanted are few and the index leads straight to them.",  # type: ignore[arg-type]
        Evidence(evidence, "each time is the median of warm runs", (QueryEvidence(fingerprint, before, after),)), code,
        (f"finding{number}",), cost, saves, PLACE, (Alternative("Hash on orders (status)", "no order, and larger"),),
    )  # fmt: skip


def query(fingerprint: str, sql: str, calls: int, total_ms: float | None, findings: tuple[str, ...] = (), plan_id: str | None = None) -> ReportedQuery:  # fmt: skip
    """A query group; times are None where nothing measured them."""
    each = None if total_ms is None else total_ms / max(1, calls)
    return ReportedQuery(
        fingerprint, sql, calls, total_ms, each, each, each and each * 2, each and each * 9, calls * 12, 0,
        (ReportedSite(PLACE, calls),), (ReportedBucket(0.1, 0), ReportedBucket(1.0, 5), ReportedBucket(10.0, 22), ReportedBucket(100.0, 1)),
        ("queryproof-journal",), findings, plan_id, "recorded values of the slowest call", (ReportedParameters("(1, 'open')", 12.5),),
    )  # fmt: skip


def example(queries: int = 24) -> Report:
    """Five actions, six findings, `queries` query groups, one plan of nine nodes."""
    ddl = Code(
        "DDL",
        "sql",
        'CREATE INDEX CONCURRENTLY "ix_orders_created_at" ON "orders" ("created_at") WHERE "status" = \'open\';',
    )
    edit = Code("shop/orders/views.py:212", "diff", "-    orders = session.scalars(select(Order))\n+    orders = session.scalars(select(Order).options(selectinload(Order.items)))")  # fmt: skip
    actions = (
        action(1, "index", "Add a partial B-tree index on orders (created_at) where status = 'open'", "measured", 8200.0,
               Measurement(500.0, 5000.0, 20_000, 2_000_000.0, None, ORDERS), Measurement(12.2, 120.0, 96, 1200.0, None, "fast"),
               (ddl, Code("Model", "python", "Index('ix_orders_created_at', 'created_at')")),
               cost=Cost(41_000_000, 2300.0, "reads and writes go on while it builds", "every INSERT writes to it")),
        action(2, "orm-edit", "Load Order.items together with the query", "estimated", 3100.0, Measurement(queries=4201),
               Measurement(queries=2), (edit, Code("Import", "python", "from sqlalchemy.orm import selectinload")), LAZY),
        action(3, "index", 'Add a Hash index on "Weird Table" ("Odd Column")', "planned", 900.0, Measurement(cost=5000.0),
               Measurement(cost=8.3), (ddl,), WEIRD),
        action(4, "sql-rewrite", "Name the columns of orders that are used", "matched", None, Measurement(), Measurement(),
               (Code("Query", "sql", LONG_SQL),), REPORT),
        action(5, "setting", "Raise work_mem to 64 MB for the monthly report", "planned", 150.0, Measurement(cost=900.0),
               Measurement(cost=300.0), (Code("Setting", "sql", "SET LOCAL work_mem = '64MB';"),), REPORT),
    )  # fmt: skip
    known = ((ORDERS, Severity.ERROR, "missing-index", 8300.0), (LAZY, Severity.ERROR, "n-plus-one", 3200.0), (WEIRD, Severity.WARNING, "missing-index", 950.0),
             (REPORT, Severity.INFO, "select-star", None), (REPORT, Severity.WARNING, "missing-index", 160.0), (WEIRD, Severity.WARNING, "cartesian-join", 40.0))  # fmt: skip
    findings = tuple(
        ReportedFinding(
            f"finding{number}", rule, {"missing-index": "IDX001", "n-plus-one": "ORM001"}.get(rule, "SQL002"), severity,
            Subject(fingerprint, "public.orders", ("status",), "x"), "The whole table is scanned: 2 000 000 rows are read to keep `1 200`",
            (Fact("rows read", 2_000_000, "rows"), Fact("node", "Seq Scan")), Evidence("measured", "rows of a real run"), stake,
            PLACE if number % 2 else None, 7 if number == 1 else None, (f"action{number}",) if number < 6 else (),
        )
        for number, (fingerprint, severity, rule, stake) in enumerate(known, 1)
    )  # fmt: skip
    groups = [
        query(ORDERS, "SELECT orders.id\nFROM orders\nWHERE orders.status = $1\nORDER BY orders.created_at DESC", 17, 8500.0, ("finding1",), ORDERS),
        query(LAZY, "SELECT items.id FROM order_items AS items WHERE items.order_id = $1", 4200, 3300.0, ("finding2",)),
        query(WEIRD, 'SELECT "Odd Column" FROM "Weird Table" WHERE "Odd Column" = $1 AND note <> \'</script>\'', 900, 1000.0, ("finding3", "finding6")),
        query(REPORT, LONG_SQL, 3, 700.0, ("finding4", "finding5")),
    ]  # fmt: skip
    groups += [
        query(f"{n:016x}", f"SELECT {n} FROM items WHERE id = $1", n, 5000.0 / (n + 9)) for n in range(4, queries)
    ]
    fast = plan(node(1, "Index Scan", 12.2, 12.2, 1200, relation="orders", index="queryproof_trial_1"))
    return Report(
        SCHEMA_VERSION, "0.1.0", 1_764_000_000.0, 1_764_000_090.0, "PostgreSQL 18.6", 18_900.0, 12_350.0, 5144,
        (Source("journal", "queryproof-journal", 5144, 18_900.0, ("2 records of 5 146 are damaged",)),), actions, findings,
        tuple(groups), {ORDERS: slow_plan(), "fast": fast},
        (LookedAt("missing-index", Subject(LAZY, "public.order_items"), "an index on (order_id) is there and is used"),),
        (Skipped("query 00ff", "more than one statement"),), tuple(RulePage(name, "IDX001", PAGE) for name in ("missing-index", "n-plus-one")),
        ("24 distinct statements in 5 144 executions",),
    )  # fmt: skip
