"""pg_stat_statements of every major is read, and the difference of two readings is what came between."""

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sources.pg_stat_statements import snapshot, workload_between


def test_the_workload_between_two_snapshots_is_what_ran_between_them(major_server: Server, major_database: str) -> None:
    application = connect(major_database)
    reader = connect(major_database.replace("//app@", "//reader@"))
    with application.cursor() as cursor:
        cursor.execute("CREATE TABLE things (id int PRIMARY KEY, name text)")
        cursor.execute("INSERT INTO things SELECT g, 'n' || g FROM generate_series(1, 100) g")
        cursor.execute("SELECT name FROM things WHERE id = 1")
        before = snapshot(reader)
        for number in range(7):
            cursor.execute("SELECT name FROM things WHERE id = %s", (number,))
    workload = workload_between(before, snapshot(reader))
    groups = [group for group in workload.groups if "things" in group.text]
    assert [(group.calls, group.rows) for group in groups] == [(7, 6)]
    assert groups[0].text == "select name from things where id = $1"
    assert groups[0].total_ms is not None
    assert groups[0].total_ms > 0
    application.close()
    reader.close()


def test_the_programs_and_the_server_agree_on_the_version(major_server: Server) -> None:
    connection = connect(major_server.url())
    assert connection.server_version // 10000 == major_server.binaries.major
    connection.close()
