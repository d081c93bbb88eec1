"""TPC-H and TPC-DS in a kept server: data and queries come from the duckdb 1.1.3 wheel at run time.

They are not part of this repository.
"""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import psycopg2

from queryproof.analyzer.postgres.connect import connect

from .kept_server import BENCH, KeptServer
from .packages import install

EXPORT = """
import sys, pathlib, duckdb
kind, place = sys.argv[1], pathlib.Path(sys.argv[2])
place.mkdir(parents=True, exist_ok=True)
db = duckdb.connect()
db.execute("SET threads = 1")
db.execute(f"LOAD {kind}")
db.execute(f"CALL {'dbgen' if kind == 'tpch' else 'dsdgen'}(sf=1)")
for (table,) in db.execute("SHOW TABLES").fetchall():
    db.execute(f"COPY {table} TO '{place / (table + '.csv')}' (HEADER false)")
    columns = db.execute(f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position").fetchall()
    (place / (table + ".sql")).write_text(f"CREATE TABLE {table} (" + ", ".join(f"{n} {t}" for n, t in columns) + ")")
for number, sql in db.execute(f"SELECT query_nr, query FROM {kind}_queries()").fetchall():
    (place / f"q{number:02}.query").write_text(sql)
"""
TPCH_TABLES = {
    "region": "r_regionkey integer, r_name char(25), r_comment varchar(152), PRIMARY KEY (r_regionkey)",
    "nation": "n_nationkey integer, n_name char(25), n_regionkey integer, n_comment varchar(152), PRIMARY KEY (n_nationkey)",
    "supplier": "s_suppkey integer, s_name char(25), s_address varchar(40), s_nationkey integer, s_phone char(15),"
    " s_acctbal decimal(15,2), s_comment varchar(101), PRIMARY KEY (s_suppkey)",
    "customer": "c_custkey integer, c_name varchar(25), c_address varchar(40), c_nationkey integer, c_phone char(15),"
    " c_acctbal decimal(15,2), c_mktsegment char(10), c_comment varchar(117), PRIMARY KEY (c_custkey)",
    "part": "p_partkey integer, p_name varchar(55), p_mfgr char(25), p_brand char(10), p_type varchar(25), p_size integer,"
    " p_container char(10), p_retailprice decimal(15,2), p_comment varchar(23), PRIMARY KEY (p_partkey)",
    "partsupp": "ps_partkey integer, ps_suppkey integer, ps_availqty integer, ps_supplycost decimal(15,2),"
    " ps_comment varchar(199), PRIMARY KEY (ps_partkey, ps_suppkey)",
    "orders": "o_orderkey integer, o_custkey integer, o_orderstatus char(1), o_totalprice decimal(15,2), o_orderdate date,"
    " o_orderpriority char(15), o_clerk char(15), o_shippriority integer, o_comment varchar(79), PRIMARY KEY (o_orderkey)",
    "lineitem": "l_orderkey integer, l_partkey integer, l_suppkey integer, l_linenumber integer, l_quantity decimal(15,2),"
    " l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag char(1), l_linestatus char(1),"
    " l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25), l_shipmode char(10),"
    " l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber)",
}
"""The benchmark's own types (identifiers as integer) and primary keys; nothing else."""
TPCH_LEFT_OUT = (2, 17, 20)
"""Their cost without indexes is beyond all others' together; the published figures leave them out too."""
TPCDS_LEFT_OUT = (4, 6, 9, 10, 11, 32, 35, 41, 95)
"""The nine that the published figures leave out."""
TPCDS_KEYS = {
    "call_center": "cc_call_center_sk", "catalog_page": "cp_catalog_page_sk", "catalog_returns": "cr_item_sk, cr_order_number",
    "catalog_sales": "cs_item_sk, cs_order_number", "customer": "c_customer_sk", "customer_address": "ca_address_sk",
    "customer_demographics": "cd_demo_sk", "date_dim": "d_date_sk", "household_demographics": "hd_demo_sk",
    "income_band": "ib_income_band_sk", "inventory": "inv_date_sk, inv_item_sk, inv_warehouse_sk", "item": "i_item_sk",
    "promotion": "p_promo_sk", "reason": "r_reason_sk", "ship_mode": "sm_ship_mode_sk", "store": "s_store_sk",
    "store_returns": "sr_item_sk, sr_ticket_number", "store_sales": "ss_item_sk, ss_ticket_number", "time_dim": "t_time_sk",
    "warehouse": "w_warehouse_sk", "web_page": "wp_web_page_sk", "web_returns": "wr_item_sk, wr_order_number",
    "web_sales": "ws_item_sk, ws_order_number", "web_site": "web_site_sk",
}  # fmt: skip


def loaded(server: KeptServer, kind: str) -> str:
    """URL of the database `kind` (tpch, tpcds) on the running server, as its owner; loaded when it is not there yet."""
    done = server.directory / f"{kind}.loaded"
    if not done.exists():
        folder = exported(kind)
        with contextlib.suppress(psycopg2.errors.DuplicateDatabase):
            server.create_database(kind)
        connection = connect(server.url(kind, "app"))
        with connection.cursor() as cursor:
            for file in sorted(folder.glob("*.csv")):
                table = file.stem
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
                if kind == "tpch":
                    columns, key = TPCH_TABLES[table].split(", PRIMARY KEY ")
                    cursor.execute(f"CREATE TABLE {table} ({columns})")
                else:
                    cursor.execute((folder / f"{table}.sql").read_text())
                    key = f"({TPCDS_KEYS[table]})"
                with file.open() as source:
                    cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", source)
                cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY {key}")
            cursor.execute("VACUUM (ANALYZE)")
        connection.close()
        done.write_text("whole\n")
    return server.url(kind, "app")


def exported(kind: str) -> Path:
    """The folder with the tables as CSV and the queries, made when it is not there."""
    folder, packages = BENCH / f"{kind}-csv", BENCH / "packages"
    if not (folder / "q22.query").exists():
        install("duckdb==1.1.3", packages)
        environment = {"PYTHONPATH": str(packages), "HOME": str(BENCH)}
        subprocess.run([sys.executable, "-c", EXPORT, kind, str(folder)], check=True, env=environment)
    return folder


def queries(kind: str) -> dict[str, str]:
    """The benchmark's queries by name (`q01`), in PostgreSQL's dialect."""
    found = {file.stem: _dialect(file.read_text()) for file in sorted(exported(kind).glob("*.query"))}
    left_out = TPCH_LEFT_OUT if kind == "tpch" else TPCDS_LEFT_OUT
    return {name: sql for name, sql in found.items() if int(name[1:]) not in left_out}


def _dialect(sql: str) -> str:
    sql = sql.strip().rstrip(";")
    sql = re.sub(r"(?i)\binterval\s+'?(\d+)'?\s+day(s)?\b", r"interval '\1 days'", sql)
    return re.sub(r"(?i)([+-])\s*(\d+)\s+days\b", r"\1 interval '\2 days'", sql)
