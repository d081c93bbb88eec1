"""Adds options to a statement's `.options(…)` call, or makes that call, in the layout of the lines around it."""

from collections.abc import Sequence

import libcst as cst

from ..recommendation import LoaderEdit
from .cannot_edit import CannotEdit
from .option import POLYMORPHIC, continues, steps_of
from .tree import Tree, last_name

EAGER = frozenset(("selectinload", "joinedload", "subqueryload", "contains_eager"))


def with_call(
    chain: cst.BaseExpression, options: Sequence[cst.BaseExpression], tree: Tree, *, wrap: str | None
) -> cst.BaseExpression:
    """The chain with `.options(…)` behind it; on a line of its own when the chain's calls are.

    wrap: break inside the parentheses, indented by this much more than the line is now; None: do not.
    """
    dot = cst.Dot()
    if isinstance(chain, cst.Call) and isinstance(chain.func, cst.Attribute):
        space = chain.func.dot.whitespace_before
        if isinstance(space, cst.ParenthesizedWhitespace):
            dot = cst.Dot(whitespace_before=_bare(space))
    node = chain.with_changes(lpar=(), rpar=())
    call = cst.Call(cst.Attribute(node, cst.Name("options"), dot), [cst.Arg(one) for one in options])
    call = call.with_changes(args=_spaced(call.args))
    if wrap is not None:
        call = _wrapped(call, tree.indentation(tree.last_line(chain)) + wrap, tree.module.default_indent)
    return call.with_changes(lpar=chain.lpar, rpar=chain.rpar)


def with_arguments(
    call: cst.Call, options: Sequence[cst.BaseExpression], edit: LoaderEdit, tree: Tree, *, wrap: str | None
) -> cst.Call | None:
    """The `.options(…)` call with these among its arguments, those that they replace or continue gone. None: nothing is left."""
    kept: list[cst.Arg] = []
    place = None
    for arg in call.args:
        begun = _undeferred(arg.value, edit)
        if begun is not None:
            kept.append(arg.with_changes(value=begun))
        elif arg.keyword is None and not arg.star and _gives_way(arg.value, options, edit):
            place = len(kept) if place is None else place
        else:
            kept.append(arg)
    kept, options = _joined(kept, options)
    new = [cst.Arg(one) for one in options if not any(_has(arg.value, one) for arg in kept)]
    if not kept and not new:
        return None
    at = len(kept) if place is None else place
    args = [*kept[:at], *new, *kept[at:]]
    if wrap is not None:
        bare = call.with_changes(args=[cst.Arg(arg.value, arg.keyword, star=arg.star) for arg in args])
        return _wrapped(bare, tree.indentation(tree.first_line(call)) + wrap, tree.module.default_indent)
    last = call.args[-1] if call.args else None
    space = call.whitespace_before_args
    broken = _bare(space) if isinstance(space, cst.ParenthesizedWhitespace) else None
    between = cst.Comma(whitespace_after=broken or cst.SimpleWhitespace(" "))
    laid = [_laid(arg, between, ends=arg is last, call=call) for arg in args[:-1]]
    end = args[-1]
    if end is not last and last is not None:
        comma = last.comma
        if isinstance(comma, cst.Comma) and isinstance(comma.whitespace_after, cst.ParenthesizedWhitespace):
            comma = comma.with_changes(whitespace_after=_bare(comma.whitespace_after))
        end = end.with_changes(comma=comma, whitespace_after_arg=last.whitespace_after_arg)
    return call.with_changes(args=[*laid, end])


def _joined(
    kept: Sequence[cst.Arg], options: Sequence[cst.BaseExpression]
) -> tuple[list[cst.Arg], list[cst.BaseExpression]]:
    """The mapper takes one `selectin_polymorphic()` of a class: the subclasses of a second go into the first."""
    args, left = list(kept), []
    for option in options:
        at = next((n for n, arg in enumerate(args) if _is_same_base(arg.value, option)), None)
        if at is None:
            left.append(option)
            continue
        call, more = cst.ensure_type(args[at].value, cst.Call), cst.ensure_type(option, cst.Call)
        classes, added = (cst.ensure_type(one.args[1].value, cst.List) for one in (call, more))
        there = {_code(element.value) for element in classes.elements}
        new = [element for element in added.elements if _code(element.value) not in there]
        last = [one.with_changes(comma=cst.MaybeSentinel.DEFAULT) for one in classes.elements]
        listed = classes.with_changes(elements=[*last, *new])
        args[at] = args[at].with_changes(value=call.with_deep_changes(call.args[1], value=listed))
    return args, left


def _is_same_base(there: cst.BaseExpression, option: cst.BaseExpression) -> bool:
    return all(
        isinstance(one, cst.Call)
        and last_name(one.func) == POLYMORPHIC
        and len(one.args) == 2
        and isinstance(one.args[1].value, cst.List)
        for one in (there, option)
    ) and _code(cst.ensure_type(there, cst.Call).args[0].value) == _code(
        cst.ensure_type(option, cst.Call).args[0].value
    )


def _laid(arg: cst.Arg, between: cst.Comma, *, ends: bool, call: cst.Call) -> cst.Arg:
    """An argument that another follows. ends: it was the last; the comment behind it, if any, stays with it."""
    space = arg.comma.whitespace_after if isinstance(arg.comma, cst.Comma) else None
    start = call.whitespace_before_args
    if ends and isinstance(space, cst.ParenthesizedWhitespace) and isinstance(start, cst.ParenthesizedWhitespace):
        space = space.with_changes(indent=start.indent, last_line=start.last_line)
        return arg.with_changes(comma=cst.Comma(whitespace_after=space), whitespace_after_arg=cst.SimpleWhitespace(""))
    comma = arg.comma if isinstance(arg.comma, cst.Comma) and not ends else between
    return arg.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))


