"""Names of the methods that make, change and send statements."""

STATEMENT_METHODS = frozenset(
    "where filter filter_by having group_by order_by limit offset fetch slice distinct join outerjoin join_from outerjoin_from "
    "select_from options execution_options with_for_update with_only_columns add_columns with_entities from_statement params "
    "prefix_with suffix_with with_hint with_statement_hint correlate correlate_except yield_per populate_existing autoflush "
    "enable_eagerloads enable_assertions reduce_columns set_label_style get_label_style returning values ordered_values from_select "
    "on_conflict_do_nothing on_conflict_do_update on_duplicate_key_update".split()
)
"""Methods of Select, Query and of what returns rows that it writes, which give the same kind of statement."""
OTHER_STATEMENTS = frozenset(
    "union union_all intersect intersect_all except_ except_all subquery cte alias lateral exists scalar_subquery label "
    "as_scalar column".split()
)
"""Methods of theirs that return something loader options cannot be added to."""
QUERY_EXECUTES = frozenset("all first one one_or_none scalar get get_or_404 first_or_404 one_or_404 paginate".split())
"""Methods of Query, Flask-SQLAlchemy's included, that send it and return instances."""
WITHOUT_ARGUMENTS = frozenset("all first one one_or_none scalar".split())
"""Those of them that take no arguments."""
SESSION_EXECUTES = frozenset("execute scalars scalar stream stream_scalars exec".split())
"""Methods of sessions, SQLModel's included, that send the statement they are given."""
SESSION_GETS = frozenset(("get", "get_one"))
