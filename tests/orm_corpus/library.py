"""The database of the corpus, filled once; records a scenario on it and judges what was recorded."""

import asyncio
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from queryproof import record, scope
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.schema import Schema
from queryproof.analyzer.sources.grouping import build_workload
from queryproof.analyzer.sources.journal import read_recording
from queryproof.analyzer.sql.parse import analyse
from queryproof.analyzer.sql.statement import Statement
from queryproof.rules.finding import Finding
from queryproof.rules.judge import judge
from queryproof.rules.orm_rule import OrmRule
from queryproof.rules.rule import Case, all_rules

from . import models
from .labels import UNDO, Scenario

ORM_RULES = {rule.name for rule in all_rules() if isinstance(rule, OrmRule)}


class Library:
    """The database, filled once, with an engine for each driver."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engines = {driver: create_engine(url.replace("psycopg2", driver)) for driver in ("psycopg2", "psycopg")}
        engine = self.engines["psycopg2"]
        models.Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all(models.rows())
            session.commit()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        with connect(url) as connection:
            self.schema: Schema = read_schema(connection)
        self._statements: dict[str, Statement] = {}

    def run(self, scenario: Scenario, driver: str, directory: Path) -> list[Finding]:
        """Record the scenario and judge it."""
        if scenario.is_async or driver == "asyncpg":
            asyncio.run(self._run_async(scenario, directory))
        else:
            engine = self.engines[driver]
            with record(engine, directory, level=2 if scenario.deep else 1), Session(engine) as session:
                if scenario.marked:
                    with scope(scenario.name):
                        scenario.run(session)
                else:
                    scenario.run(session)
        if scenario.commits:
            with self.engines["psycopg2"].begin() as connection:
                connection.execute(text(UNDO))
        return self._judged(directory)

    async def _run_async(self, scenario: Scenario, directory: Path) -> None:
        engine = create_async_engine(self.url.replace("psycopg2", "asyncpg"), poolclass=NullPool)
        with record(engine, directory, level=2 if scenario.deep else 1):
            async with AsyncSession(engine) as session:
                if scenario.marked:
                    with scope(scenario.name):
                        await self._in(session, scenario)
                else:
                    await self._in(session, scenario)
        await engine.dispose()

    @staticmethod
    async def _in(session: AsyncSession, scenario: Scenario) -> None:
        await (scenario.run(session) if scenario.is_async else session.run_sync(scenario.run))

    def _judged(self, directory: Path) -> list[Finding]:
        recording = read_recording(directory)
        workload = build_workload(recording.queries, (recording.source,), recording.events, recording.uses)
        for group in workload.groups:
            if group.text not in self._statements:
                self._statements[group.text] = analyse(group.text, None)
        statements = {group.fingerprint: self._statements[group.text] for group in workload.groups}
        findings, _ = judge(Case(workload, statements, {}, self.schema))
        return [finding for finding in findings if finding.rule in ORM_RULES]
