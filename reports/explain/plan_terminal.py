"""Plans in a terminal: totals, what to change first, and the tree with its findings on their nodes."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from ...analyzer.plan import Plan, PlanNode
from ...analyzer.postgres.plan_shape import plan_shape
from ...analyzer.postgres.plan_text import title as node_title
from ...rules.finding import Finding, Severity
from ...rules.plan_context import PlanContext
from ..numbers import THIN, duration, figure, plural, size, visible
from .judged_plan import JudgedPlan, share
from .node_lines import BLOCK_BYTES, node_lines, rows_off
from .tree_lines import guides

NARROW = 76
"""Columns below which the bars are left out."""
BAR = 10
"""Columns of the longest bar."""
MOST_STATEMENT = 300
"""Characters of the statement above its plan, where there are several."""
MOST_CODE = 12
"""Lines of a remedy's code."""
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_NOT_RUN = (
    "Most need a real run (--analyze, or EXPLAIN with ANALYZE): a plan that was not run tells no times and no rows."
)
_NOT_RUN_ASKED = "Most need a real run: a plan that was not run tells no times and no rows."
_EIGHTHS = " ▏▎▍▌▋▊▉"
_KEPT = "\ue000"
"""Stands for the thin space in a number while lines are broken, which may not happen there."""


def print_plans(judged: Sequence[JudgedPlan], console: Console) -> None:
    """All of them, one after the other; several are those of one file, or of other values of one statement."""
    for number, one in enumerate(judged):
        if number:
            console.print()
            console.rule(characters="-")
        _print_plan(one, console, several=len(judged) > 1)


def write(console: Console, text: str | Text, style: str = "") -> None:
    """Text, never markup: what the database calls its things must not steer the terminal."""
    shown = Text(visible(text), style=style) if isinstance(text, str) else text
    if _ascii(console):
        shown = Text(_in_ascii(shown.plain), style=shown.style, spans=shown.spans)
    console.print(shown, soft_wrap=False, highlight=False, markup=False)


def summary(judged: JudgedPlan) -> Iterator[tuple[str, str]]:
    """(line, style): what ran, how long it took, and what is known of it."""
    plan = judged.plan
    count = sum(1 for _ in plan.root.walk())
    if plan.analyzed:
        took = f"{duration(plan.elapsed_ms)} of execution" if plan.elapsed_ms is not None else "run without times"
    else:
        took = f"Planned, not run; cost {figure(plan.root.total_cost)}"
    parts = [took]
    if plan.planning_ms is not None:
        parts.append(f"{duration(plan.planning_ms)} of planning")
    parts.append(plural(count, "node"))
    usage = plan.root.usage
    if usage is not None and plan.analyzed:
        blocks = usage.shared_hit + usage.shared_read
        parts.append(f"{figure(blocks)} blocks ({size(blocks * BLOCK_BYTES)}), {figure(usage.shared_read)} read")
    yield "; ".join(parts), "bold"
    if judged.note:
        yield f"Note: {judged.note}", "yellow"
    if judged.origin and judged.origin not in judged.note and judged.origin != "values written in the statement":
        yield f"Values: {judged.origin}", ""


def totals(plan: Plan) -> Iterator[str]:
    """Where the execution's time went besides the nodes, and what shaped the plan."""
    for trigger in plan.triggers:
        place = f" on {trigger.relation}" if trigger.relation else ""
        kind = "constraint trigger" if trigger.constraint else "trigger"
        where = {True: ", after the nodes", False: ", inside the nodes above"}.get(trigger.after, "")  # type: ignore[arg-type] # None is a key that is absent
        yield f"{kind} {trigger.name}{place}: {duration(trigger.ms)} in {plural(int(trigger.calls), 'call')}{where}"
    if plan.jit is not None:
        parts = (("generation", plan.jit.generation_ms), ("inlining", plan.jit.inlining_ms), ("optimization", plan.jit.optimization_ms), ("emission", plan.jit.emission_ms))  # fmt: skip
        told = ", ".join(f"{name} {duration(ms)}" for name, ms in parts if ms)
        took = f", {duration(plan.jit.total_ms)} of all processes together ({told})" if plan.jit.total_ms else ""
        yield f"JIT: {plural(plan.jit.functions, 'function')}{took}"
    if plan.after_plan_ms:
        yield f"data-modifying CTEs run after the plan: {duration(plan.after_plan_ms)}"
    if plan.serialization is not None and plan.serialization.ms is not None:
        yield f"turning the result into {plan.serialization.format or 'text'}: {duration(plan.serialization.ms)}, {figure(plan.serialization.volume_kb or 0)} kB"  # fmt: skip
    if plan.overhead_ms and plan.overhead_ms >= 0.1:
        yield f"starting and ending the execution: {duration(plan.overhead_ms)}"
    if plan.rounding_ms >= 0.1:
        yield f"lost in PostgreSQL's rounding of node times: {duration(plan.rounding_ms)}"
    if plan.planning is not None and plan.planning.memory_used_kb:
        yield f"memory of planning: {figure(plan.planning.memory_used_kb)} kB"
    if plan.settings:
        yield f"settings that are not the default: {', '.join(f'{name} = {value}' for name, value in plan.settings)}"
    yield f"plan shape {plan_shape(plan.root)}"


def _print_plan(judged: JudgedPlan, console: Console, several: bool) -> None:
    plan = judged.plan
    if several:
        write(console, judged.source, "dim")
    if judged.statement and several:
        write(console, " ".join(judged.statement.split())[:MOST_STATEMENT], "dim")
    for line, style in summary(judged):
        write(console, line, style)
    _print_ranking(judged, console)
    console.print()
    _print_tree(judged, console)
    console.print()
    for line in totals(plan):
        write(console, line, "dim")


