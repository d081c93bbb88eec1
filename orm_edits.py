"""The edits of a recording that running the program again can prove: loader options at the queries they belong to."""

from collections import defaultdict
from collections.abc import Sequence

from .analyzer.query import CallSite, RecordedQuery
from .analyzer.record.trial import TrialEdit
from .rules.loader_option import fold
from .rules.orm.column_load_in_loop import MIN_DEFERRED
from .rules.orm.n_plus_one import MIN_PARENTS


def edits_by_kind(queries: Sequence[RecordedQuery]) -> list[tuple[TrialEdit, ...]]:
    """The edits that are proven together, in runs of their own for each kind: eager loading first, then deferred columns."""
    return [edits for edits in (lazy_edits(queries), column_edits(queries)) if edits]


def lazy_edits(queries: Sequence[RecordedQuery]) -> tuple[TrialEdit, ...]:
    """An edit for each query line whose instances were asked one by one for a relationship: by two parents at least of one run
    of the query, as the rule n-plus-one counts them."""
    runs: defaultdict[tuple[CallSite, str], defaultdict[tuple[tuple[str, ...], str, int | None], set[str | None]]]
    runs = defaultdict(lambda: defaultdict(set))
    for query in queries:
        load = query.orm
        if load is not None and load.kind == "lazy" and load.origin is not None and load.root and load.path:
            runs[load.origin, load.root][load.path, query.process, load.origin_sequence].add(load.parent)
    edits = []
    for (place, root), loads in sorted(runs.items()):
        wanted = tuple(sorted({path for (path, _, _), parents in loads.items() if len(parents) >= MIN_PARENTS}))
        if wanted:
            edits.append(TrialEdit(place.file, place.line, place.function, root, wanted))
    return tuple(edits)


def column_edits(queries: Sequence[RecordedQuery]) -> tuple[TrialEdit, ...]:
    """An edit for each query line whose instances were asked one by one for deferred columns: by as many of one run of the
    query as the rule column-load-in-loop asks for, the levels of a self-referential relationship counted together."""
    runs: defaultdict[tuple[CallSite, str], defaultdict[tuple[object, ...], set[str]]]
    runs = defaultdict(lambda: defaultdict(set))
    columns: defaultdict[tuple[object, ...], set[tuple[str, ...]]] = defaultdict(set)
    for query in queries:
        load = query.orm
        # Columns that only a subclass has need more than undefer().
        if (
            load is None
            or not load.deferred
            or load.owner is not None
            or load.origin is None
            or load.origin_sequence is None
        ):
            continue
        if load.root and load.entity and load.parent is not None:
            loaded = (load.entity, fold(load.path, load.to_many)[0])
            runs[load.origin, load.root][loaded, query.process, load.origin_sequence].add(load.parent)
            columns[load.origin, load.root, loaded] |= {
                (*load.path, f"{load.entity}.{name}") for name in load.attributes
            }
    edits = []
    for (place, root), loads in sorted(runs.items()):
        asked = {loaded for (loaded, _, _), parents in loads.items() if len(parents) >= MIN_DEFERRED}
        wanted = tuple(sorted({steps for loaded in asked for steps in columns[place, root, loaded]}))
        if wanted:
            edits.append(TrialEdit(place.file, place.line, place.function, root, columns=wanted))
    return tuple(edits)


def tried(paths: Sequence[Sequence[str]], columns: Sequence[Sequence[str]]) -> str:
    """What is added at the query, to stand behind "with". paths, columns: as in `TrialEdit`, one of them empty."""
    steps = ", ".join(" > ".join(path) for path in paths or columns)
    return f"{steps} loaded {'eagerly' if paths else 'with the query'}"
