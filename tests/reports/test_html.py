"""The page in a real browser, and what hostile content does to it: nothing."""

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from queryproof.analyzer.plan import Plan, PlanNode
from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import (
    Alternative,
    Code,
    Cost,
    Evidence,
    Measurement,
    QueryEvidence,
    Recommendation,
)
from queryproof.analyzer.workload import Skipped, Source
from queryproof.reports.html.html import to_html
from queryproof.reports.json_report import from_json, json_schema, to_json
from queryproof.reports.report import (
    SCHEMA_VERSION,
    Report,
    ReportedBucket,
    ReportedFinding,
    ReportedQuery,
    ReportedSite,
    RulePage,
)
from queryproof.rules.finding import Fact, LookedAt, Severity, Subject

from .example import ORDERS
from .example import example as shop_report

PLACE = CallSite("app/views.py", 12, "index")
PAYLOADS = (
    "</script><script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "javascript:window.hit=1//{{7*7}}",
    "<!--</style><svg onload=window.hit=1>",
    "a\u202eb\x1b[31m\x00\u2028\ud800",
)


def example(queries: int = 3) -> Report:
    leaf = PlanNode(2, "Seq Scan", "Outer", 0, 10, 5, 4, 900, 1, 3.0, relation="Weird Table", filter="(a = ?)", rows=900, removed=9000,
                    total_ms=3.0, self_ms=3.0, buffers=80)  # fmt: skip
    plan = Plan(PlanNode(1, "Sort", None, 0, 12, 5, 4, 900, 1, 4.0, sort_key=("a",), rows=900, total_ms=4.0, self_ms=1.0,
                         children=(leaf,)), True, 0.1, 4.2, 0.0, (), "Sort  (cost)  #1\n  ->  Seq Scan  #2\nExecution Time: 4")  # fmt: skip
    proof = QueryEvidence("q0", Measurement(4.2, 12, 80, 9900, None, "q0"), Measurement(0.02, 1, 3, 9, None, "after"))
    action = Recommendation(
        "r1", "index", "Add a B-tree index on Weird Table (a)", "The rows wanted are few.", Evidence("measured", "built", (proof,)),
        (Code("DDL", "sql", 'CREATE INDEX CONCURRENTLY "ix" ON "Weird Table" ("a");'), Code("Model", "python", "Index('ix')")),
        ("f1",), Cost(8192, 12.0, "none", "every INSERT"), 400.0, PLACE, (Alternative("Hash on a", "larger"),),
    )  # fmt: skip
    finding = ReportedFinding("f1", "missing-index", "IDX001", Severity.ERROR, Subject("q0", "Weird Table"), "All is read.",
                              (Fact("rows", 9900, "rows"),), Evidence("measured", "run"), 420.0, PLACE, 2, ("r1",))  # fmt: skip
    rows = tuple(
        ReportedQuery(
            f"q{n}",
            f"SELECT {n} FROM t WHERE a = $1",
            100 - n % 100,
            500.0 / (n + 1),
            1.0,
            1.0,
            2.0,
            5.0 + n,
            n,
            0,
            (ReportedSite(PLACE, 7),),
            (ReportedBucket(1.0, 5), ReportedBucket(10.0, 2)),
            ("journal",),
            ("f1",) if n == 0 else (),
            "q0" if n == 0 else None,
            "",
        )
        for n in range(queries)
    )
    return Report(
        SCHEMA_VERSION, "0.1.0", 1.0, 2.0, "PostgreSQL 18.6", 1000.0, 400.0, 300, (Source("journal", "j", 300, 1000.0, ("note",)),),
        (action,), (finding,), rows, {"q0": plan, "after": plan}, (LookedAt("select-star", Subject("q1", "t"), "narrow"),),
        (Skipped("query x", "SQLSTATE 42601"),), (RulePage("missing-index", "IDX001", "Page.\n\n## Bad"),), ("3 statements",),
    )  # fmt: skip


def empty() -> Report:
    return dataclasses.replace(
        example(1), recommendations=(), findings=(), saved_ms=0.0, skipped=(), looked_at=(), plans={}
    )