def _print_ranking(judged: JudgedPlan, console: Console) -> None:
    if not judged.findings:
        asked = any(told in judged.note for told in ("planned without running it", "planned only"))
        known = judged.plan.analyzed
        write(console, "No findings." if known else f"No findings. {_NOT_RUN_ASKED if asked else _NOT_RUN}")
        return
    counts = [(severity, sum(one.severity is severity for one in judged.findings)) for severity in Severity]
    write(console, "Findings: " + ", ".join(f"{count} {severity}" for severity, count in counts if count))
    for rank, one in enumerate(judged.findings, 1):
        place = f"#{one.plan_node}" if one.plan_node is not None else "plan"
        line = Text(f"{rank:>3}. ").append(str(one.severity), STYLES[one.severity])
        write(console, line.append(f"  {place}  {_stake(judged.plan, one)}  ").append(visible(one.rule)))
    for rank, one in judged.of_node(None):
        console.print()
        for text, style in _finding_lines(rank, one):
            write(console, text, style)


def _print_tree(judged: JudgedPlan, console: Console) -> None:
    plan = judged.plan
    context = PlanContext(plan)
    wide = console.width >= NARROW
    timed = plan.root.total_ms is not None
    longest = max((_own(context, node) for node in context.nodes), default=0.0)
    whole = (plan.elapsed_ms if timed else plan.root.total_cost) or 0.0
    empty = " " * (29 if wide else 7)
    heading = "self time" if timed else "self cost"
    write(
        console, f"{heading:>10}{'':<{BAR + 2}}{'share':>5}  node" if wide else f"{'share':>5}  node, {heading}", "dim"
    )
    room = console.width - len(empty)
    for node, before, rest in guides(plan.root, lambda one: one.children, max(6, room // 2), _ascii(console)):
        own = _own(context, node)
        part = _percent(own / whole) if whole else "–"
        told = duration(own) if timed else figure(own, whole=False)
        gutter = f"{told:>10} {_bar(own, longest, _ascii(console))} {part:>6} " if wide else f"{part:>6} "
        title = f"#{node.id} {node_title(node)}" + ("" if wide else f", {told}")
        style = "dim" if node.actual_loops == 0 else "bold"
        _print_block(console, gutter, before, rest, title, style, empty)
        for number, line in enumerate(node_lines(context, node)):
            off = number == 0 and rows_off(context, node)
            _print_block(console, empty, rest, rest, line, "yellow" if off else "", empty)
        for rank, one in judged.of_node(node.id):
            for text, look in _finding_lines(rank, one):
                _print_block(console, empty, rest, rest, text, look, empty)


def _print_block(console: Console, gutter: str, before: str, rest: str, text: str, style: str, empty: str) -> None:
    """A text that is broken at the terminal's edge, guide lines going on beside it."""
    room = max(12, console.width - len(empty) - max(len(before), len(rest)))
    for part in visible(text).replace(THIN, _KEPT).split("\n"):
        inset = " " * min(room // 3, len(part) - len(part.lstrip(" 0123456789.→")))
        for number, line in enumerate(Text(part, style=style).wrap(console, room - len(inset), overflow="fold")):
            line.rstrip()
            shown = Text(line.plain.replace(_KEPT, THIN), style=style)
            lead = Text(f"{gutter[: len(empty)]:<{len(empty)}}{before}{inset if number else ''}")
            write(console, lead.append_text(shown))
            gutter, before = empty, rest


def _finding_lines(rank: int, one: Finding) -> Iterator[tuple[str, str]]:
    yield f"{rank}. {one.severity}: {one.message} [{one.code} {one.rule}]", STYLES[one.severity]
    if one.remedy is None:
        yield "   without a known remedy", ""
        return
    yield f"   → {one.remedy.title}", "bold"
    for code in one.remedy.code:
        lines = code.text.splitlines()
        for line in lines[:MOST_CODE]:
            yield f"     {line}", "green"
        if len(lines) > MOST_CODE:
            yield f"     … {len(lines) - MOST_CODE} more lines", ""


def _stake(plan: Plan, one: Finding) -> str:
    part = _percent(share(one))
    if one.at_stake_ms is not None:
        return f"≤ {duration(one.at_stake_ms)} ({part})"
    return f"≤ {part} of the cost" if not plan.analyzed else f"≤ {part}"


def _percent(part: float) -> str:
    return "< 1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %"


def _own(context: PlanContext, node: PlanNode) -> float:
    return (node.self_ms or 0.0) if context.timed else context.own_costs[node.id]


def _bar(value: float, longest: float, ascii_only: bool) -> str:
    filled = BAR * value / longest if longest > 0 else 0.0
    if ascii_only:
        return f"{'#' * round(filled):<{BAR}}"
    whole = int(filled)
    rest = _EIGHTHS[int((filled - whole) * 8)] if whole < BAR else ""
    return f"{'█' * whole + rest:<{BAR}}"


def _ascii(console: Console) -> bool:
    return not console.encoding.lower().replace("-", "").startswith("utf")


def _in_ascii(text: str) -> str:
    """The same number of characters, so that columns and colours stay where they are."""
    table = {"\u202f": " ", "×": "x", "≈": "~", "≤": "<", "…": "~", "–": "-", "→": ">", "·": "-"}
    return "".join(table.get(letter, letter if letter.isascii() else "?") for letter in text)
