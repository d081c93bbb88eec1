"""What several edits of one query line have measured together is shared out among them."""

from dataclasses import replace

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import Evidence, LoaderEdit, Measurement, QueryEvidence, Recommendation
from queryproof.orm_evidence import with_proofs
from queryproof.orm_proof import OrmProof
from queryproof.rules.finding import Finding, Severity, Subject


def edit_at(place: CallSite, relationship: str, saves_ms: float, root: str = "Author") -> Recommendation:
    edit = LoaderEdit(place, root, f"selectinload({root}.{relationship})", ("selectinload",), ())
    figures = (QueryEvidence(relationship, Measurement(queries=9), Measurement(queries=1)),)
    evidence = Evidence("estimated", "counted", figures)
    return Recommendation(
        relationship, "orm-edit", "", "", evidence, (), (), saves_ms=saves_ms, place=place, edit=edit
    )  # fmt: skip


def test_what_several_edits_of_one_line_save_together_is_shared_out() -> None:
    place, other = CallSite("app.py", 7, "f"), CallSite("app.py", 9, "g")
    proof = OrmProof(place, "Author", (("Author.books",),), 50.0, 19, 40.0, 3, 10.0, rounds=1)
    given = [edit_at(place, "books", 6.0), edit_at(place, "prizes", 3.0), edit_at(place, "tags", 5.0, "Book"), edit_at(other, "x", 1.0)]  # fmt: skip
    books, prizes, tags, x = with_proofs(given, (), [proof])
    assert (books.saves_ms, prizes.saves_ms) == (20.0, 10.0)
    assert "another edit of the line" in books.evidence.origin
    # Another class of the same line, and another line, are not what was proven.
    assert (tags, x) == (given[2], given[3])
    (alone,) = with_proofs(given[:1], (), [replace(proof, ms_recorded=12.0)])
    assert alone.saves_ms == 12.0
    assert "In the recording they took 12 ms" in alone.evidence.origin


def test_eager_loading_and_undefer_at_one_line_have_each_their_own_proof() -> None:
    place = CallSite("app.py", 7, "f")
    eager = OrmProof(place, "Author", (("Author.books",),), 50.0, 31, 40.0, 22, 30.0, rounds=1)
    columns = replace(eager, paths=(), columns=(("Author.bio",),), queries_after=11, ms_after=15.0)
    books = edit_at(place, "books", 6.0)
    assert books.edit is not None
    bio = replace(books, id="bio", edit=replace(books.edit, option="undefer(Author.bio)", loaders=("undefer",)))
    told = with_proofs([books, bio], (), [eager, columns])
    assert [(one.saves_ms, one.evidence.queries[0].after.queries) for one in told] == [(10.0, 22), (25.0, 11)]
    assert not any("another edit" in one.evidence.origin for one in told)
    # One kind's proof says nothing of the other.
    assert with_proofs([books, bio], (), [columns])[0] == books


def test_what_no_proof_belongs_to_says_why_where_the_finding_is_of_the_orm() -> None:
    def found(rule: str) -> tuple[Recommendation, Finding]:
        subject = Subject(rule, None, (), rule)
        finding = Finding(rule, "X1", Severity.WARNING, subject, "", (), Evidence("measured", "counted"))
        return replace(edit_at(CallSite("app.py", 7, "f"), rule, 1.0), settles=(finding.identity,)), finding

    pairs = [found(rule) for rule in ("n-plus-one", "cartesian-eager-load", "select-star")]
    given, findings = [one for one, _ in pairs], [finding for _, finding in pairs]
    told = [one.evidence.origin.removeprefix("counted") for one in with_proofs(given, findings, ())]
    assert told == [
        "; not measured, because no proof was made for this line's query",
        "; not measured, because a proof tries eager loading and undefer() where an N+1 or deferred columns ask for it, and no other edit",
        "",
    ]
    assert with_proofs(given, findings, None) == given