def _bare(space: cst.ParenthesizedWhitespace) -> cst.ParenthesizedWhitespace:
    """The line end without comments and empty lines."""
    return space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())


def replaced(call: cst.Call, edit: LoaderEdit) -> set[tuple[str, str]]:
    """Which of the pairs that the edit replaces stand in this call. Raises CannotEdit where one cannot be taken out alone."""
    found: set[tuple[str, str]] = set()
    loaded = {(_loads(step), _key(step[1])) for step in _steps(edit.option)}
    for arg in call.args:
        steps = steps_of(arg.value)
        here = {step for step in steps if _matches(step, edit)}
        if here:
            others = {(_loads(step), _key(step[1])) for step in steps if step not in here} - loaded
            if others and edit.option and _undeferred(arg.value, edit) is None:
                raise CannotEdit(
                    f"`{_code(arg.value)}` must be replaced, and loads more than the edit does: change it by hand"
                )
            found |= {pair for pair in edit.replaces if any(_equal(step, pair) for step in here)}
    return found


def _undeferred(option: cst.BaseExpression, edit: LoaderEdit) -> cst.BaseExpression | None:
    """The eager load of an option whose last steps alone are replaced, since they defer columns that the edit loads:
    `joinedload(Author.books)` of `joinedload(Author.books).defer(Book.text)`."""
    begun = option
    while (
        isinstance(begun, cst.Call)
        and isinstance(begun.func, cst.Attribute)
        and isinstance(begun.func.value, cst.Call)
        and begun.func.attr.value == "defer"
        and _matches(steps_of(begun)[-1], edit)
    ):
        begun = begun.func.value
    steps = steps_of(begun)
    stands = any(step[0] in EAGER for step in steps) and not any(_matches(step, edit) for step in steps)
    return begun if edit.option and begun is not option and stands else None


def _gives_way(value: cst.BaseExpression, options: Sequence[cst.BaseExpression], edit: LoaderEdit) -> bool:
    if any(_matches(step, edit) for step in steps_of(value)):
        return True
    return any(continues(one, value) for one in options)


def _has(value: cst.BaseExpression, option: cst.BaseExpression) -> bool:
    return _code(value) == _code(option) or continues(value, option)


def _code(node: cst.BaseExpression) -> str:
    """Its text on one line, so that layouts do not matter."""
    return "".join(cst.Module([]).code_for_node(node).split())


def _matches(step: tuple[str, str], edit: LoaderEdit) -> bool:
    return any(_equal(step, pair) for pair in edit.replaces)


def _equal(step: tuple[str, str], pair: tuple[str, str]) -> bool:
    """An alias's name stands for its class: the attribute decides."""
    return step[0] == pair[0] and (step[1] == pair[1] or _key(step[1]) == _key(pair[1]))


def _key(attribute: str) -> str:
    return attribute.rpartition(".")[2]


def _loads(step: tuple[str, str]) -> bool:
    """Whether the step loads what it names; defaultload() passes through."""
    return step[0] != "defaultload"


def _steps(option: str) -> list[tuple[str, str]]:
    if not option:
        return []
    whole = cst.ensure_type(cst.parse_expression(f"({option.replace('{root}', 'alias')},)"), cst.Tuple)
    return [step for element in whole.elements for step in steps_of(element.value)]


def opened(execution: cst.Call, tree: Tree) -> cst.Call | None:
    """The call with its one argument on lines of its own; None when it is not a call of one argument on one line."""
    one_line = tree.first_line(execution.func) == tree.last_line(execution)
    if len(execution.args) != 1 or not one_line or isinstance(execution.args[0].comma, cst.Comma):
        return None
    indentation = tree.indentation(tree.first_line(execution))
    inner = cst.ParenthesizedWhitespace(
        indent=False, last_line=cst.SimpleWhitespace(indentation + tree.module.default_indent)
    )
    end = cst.ParenthesizedWhitespace(indent=False, last_line=cst.SimpleWhitespace(indentation))
    return execution.with_changes(
        whitespace_before_args=inner, args=[execution.args[0].with_changes(whitespace_after_arg=end)]
    )


def _spaced(args: Sequence[cst.Arg]) -> list[cst.Arg]:
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return [*(arg.with_changes(comma=comma) for arg in args[:-1]), *args[-1:]]


def one_a_line(listed: cst.List, indentation: str, unit: str) -> cst.List:
    """The list with each element on a line of its own."""
    inner, end = _line(indentation + unit), _line(indentation)
    last = len(listed.elements) - 1
    elements = [
        cst.Element(one.value, cst.Comma(whitespace_after=end if number == last else inner))
        for number, one in enumerate(listed.elements)
    ]
    return listed.with_changes(lbracket=cst.LeftSquareBracket(whitespace_after=inner), elements=elements)


def _wrapped(call: cst.Call, indentation: str, unit: str) -> cst.Call:
    """One argument a line, as formatters lay it out."""
    inner, end = _line(indentation + unit), _line(indentation)
    args = [arg.with_changes(comma=cst.Comma(whitespace_after=inner)) for arg in call.args[:-1]]
    args.append(call.args[-1].with_changes(comma=cst.Comma(whitespace_after=end)))
    return call.with_changes(whitespace_before_args=inner, args=args)


def _line(space: str) -> cst.ParenthesizedWhitespace:
    return cst.ParenthesizedWhitespace(indent=False, last_line=cst.SimpleWhitespace(space))