def tainted(value: Any, payload: str, path: str = "") -> Any:
    """The same value with the payload in every free text, keys and fixed words left alone."""
    fixed = (
        "id",
        "kind",
        "severity",
        "fingerprint",
        "plan_id",
        "settles",
        "recommendations",
        "findings",
        "language",
        "schema_version",
    )
    if isinstance(value, str):
        return value + payload
    if isinstance(value, tuple):
        return tuple(tainted(item, payload, path) for item in value)
    if isinstance(value, dict):
        return {key: tainted(item, payload, path) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: tainted(getattr(value, field.name), payload)
            for field in dataclasses.fields(value)
            if field.name not in fixed or dataclasses.is_dataclass(getattr(value, field.name))
            or (isinstance(getattr(value, field.name), tuple) and field.name in ("recommendations", "findings")
                and getattr(value, field.name) and dataclasses.is_dataclass(getattr(value, field.name)[0]))
        }  # fmt: skip
        return dataclasses.replace(value, **changes)
    return value


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        if os.environ.get("QUERYPROOF_REQUIRE_BROWSER"):
            pytest.fail("no Chromium is installed, and this run must not skip the browser")
        pytest.skip("no Chromium is installed: the report was not tested in a browser")
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def opened(
    browser: Browser, report: Report, tmp_path: Path, width: int = 1280, **options: Any
) -> tuple[Page, list[str]]:
    file = tmp_path / "report.html"
    file.write_bytes(to_html(report).encode("utf-8", "replace"))
    page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(file.as_uri())
    return page, troubles


def test_the_first_screen_answers_what_to_change_and_how_sure_it_is(browser: Browser, tmp_path: Path) -> None:
    page, troubles = opened(browser, example(), tmp_path)
    assert page.inner_text("h1") == "400 ms of 1 s of database time can go: 1 index; 1 of them measured."
    assert page.is_visible("text=CREATE INDEX CONCURRENTLY")
    assert page.is_visible(".evidence.measured")
    assert troubles == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_in_any_field_runs_or_adds_elements(browser: Browser, tmp_path: Path, payload: str) -> None:
    hostile = tainted(shop_report(), payload)
    page, troubles = opened(browser, hostile, tmp_path)
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.querySelectorAll('img, iframe, script:not([type]):not(:last-of-type)').length") == 0
    assert troubles == []
    text = to_html(hostile)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x00" not in text
    from_json(to_json(hostile))


def test_it_fits_a_narrow_screen_and_the_dark(browser: Browser, tmp_path: Path) -> None:
    wide = dataclasses.replace(
        example(), queries=tuple(dataclasses.replace(q, text="SELECT " + "x" * 5000) for q in example().queries)
    )
    page, _ = opened(browser, wide, tmp_path, width=400, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_without_scripts_everything_is_there(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, example(), tmp_path, java_script_enabled=False)
    assert page.is_visible("text=CREATE INDEX CONCURRENTLY")
    assert page.locator("#query-table > .query").count() == 3
    assert not page.is_visible("#theme")


def test_queries_are_searched_sorted_and_unfolded(browser: Browser, tmp_path: Path) -> None:
    page, troubles = opened(browser, example(450), tmp_path)
    assert page.locator("#query-table > .query").count() == 200
    page.click("th[data-sort='5']")
    assert "SELECT 449" in page.locator("#query-table > .query").first.inner_text()
    page.fill("#search", "select 37 from")
    assert page.locator("#query-table > .query:visible").count() == 1
    page.fill("#search", "")
    page.click("#findings a[href='#query-q0']")
    # The script unfolds the row at the event that follows the click.
    page.wait_for_selector("#query-q0 .tree", state="visible")
    assert troubles == []


def test_five_thousand_queries_stay_small_and_open(browser: Browser, tmp_path: Path) -> None:
    text = to_html(example(5000))
    assert len(text) < 3_000_000
    page, troubles = opened(browser, example(5000), tmp_path)
    page.click("#more")
    assert page.locator("#query-table > .query").count() == 700
    page.click("th[data-sort='5']")
    assert "SELECT 4999" in page.locator("#query-table > .query").first.inner_text()
    assert page.locator("#query-table > .query").count() == 200
    page.evaluate("location.hash = '#query-q4000'")
    page.wait_for_selector("#query-q4000 .sql", state="visible")
    assert troubles == []


def test_an_empty_report_says_what_was_examined(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, empty(), tmp_path)
    assert page.inner_text("h1").startswith("Nothing to change: 1 distinct statement examined")
    assert page.is_visible("text=3 statements")


def test_the_policy_allows_only_our_own_script_and_style() -> None:
    text = to_html(example())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert " style=" not in text
    assert text == to_html(example())


def test_style_and_script_stay_under_100_kb() -> None:
    import queryproof.reports.html as package

    folder = Path(str(package.__file__)).parent
    assert sum((folder / name).stat().st_size for name in ("style.css", "script.js")) < 100_000


def test_json_matches_its_schema_and_comes_back() -> None:
    import json

    import jsonschema

    report = example()
    jsonschema.validate(json.loads(to_json(report)), json_schema())
    assert from_json(to_json(report)) == report


def test_a_full_report_has_no_dead_link_and_no_double_id(browser: Browser, tmp_path: Path) -> None:
    page, troubles = opened(browser, shop_report(), tmp_path)
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]')).map(element => element.id)")
    assert len(ids) == len(set(ids))
    links = page.evaluate(
        "Array.from(document.querySelectorAll('a[href]')).map(link => decodeURIComponent(link.hash.slice(1)))"
    )
    assert set(links) <= set(ids)
    assert troubles == []


