"""Runs the scenarios: `python -m queryproof.sample_db.run URL [NAME …]`."""

import asyncio
import sys
from collections.abc import Collection

from sqlalchemy.orm import Session

from .core.database import async_engine, request_session, sync_engine
from .scenarios import SCENARIOS, Scenario


def run_all(url: str, names: Collection[str] = ()) -> None:
    """Run the scenarios of those names, or all, each in sessions of its own."""
    chosen = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    engine = sync_engine(url)
    try:
        for scenario in chosen:
            if not scenario.is_async:
                for _ in range(scenario.times):
                    with Session(engine) as session:
                        scenario.run(session)
                        session.commit()
    finally:
        engine.dispose()
    asyncio.run(_run_async(url, [scenario for scenario in chosen if scenario.is_async]))


async def _run_async(url: str, chosen: Collection[Scenario]) -> None:
    engine = async_engine(url)
    try:
        for scenario in chosen:
            for _ in range(scenario.times):
                async with request_session(engine) as session:
                    await scenario.run(session)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m queryproof.sample_db.run URL [NAME …]")
    run_all(sys.argv[1], sys.argv[2:])
