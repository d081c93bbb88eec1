"""Walks a statement level by level and notes on each table occurrence what the statement asks of it."""

from dataclasses import dataclass, field
from typing import Any

from .conditions import Condition, note
from .join_columns import common_columns, owner
from .orders import level_orders
from .outputs import derived_from, implied_name, renamed
from .predicates import conjuncts
from .relations import Relation, Relations
from .scopes import OPAQUE, Derived, Level, Occurrence, occurrences, reached, reference, touch, whole_row
from .tree import Node, TreeError, body, kind, parse_tree, strings, walk

MAX_VIEWS = 8
"""Views inside views that are expanded."""
_STATEMENTS = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")


@dataclass(slots=True)
class Binder:
    """Binds one statement. found: every table occurrence, in text order."""

    relations: Relations
    found: list[Occurrence] = field(default_factory=list)
    unresolved: int = 0
    conflict: tuple[str, ...] = ()
    _references: dict[str, int] = field(default_factory=dict)
    _via: str = ""
    _views: int = 0

    def statement(self, tree: Node) -> None:
        """Bind the statement and all that stands in it."""
        for node in walk(tree):
            if kind(node) == "RangeVar" and "schemaname" not in body(node):
                name = body(node)["relname"]
                self._references[name] = self._references.get(name, 0) + 1
        self._any(tree, None, {}, outermost=True)

    def _any(self, tree: Node, parent: Level | None, ctes: dict[str, Derived], *, outermost: bool = False) -> Derived:
        name, fields = kind(tree), body(tree)
        if name == "SelectStmt":
            return self.select(fields, parent, ctes, outermost=outermost)
        if name in _STATEMENTS:
            return self._write(name, fields, parent, ctes)
        return Derived({}, closed=False)

    def select(
        self,
        fields: Node,
        parent: Level | None,
        ctes: dict[str, Derived],
        *,
        outermost: bool = False,
        semi: bool = False,
    ) -> Derived:
        """One SELECT, VALUES or set operation. semi: inside EXISTS or IN, whose join conditions reach outer tables."""
        ctes = self._with(fields, parent, ctes)
        if fields.get("op", "SETOP_NONE") != "SETOP_NONE":
            return self._set_operation(fields, parent, ctes, outermost=outermost)
        level = Level(parent)
        start = len(self.found)
        conditions: list[Condition] = []
        for item in fields.get("fromClause") or []:
            self._from(item, level, ctes, conditions)
        if "whereClause" in fields:
            self._conditions(fields["whereClause"], level, ctes, conditions, None)
        outputs, closed = self._targets(fields, level, ctes)
        for values in fields.get("valuesLists") or []:
            touch(self.bind(values, level, ctes))
        if "havingClause" in fields:
            touch(self.bind(fields["havingClause"], level, ctes))
        own = frozenset(self.found[start:]) | reached(level)
        note(conditions, None if semi else own)
        derived = derived_from(fields, outputs, level, closed, lambda node: self.bind(node, level, ctes))
        level_orders(fields, outputs, own, lambda node: self.bind(node, level, ctes))
        self._touch_targets(fields, outputs, level, derived, outermost=outermost)
        if fields.get("lockingClause"):
            for source in level.sources.values():
                if isinstance(source, Occurrence):
                    source.locks = True
        return derived

    def _touch_targets(
        self, fields: Node, outputs: dict[str, Node], level: Level, derived: Derived, *, outermost: bool
    ) -> None:
        if outermost or not derived.simple:
            for target in outputs.values():
                touch(target)
            for item in fields.get("targetList") or []:
                names = reference(body(item)["val"]) if "ColumnRef" in body(item).get("val", {}) else []
                if names[-1:] == ["*"]:
                    for alias, source in level.sources.items():
                        if len(names) == 1 or names[-2] == alias:
                            whole_row(source)

    def _with(self, fields: Node, parent: Level | None, ctes: dict[str, Derived]) -> dict[str, Derived]:
        clause = fields.get("withClause")
        if clause is None:
            return ctes
        visible = dict(ctes)
        for item in clause["ctes"]:
            cte = body(item)
            if clause.get("recursive"):
                visible[cte["ctename"]] = Derived({}, closed=False)
            derived = self._any(cte["ctequery"], parent, visible)
            once = self._references.get(cte["ctename"], 0) <= 1 and not clause.get("recursive")
            if not once or cte.get("ctematerialized") == "CTEMaterializeAlways" or "SelectStmt" not in cte["ctequery"]:
                for output in derived.outputs.values():
                    touch(output)
                if not derived.closed and derived.inner is not None:
                    for source in derived.inner.sources.values():
                        whole_row(source)
                derived = Derived(derived.outputs, derived.inner, closed=derived.closed)
            visible[cte["ctename"]] = renamed(derived, strings(cte.get("aliascolnames") or []))
        return visible

    def _set_operation(
        self, fields: Node, parent: Level | None, ctes: dict[str, Derived], *, outermost: bool
    ) -> Derived:
        left = self.select(fields["larg"], parent, ctes, outermost=outermost)
        right = self.select(fields["rarg"], parent, ctes, outermost=outermost)
        level_orders(fields, left.outputs, frozenset(), lambda node: OPAQUE, arms=(left, right))
        plain = not any(part in fields for part in ("limitCount", "limitOffset")) and left.closed and right.closed
        pairs = zip(left.outputs.items(), right.outputs, strict=False)
        outputs = {
            name: {"Arms": {"of": [output, right.column(other) if right.simple else right.outputs[other]]}}
            for (name, output), other in pairs
        }
        if not outermost:
            for output in outputs.values():
                touch(output)
        pushable = outputs.keys() if plain and (left.simple and right.simple) else ()
        return Derived(outputs, pushable=frozenset(pushable), closed=left.closed and right.closed)

    def _from(self, item: Node, level: Level, ctes: dict[str, Derived], conditions: list[Condition]) -> None:
        name, fields = kind(item), body(item)
        alias = fields.get("alias", {}).get("aliasname", "")
        columns = strings(fields.get("alias", {}).get("colnames") or [])
        if name == "RangeVar":
            cte = ctes.get(fields["relname"]) if "schemaname" not in fields else None
            source = cte if cte is not None else self._relation(fields, alias)
            level.sources[alias or fields["relname"]] = (
                renamed(source, columns) if isinstance(source, Derived) else source
            )
        elif name == "JoinExpr":
            self._join(fields, level, ctes, conditions)
        elif name == "RangeSubselect":
            # Only LATERAL sees the tables beside it.
            around = level if fields.get("lateral") else level.parent
            level.sources[alias] = renamed(self._any(fields["subquery"], around, ctes), columns)
        elif name == "RangeTableSample":
            start = len(self.found)
            self._from(fields["relation"], level, ctes, conditions)
            for occurrence in self.found[start:]:
                occurrence.sampled = True
        else:
            touch(self.bind(fields.get("functions") or [], level, ctes))
            outputs = dict.fromkeys(columns or [alias], OPAQUE)
            level.sources[alias or f"?{len(level.sources)}"] = Derived(outputs, closed=bool(columns))

    def _join(self, fields: Node, level: Level, ctes: dict[str, Derived], conditions: list[Condition]) -> None:
        start, before = len(self.found), set(level.sources)
        self._from(fields["larg"], level, ctes, conditions)
        middle, left = len(self.found), set(level.sources) - before
        self._from(fields["rarg"], level, ctes, conditions)
        right = set(level.sources) - before - left
        sides = {"JOIN_LEFT": self.found[middle:], "JOIN_RIGHT": self.found[start:middle], "JOIN_FULL": []}
        form = fields.get("jointype", "JOIN_INNER")
        allowed = frozenset(sides[form]) if form in sides else None
        for occurrence in self.found[start:] if form == "JOIN_FULL" else sides.get(form, []):
            occurrence.nullable = True
        for column in strings(fields.get("usingClause") or []) or common_columns(level, left, right, fields):
            one, other = owner(level, left, column), owner(level, right, column)
            level.merged[column] = other if form == "JOIN_RIGHT" else one
            touch([one, other])
            equal = {"kind": "AEXPR_OP", "name": [{"String": {"sval": "="}}], "lexpr": one, "rexpr": other}
            conditions.append(Condition({"A_Expr": equal}, allowed, where=False))
        if "quals" in fields:
            self._conditions(fields["quals"], level, ctes, conditions, allowed, where=False)

    def _relation(self, fields: Node, alias: str) -> Occurrence | Derived:
        known = self.relations.find(fields["relname"], fields.get("schemaname"))
        if known is not None and known.view is not None and self._views < MAX_VIEWS:
            expanded = self._view(known)
            if expanded is not None:
                return expanded
        occurrence = Occurrence(
            known.schema or fields.get("schemaname") if known else fields.get("schemaname"),
            fields["relname"],
            alias or fields["relname"],
            dict(known.types) if known is not None else None,
            via=self._via,
        )
        if known is None or known.view is None:
            self.found.append(occurrence)
        return occurrence

    def _view(self, view: Relation) -> Derived | None:
        outside, self._via, self._views = self._via, self._via or view.name, self._views + 1
        try:
            return renamed(self._any(parse_tree((view.view or "").rstrip("; \n")), None, {}), list(view.types))
        except TreeError:
            return None
        finally:
            self._via, self._views = outside, self._views - 1

    def _conditions(
        self,
        node: Node,
        level: Level,
        ctes: dict[str, Derived],
        conditions: list[Condition],
        allowed: frozenset[Occurrence] | None,
        *,
        where: bool = True,
    ) -> None:
        for one in conjuncts(node):
            link = one.get("SubLink", {})
            if link.get("subLinkType") in ("EXISTS_SUBLINK", "ANY_SUBLINK") and "SelectStmt" in link["subselect"]:
                bound = self._semi_join(link, level, ctes)
            else:
                bound = self.bind(one, level, ctes)
            touch(bound)
            conditions.append(Condition(bound, allowed, where))

    def _semi_join(self, link: Node, level: Level, ctes: dict[str, Derived]) -> Node:
        """EXISTS and IN are joined like tables; the equality of IN becomes a condition of this level."""
        derived = self.select(body(link["subselect"]), level, ctes, semi=True)
        if link["subLinkType"] == "EXISTS_SUBLINK":
            return OPAQUE
        inner = [output if derived.simple else OPAQUE for output in derived.outputs.values()] or [OPAQUE]
        touch(inner)
        if not derived.outputs and derived.inner is not None:
            for source in derived.inner.sources.values():
                whole_row(source)
        test = self.bind(link["testexpr"], level, ctes)
        other = {"RowExpr": {"args": inner}} if "RowExpr" in test else inner[0]
        name = link.get("operName") or [{"String": {"sval": "="}}]
        return {"A_Expr": {"kind": "AEXPR_OP", "name": name, "lexpr": test, "rexpr": other}}

    def _targets(self, fields: Node, level: Level, ctes: dict[str, Derived]) -> tuple[dict[str, Node], bool]:
        outputs: dict[str, Node] = {}
        closed = True
        for number, item in enumerate(fields.get("targetList") or []):
            target = body(item)
            value = target.get("val", {})
            names = reference(value) if "ColumnRef" in value else []
            if names[-1:] == ["*"]:
                closed = self._star(names[:-1], level, outputs) and closed
                continue
            bound = self.bind(value, level, ctes)
            name = target.get("name") or (names[-1] if names else implied_name(value)) or f"?column?{number}"
            outputs[name if name not in outputs else f"?{number}"] = bound
        return outputs, closed

    def _star(self, qualifier: list[str], level: Level, outputs: dict[str, Node]) -> bool:
        closed = True
        for alias, source in level.sources.items():
            if qualifier and qualifier[-1] != alias:
                continue
            names = list(source.types or ()) if isinstance(source, Occurrence) else list(source.outputs)
            for name in names:
                outputs.setdefault(name, source.column(name))
            closed = closed and (source.types is not None if isinstance(source, Occurrence) else source.closed)
        return closed

    def bind(self, node: Any, level: Level, ctes: dict[str, Derived]) -> Any:
        """The node with every column reference bound and every subquery inside visited."""
        if isinstance(node, list):
            return [self.bind(one, level, ctes) for one in node]
        if not isinstance(node, dict):
            return node
        if "ColumnRef" in node:
            names = reference(node)
            if names[-1] == "*":
                if names[:-1] and names[-2] in level.sources:
                    whole_row(level.sources[names[-2]])
                return OPAQUE
            found = level.resolve(names)
            self.unresolved += found is None
            return OPAQUE if found is None else found
        if "SubLink" in node:
            return self._sublink(node["SubLink"], level, ctes)
        return {name: self.bind(part, level, ctes) for name, part in node.items()}

    def _sublink(self, link: Node, level: Level, ctes: dict[str, Derived]) -> Node:
        inside = Level(level)
        start = len(self.found)
        derived = self._any(link["subselect"], inside, ctes)
        for output in derived.outputs.values() if link["subLinkType"] != "EXISTS_SUBLINK" else ():
            touch(output)
        own = self.found[start:]
        outer = [one for one in inside.outer if not any(scan in own for scan in occurrences(one))]
        test = self.bind(link["testexpr"], level, ctes) if "testexpr" in link else {}
        return {"SubLink": {"subLinkType": link["subLinkType"], "outer": outer, "testexpr": test}}

    def _write(self, name: str, fields: Node, parent: Level | None, ctes: dict[str, Derived]) -> Derived:
        ctes = self._with(fields, parent, ctes)
        level = Level(parent)
        conditions: list[Condition] = []
        if name == "InsertStmt":
            if "selectStmt" in fields:
                self._any(fields["selectStmt"], parent, ctes, outermost=True)
            elements = fields.get("onConflictClause", {}).get("infer", {}).get("indexElems") or []
            self.conflict = tuple(body(one)["name"] for one in elements if "name" in body(one))
            return Derived({}, closed=False)
        start = len(self.found)
        self._from({"RangeVar": fields["relation"]}, level, ctes, conditions)
        target = next(iter(self.found[start:]), None)
        for item in fields.get("fromClause") or fields.get("usingClause") or []:
            self._from(item, level, ctes, conditions)
        if "sourceRelation" in fields:
            self._from(fields["sourceRelation"], level, ctes, conditions)
            allowed = frozenset([target]) if target is not None else frozenset()
            self._conditions(fields["joinCondition"], level, ctes, conditions, allowed, where=False)
        if "whereClause" in fields:
            self._conditions(fields["whereClause"], level, ctes, conditions, None)
        if target is not None:
            changed = [body(one) for one in fields.get("targetList") or []]
            target.written = tuple(sorted({one["name"] for one in changed if "name" in one}))
        for part in ("targetList", "returningList", "mergeWhenClauses"):
            self._assigned(fields.get(part) or [], level, ctes)
        note(conditions, frozenset(self.found[start:]) | reached(level))
        return Derived({}, closed=False)

    def _assigned(self, items: list[Node], level: Level, ctes: dict[str, Derived]) -> None:
        for item in items:
            value = body(item).get("val", body(item))
            if "ColumnRef" in value and reference(value)[-1] == "*":
                for source in level.sources.values():
                    whole_row(source)
            else:
                touch(self.bind(value, level, ctes))