def test_the_guilty_node_and_its_line_are_linked_both_ways(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, shop_report(), tmp_path)
    page.click(f"#query-{ORDERS} summary")
    node = page.locator(f"#plan-{ORDERS}-node-7")
    assert "error: missing-index" in node.inner_text()
    assert "50× more than estimated" in node.inner_text()
    assert (
        page.locator(".off").count() == page.locator(".node:has-text('on orders'):has-text('thrown away') .off").count()
    )
    node.locator(".number").click()
    line = page.locator(":target")
    assert line.inner_text().startswith("7 ->  Seq Scan")
    line.click()
    assert page.locator(":target").get_attribute("id") == f"plan-{ORDERS}-node-7"


def test_only_queries_with_findings_are_shown_on_request(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, shop_report(), tmp_path)
    page.check("#faulty")
    assert page.locator("#query-table > .query:visible").count() == 4
    assert page.inner_text("#shown") == "4 of 24 found"
    page.evaluate("location.hash = '#query-0000000000000007'")
    page.wait_for_selector("#query-0000000000000007 .sql", state="visible")


def test_a_full_report_fits_a_phone_with_all_unfolded(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, shop_report(), tmp_path, width=400)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_plan_of_any_depth_is_drawn_and_lists_stay_balanced() -> None:
    root = PlanNode(3000, "Seq Scan", None, 0, 1, 1, 1)
    for number in range(2999, 0, -1):
        root = PlanNode(number, "Nested Loop", None, 0, 1, 1, 1, children=(root,))
    text = to_html(dataclasses.replace(example(), plans={"q0": Plan(root, False)}))
    assert "The first 500 nodes are drawn" in text
    for tag in ("ul", "li", "div"):
        assert text.count(f"<{tag}>") + text.count(f"<{tag} ") == text.count(f"</{tag}>")


def test_a_very_long_statement_is_cut_and_the_cut_is_said() -> None:
    long = dataclasses.replace(example().queries[0], text="SELECT " + "x" * 1_000_000)
    text = to_html(dataclasses.replace(example(), queries=(long,)))
    assert "980\u202f007 more characters in report.json" in text
    assert len(text) < 200_000


def test_without_recorded_times_the_sentences_do_without(browser: Browser, tmp_path: Path) -> None:
    report = dataclasses.replace(shop_report(), total_ms=None, saved_ms=None)
    page, _ = opened(browser, report, tmp_path)
    assert (
        page.inner_text("h1")
        == "5 actions recommended: 2 indexes, 1 ORM edit, 1 rewrite, 1 setting; 1 of them measured."
    )
    assert page.locator(".whole").count() == 0


def test_a_statement_is_not_squeezed_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, shop_report(), tmp_path, width=400)
    box = page.locator(f"#query-{ORDERS} .statement").bounding_box()
    assert box is not None
    assert box["width"] > 300


def test_many_sources_are_folded() -> None:
    sources = tuple(Source("sql file", f"queries/q{number:03}.sql", 1, None) for number in range(9))
    page = to_html(dataclasses.replace(example(), sources=sources))
    opening, folded = page[page.index('id="summary"') :].split("<summary>6 more sources</summary>", 1)
    assert opening.count("Source: ") == 3
    assert "queries/q008.sql" in folded.split("</details>", 1)[0]
    assert "more source" not in to_html(dataclasses.replace(example(), sources=sources[:3]))
