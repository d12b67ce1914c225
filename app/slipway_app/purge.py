"""The clean-up job: deletes old notes. `python -m slipway_app.purge --older-than-days 30`."""

import argparse
import asyncio
import sys

from slipway_app.database import create_pool, purge_notes
from slipway_app.settings import DatabaseSettings, load


async def purge(settings: DatabaseSettings, older_than_days: int) -> int:
    """Delete notes that are older than this many days; return how many."""
    async with create_pool(settings) as pool:
        return await purge_notes(pool, older_than_days)


def main() -> None:
    """Read the arguments, purge, say how many."""
    parser = argparse.ArgumentParser(prog="python -m slipway_app.purge", description="Deletes old notes.")
    parser.add_argument("--older-than-days", type=int, default=30, help="1 to 36500 (default: 30)")
    days: int = parser.parse_args().older_than_days
    if not 1 <= days <= 36_500:
        parser.error(f"--older-than-days must be 1 to 36500, not {days}")
    deleted = asyncio.run(purge(load(DatabaseSettings), days))
    sys.stdout.write(f"deleted {deleted} notes older than {days} days\n")


if __name__ == "__main__":
    main()
