"""Writes and commits in loops, what a commit makes necessary, and the clean twins."""

from operator import attrgetter
from threading import Thread

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from queryproof import propagate

from .labels import clean, faulty
from .models import ENTRY_TABLE, JOB_TABLE, Author, Entry, Job

NEW = range(1_000, 1_006)


@faulty("write-in-loop")
def insert_by_core(session: Session) -> None:
    for number in NEW:
        session.execute(insert(Entry).values(id=number, label="x"))  # origin


@faulty("write-in-loop")
def insert_by_a_connection(session: Session) -> None:
    connection = session.connection()
    row = {"label": "x", "amount": 0, "text": "", "c1": 0, "c2": 0, "c3": 0}
    for number in NEW:
        connection.execute(insert(ENTRY_TABLE).values(id=number, **row))  # origin


@faulty("write-in-loop")
def insert_by_plain_sql(session: Session) -> None:
    for number in NEW:
        session.execute(text("INSERT INTO jobs (id, state) VALUES (:id, 'open')"), {"id": number})  # origin


@faulty("write-in-loop")
def flush_of_each(session: Session) -> None:
    for number in NEW:
        session.add(Entry(id=number))
        session.flush()  # origin


@faulty("write-in-loop")
def flush_of_each_change(session: Session) -> None:
    for entry in session.scalars(select(Entry).where(Entry.id <= 6)).all():
        entry.amount += 1
        session.flush()  # origin


@faulty("write-in-loop")
def update_by_key(session: Session) -> None:
    for number in range(1, 7):
        session.execute(update(Entry).where(Entry.id == number).values(amount=number * 2))  # origin


@faulty("write-in-loop")
def update_by_core(session: Session) -> None:
    connection = session.connection()
    table = ENTRY_TABLE
    for number in range(1, 7):
        connection.execute(update(table).where(table.c.id == number).values(amount=number))  # origin


@faulty("write-in-loop")
def delete_by_key(session: Session) -> None:
    for number in range(1, 7):
        session.execute(delete(Entry).where(Entry.id == number))  # origin


@faulty("write-in-loop")
def upsert_of_each(session: Session) -> None:
    for number in range(58, 64):
        values = {"id": number, "label": "x", "amount": 0, "text": "", "c1": 0, "c2": 0, "c3": 0}
        statement = upsert(Entry).values(values).on_conflict_do_update(index_elements=["id"], set_={"label": "y"})
        session.execute(statement)  # origin


@faulty("write-in-loop")
def insert_in_a_helper(session: Session) -> None:
    def save(number: int) -> None:
        session.execute(insert(Job).values(id=number))  # origin

    for number in NEW:
        save(number)


@faulty("commit-in-loop", commits=True)
def commit_of_each_new_row(session: Session) -> None:
    for number in NEW:
        session.add(Entry(id=number))
        session.commit()  # origin


@faulty("commit-in-loop", commits=True)
def commit_of_each_change(session: Session) -> None:
    for job in session.scalars(select(Job).where(Job.id <= 6)).all():
        job.state = "done"
        session.commit()  # origin


@faulty("commit-in-loop", commits=True)
def commit_by_core(session: Session) -> None:
    with session.get_bind().connect() as connection:  # type: ignore[union-attr] # an engine
        for number in NEW:
            connection.execute(insert(JOB_TABLE).values(id=number, state="open"))
            connection.commit()  # origin


@faulty("commit-in-loop", commits=True)
def commit_in_a_helper(session: Session) -> None:
    def save(job: Job) -> None:
        session.add(job)
        session.commit()  # origin

    for number in NEW:
        save(Job(id=number))


