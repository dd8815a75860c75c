"""The first of several sources, or none in time, with asyncio: `race.py CHANNEL...`."""
import asyncio
import sys

import millrace


async def main(channels: "list[str]") -> None:
    async with millrace.connect(name="race.py") as m:
        try:
            choice = await m.alts(channels, timeout=2.5)
            print(choice.channel, choice.value)
        except millrace.Timeout:
            print("nothing came in time")


asyncio.run(main(sys.argv[1:] or ["jobs", "requests"]))
