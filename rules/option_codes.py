"""What to paste for a loader option, and where: at the query's own line, or handed in to a query that serves many classes."""

from collections.abc import Iterator, Sequence

from ..analyzer.query import CallSite
from ..analyzer.recommendation import Code
from .source import entity_at_run_time, source_line


def option_codes(
    text: str, place: CallSite | None, form: str, root: str | None = None, stack: Sequence[CallSite] = ()
) -> Iterator[Code]:
    """text: the option. form: kind of the query's load, `get` takes options in its own way. root: class that the query asks
    for; stack: where it was sent from, innermost first: with both, a class that only the run knows is told of."""
    entity = entity_at_run_time(place, root) if place is not None and root is not None else None
    if place is not None and entity is not None:
        caller = next((one for one in stack if one.file != place.file), None) or next(iter(stack[1:]), None)
        whence = f" from {caller.file}:{caller.line}" if caller is not None else ""
        call = f"session.get({entity}, …, options=options)" if form == "get" else f"select({entity}).options(*options)"
        lines = (
            f"{call}  # {place.file}:{place.line}, which may serve other classes too: let it take options",
            f"{text}  # the option to hand in{whence}, where {root} is asked for",
        )
        yield Code(f"Options for a query of {entity}", "python", "\n".join(lines))
    elif form == "get":
        yield Code("Argument of the call", "python", f"options=[{text}]")
    else:
        yield Code("Option for the query", "python", f".options({text})")
    yield from line_code(place)


def line_code(place: CallSite | None) -> Iterator[Code]:
    """The line that the option belongs to, where the source is at hand."""
    if place is not None and (line := source_line(place)):
        yield Code(f"The line where the query is sent, {place.file}:{place.line}", "python", line)