@faulty("lazy-load-after-commit", commits=True)
def read_after_commit_by_code_of_others(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    authors[0].country = "no"
    session.commit()  # origin
    # No frame of the application is on the stack, as when a framework turns instances into JSON.
    thread = Thread(target=propagate(list), args=(map(attrgetter("name"), authors),))
    thread.start()
    thread.join()


@faulty("lazy-load-after-commit", commits=True)
def read_after_commit(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    authors[0].country = "somewhere"
    session.commit()  # origin
    print([author.name for author in authors])


@faulty("lazy-load-after-commit", commits=True)
def read_relationships_after_commit(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    authors[0].country = "elsewhere"
    session.commit()  # origin
    print([len(author.books) for author in authors])


@faulty("lazy-load-after-commit", commits=True)
def read_new_rows_after_commit(session: Session) -> None:
    entries = [Entry(id=number) for number in NEW]
    session.add_all(entries)
    session.commit()  # origin
    print([entry.label for entry in entries])


@faulty("lazy-load-after-commit", commits=True, marked=False)
def read_after_commit_without_a_scope(session: Session) -> None:
    jobs = session.scalars(select(Job).where(Job.id < 6)).all()
    for job in jobs:
        job.state = "done"
    session.commit()  # origin
    print([job.state for job in jobs])


# --- clean


@clean()
def insert_of_many(session: Session) -> None:
    session.execute(insert(Entry), [{"id": number, "label": "x"} for number in NEW])


@clean()
def add_all(session: Session) -> None:
    session.add_all([Entry(id=number) for number in NEW])
    session.flush()


@clean()
def changed_and_flushed_once(session: Session) -> None:
    for entry in session.scalars(select(Entry).where(Entry.id <= 6)).all():
        entry.amount += 1
    session.flush()


@clean()
def update_of_many(session: Session) -> None:
    session.execute(update(Entry).where(Entry.amount > 3).values(c1=1))


@clean()
def purge_in_batches(session: Session) -> None:
    batch = "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY id LIMIT 8)"
    for _ in range(7):
        session.execute(text(batch))


@clean()
def updates_in_chunks(session: Session) -> None:
    for start in range(0, 60, 10):
        session.execute(update(Entry).where(Entry.id > start, Entry.id <= start + 10).values(c2=1))


@clean()
def a_savepoint_for_each(session: Session) -> None:
    for number in NEW:
        with session.begin_nested():
            session.add(Entry(id=number))
            session.flush()


@clean()
def deletes_of_the_unit_of_work(session: Session) -> None:
    for entry in session.scalars(select(Entry).where(Entry.id <= 6)).all():
        session.delete(entry)
    session.flush()


@clean()
def a_few_inserts(session: Session) -> None:
    for number in (1_000, 1_001):
        session.execute(insert(Job).values(id=number))


@clean(commits=True)
def one_commit_at_the_end(session: Session) -> None:
    for number in NEW:
        session.add(Entry(id=number))
    session.commit()


@clean(commits=True)
def commit_of_each_batch(session: Session) -> None:
    for start in range(1_000, 1_050, 10):
        session.execute(insert(Entry), [{"id": start + number} for number in range(10)])
        session.commit()


@clean(commits=True)
def workers_commit_each_job(session: Session) -> None:
    for _ in range(6):
        query = select(Job).where(Job.state == "open").order_by(Job.id).limit(1).with_for_update(skip_locked=True)
        session.scalars(query).one().state = "done"
        session.commit()


@clean(commits=True, marked=False)
def a_commit_in_each_request(session: Session) -> None:
    for number in NEW:
        with Session(session.get_bind()) as other:
            other.add(Job(id=number))
            other.commit()


@clean(commits=True)
def read_back_after_commit(session: Session) -> None:
    entry = Entry(id=1_000)
    session.add(entry)
    session.commit()
    print(entry.label, entry.amount)


@clean(commits=True)
def kept_over_the_commit(session: Session) -> None:
    session.expire_on_commit = False
    authors = session.scalars(select(Author)).all()
    authors[0].country = "here"
    session.commit()
    print([author.name for author in authors])


@clean(commits=True)
def read_before_the_commit(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    names = [author.name for author in authors]
    authors[0].country = "there"
    session.commit()
    print(names)


@clean(commits=True)
def queried_again_after_commit(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    authors[0].country = "anywhere"
    session.commit()
    print([author.name for author in session.scalars(select(Author))])
