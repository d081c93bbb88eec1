"""What the ORM does when it sends a statement.

Every top-level ORM select carries an option that SQLAlchemy hands on to the lazy loads of the instances it loads: so a lazy
load knows the query where it can be mended. An execution option ties the ORM's event to the cursor's event exactly.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import FromClause, Select
from sqlalchemy.orm import FromStatement, ORMExecuteState, Session
from sqlalchemy.orm.interfaces import UserDefinedOption
from sqlalchemy.sql.cache_key import HasCacheKey
from sqlalchemy.sql.functions import FunctionElement

from .call_site import CallStack, call_stack, mark_function
from .faults import armed, reach
from .load_shape import Shape, load_shape, options_key, query_shape, remember, shapes
from .option_check import can_join, option_check
from .trial import Trial


class Load(HasCacheKey, UserDefinedOption):
    """One statement of the ORM. Of a query it is an option, and so rides on the instances that the query loads.

    It is part of the statement's cache key, always the same: a statement that was compiled before the recording began has
    no place for it, and its instances would not know where they come from.
    """

    propagate_to_loaders = True
    _traverse_internals: Any = ()
    __slots__ = ("__dict__", "by", "entity", "sequence", "shape", "stack", "top")
    # Defaults of the class, because one is made for every statement and few are ever changed.
    payload = None
    parent: str | None = None
    origin: "Load | None" = None
    path: tuple[object, ...] = ()
    roots: int | None = None
    members: dict[object, int]
    check: dict[str, object] | None = None
    options: tuple[Any, ...] = ()
    joins = True
    """Whether the ORM can add joins to it."""

    def __init__(self, shape: Shape, stack: CallStack, entity: type | None, top: bool, by: str) -> None:
        self.shape = shape
        self.top = top
        self.stack = stack
        self.entity = entity
        self.sequence = 0
        self.by = by
        """The recorder that it belongs to, by the name of its execution option."""

    def _gen_cache_key(self, anon_map: Any, bindparams: Any) -> tuple[object, ...]:
        return _ORIGIN_KEY

    def __reduce__(self) -> tuple[Callable[[None], UserDefinedOption], tuple[None]]:
        # Load options are pickled with instances, perhaps into a process that does not know this class.
        return UserDefinedOption, (None,)


_ORIGIN_KEY = (Load,)


trial: Trial | None = None
"""The edits that are tried in this process; set before the first query by whoever proves them."""

_PLAIN: Any = getattr(Select, "_compile_options", None)
"""Compile options of a statement that has none of its own: it is no load of anything."""


def mark_functions() -> None:
    """Let stack walks tell what the ORM does at the application's request."""
    from sqlalchemy.orm import Query
    from sqlalchemy.orm.state import InstanceState

    for function, mark in (
        (Session.get, "get"),
        (Session.refresh, "refresh"),
        (getattr(Query, "get", None), "get"),
        (getattr(Session, "_autoflush", None), "autoflush"),
        (getattr(InstanceState, "_load_expired", None), "expired"),
    ):
        mark_function(function, mark)


def describe(state: ORMExecuteState, by: str) -> Load | None:
    """What this statement is; None: not a select of entities. by: the recorder's execution option."""
    statement: Any = state.statement
    if not state.is_orm_statement or not (
        statement.is_select or isinstance(statement, FromStatement) or getattr(statement, "_returning", ())
    ):
        return None
    if armed:
        reach("recorder.orm")
    stack = call_stack(3)
    # `is_relationship_load or is_column_load`, which work out the same options three times.
    options = getattr(statement, "_compile_options", None)
    if options is not _PLAIN and options is not None:
        path = getattr(options, "_current_path", None)
        # What selectin_polymorphic() sends stands at no relationship, but carries the options of the outer query.
        if (
            getattr(options, "_for_refresh_state", False)
            or (path is not None and not path.is_root)
            or any(type(one) is Load and one.by == by for one in getattr(statement, "_with_options", ()))
        ):
            return _load(state, statement, options, stack, by)
    return _query(state, statement, stack, by)


def attach(state: ORMExecuteState, load: Load) -> None:
    """Tie the load to its statement, and a top-level one to the instances that it loads."""
    if not load.top:
        state.update_execution_options(**{load.by: load})
        return
    if armed:
        reach("recorder.origin")
    statement: Any = state.statement
    if type(statement) is Select:
        # What `options` does, without its checks of the argument: they are a fifth of the cost of a recording. The option
        # itself ties it to the cursor's event: execution options would be merged four times on the way.
        copy: Any = statement._generate()
        copy._with_options += (load,)
        state.statement = copy
    else:
        state.update_execution_options(**{load.by: load})
        state.statement = statement.options(load)
    if trial is not None:
        trial.change(state, load.stack.sites[0] if load.stack.sites else None)


def find_load(statement: Any, by: str) -> Load | None:
    """The Load that a query's own statement carries. A loader's carries its query's; its own is in the execution options."""
    if type(statement) is Select:
        for option in reversed(statement._with_options):
            if type(option) is Load and option.by == by:
                return option
    return None


def loaded_by(context: Any, by: str) -> Load | None:
    """The Load of the statement whose rows become instances. `merge(load=False)` tells of loads without a context."""
    if context is None:
        return None
    load: Load | None = context.execution_options.get(by)
    # SQLAlchemy 2.0.20 has no name of its own for what the user has passed.
    return load or find_load(getattr(context, "user_passed_query", context.query), by)


def check_option(state: ORMExecuteState, load: Load) -> None:
    """Build the option that would mend a lazy load, when it is the first of a second parent."""
    if load.shape.relationship is not None:
        origin = load.origin
        if origin is None:
            load.check = option_check(state, (load.by, ()))
        else:
            place = (load.by, origin.stack.sites[:1])
            load.check = option_check(state, place, origin.options, origin.entity, joins=origin.joins)


def _query(state: ORMExecuteState, statement: Any, stack: CallStack, by: str) -> Load:
    attributes = getattr(statement, "_propagate_attrs", None)
    subject = attributes.get("plugin_subject") if attributes else None
    mapper = state.bind_arguments.get("mapper")
    entity = mapper.class_ if mapper is not None else None
    mark = stack.mark
    kind = mark if mark is not None and mark in ("get", "refresh") else "query"
    execution = state.execution_options
    streamed = "yield_per" in execution or "stream_results" in execution
    renews = "populate_existing" in execution and bool(execution["populate_existing"])
    loaders = getattr(statement, "_with_options", ())
    options = options_key(loaders) if loaders else ()
    wanted: Any = getattr(statement, "_raw_columns", ())
    columns = bool(wanted) and not (len(wanted) == 1 and _is_entity(wanted[0]))
    key = (kind, entity, subject is not mapper, streamed, renews, columns, options)
    shape = shapes.get(key)
    if shape is None:
        aliased = bool(getattr(subject, "is_aliased_class", False))
        shape = query_shape(kind, entity, options, aliased=aliased, streamed=streamed, renews=renews, columns=columns)
        remember(key, shape)
    load = Load(shape, stack, entity, True, by)
    if type(statement) is not Select or statement._for_update_arg is not None:
        load.joins = can_join(statement)
    if loaders:
        load.options = loaders
    return load


def _is_entity(wanted: Any) -> bool:
    return isinstance(wanted, FromClause) and not isinstance(wanted, FunctionElement)


def _load(state: ORMExecuteState, statement: Any, asked: Any, stack: CallStack, by: str) -> Load:
    # Options are asked themselves: each property of the state looks for them anew.
    if armed:
        reach("recorder.load")
    # Not `load_options`, which 2.0.20 refuses to tell of the statements that load a subclass's own columns.
    loading = state.execution_options.get("_sa_orm_load_options")
    parent: Any = getattr(loading, "_lazy_loaded_from", None)
    mapper = state.bind_arguments.get("mapper")
    entity = mapper.class_ if mapper is not None else None
    origin = find_load(statement, by)
    if origin is None:
        for option in state.user_defined_options:
            # That of another recorder tells the place too: of instances loaded before this one began.
            if type(option) is Load and (option.by == by or origin is None):
                origin = option
    found = getattr(asked, "_current_path", None)
    path = tuple(found.path) if found is not None else ()
    cause = None
    if getattr(asked, "_for_refresh_state", False):
        kind = "refresh" if stack.mark == "refresh" else "column"
        if kind == "column":
            refreshed = parent if parent is not None else getattr(loading, "_refresh_state", None)
            expired = stack.mark == "expired" or (stack.mark is None and _is_expired(refreshed, asked))
            cause = "expired" if expired else "deferred"
    else:
        # What a loader runs of itself carries the outer query's context; reading an attribute does not.
        lazy = parent is not None and "sa_top_level_orm_context" not in state.execution_options
        kind = "lazy" if lazy else "eager"
    if parent is None and kind in ("column", "refresh"):
        parent = getattr(loading, "_refresh_state", None)
        if parent is not None and not path:
            path = tuple(parent.load_path.path)
    source = (origin.shape, origin.stack) if origin is not None else None
    wanted = cause is not None or kind == "refresh"
    attributes: frozenset[str] | None = getattr(asked, "_only_load_props", None) if wanted else None
    key = (kind, cause, entity, path, source, attributes)
    shape = shapes.get(key)
    if shape is None:
        shape = remember(key, load_shape(kind, cause, entity, path, origin, attributes or ()))
    load = Load(shape, stack, entity, False, by)
    load.origin = origin
    load.path = path
    if parent is not None:
        load.parent = _identity(parent)
    return load


def _is_expired(state: Any, asked: Any) -> bool:
    """Whether the attributes that are loaded were known before: where no application frame has marked the walk, as when a
    framework turns instances into JSON."""
    names: frozenset[str] = frozenset(getattr(asked, "_only_load_props", None) or ())
    return state is not None and not names.isdisjoint(state.expired_attributes)


def _identity(state: Any) -> str:
    """Equal for equal instances of this process, different for different ones, and telling nothing of their keys."""
    if state.key is None:
        return f"{id(state):x}"
    kind, values = state.key[0], state.key[1]
    # Texts hash with a secret of the process; numbers do not, and -1 and -2 hash alike.
    return f"{hash((kind, *[str(value) if type(value) is int else value for value in values])) & 0xFFFFFFFFFFFFFFFF:x}"
