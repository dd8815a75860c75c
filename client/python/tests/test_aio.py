"""The asyncio client against the real daemon: nothing is lost, whatever is cancelled."""
import asyncio
import random
import unittest

from common import CHANNELS, DEADLINE_S, Connection, Daemon, books_balance, millrace, url_of, wait_until


class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # unittest switches it on; it makes each of the storm's tasks ten times as slow
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.observer = Connection(self.daemon)
        self.addCleanup(self.observer.close)
        self.m = await millrace.connect(url_of(self.daemon), name="test")
        self.addAsyncCleanup(self.m.disconnect)
        for name, kind, capacity in CHANNELS:
            await self.m.create(name, kind, capacity)

    async def within(self, awaitable):
        return await asyncio.wait_for(awaitable, DEADLINE_S)

    async def parked(self, channel, **wanted):
        return await asyncio.to_thread(wait_until, self.observer, channel, **wanted)


class Basics(Case):
    async def test_put_and_take(self):
        self.assertTrue(await self.m.put("jobs", {"n": 2**70, "t": "\u00e9"}))
        self.assertEqual(await self.m.take("jobs"), {"n": 2**70, "t": "\u00e9"})
        self.assertEqual((await self.m.stat("jobs"))["leased"], 0)

    async def test_kinds_answer_as_they_should(self):
        self.assertTrue(await self.m.put("lossy", 1))
        self.assertFalse(await self.m.put("lossy", 2))
        self.assertEqual(await self.m.put_many("latest", [1, 2, 3]), 3)
        self.assertEqual(await self.m.peek("latest"), [3])
        await self.m.put("leader", "a")
        self.assertEqual([await self.m.take("leader"), await self.m.take("leader")], ["a", "a"])
        with self.assertRaises(millrace.Timeout):
            await self.m.put("meet", 1, timeout=0)

    async def test_take_many_gives_what_is_there(self):
        await self.m.put_many("jobs", [1, 2, 3])
        self.assertEqual(await self.m.take_many("jobs", 2), [1, 2])
        self.assertEqual(await self.m.take_many("jobs", 100), [3])

    async def test_errors_have_their_class_and_code(self):
        with self.assertRaises(millrace.Refused) as refused:
            await self.m.put("nowhere", 1)
        self.assertEqual(refused.exception.code, "no_such_channel")
        await self.m.close("jobs")
        with self.assertRaises(millrace.Closed):
            await self.m.take("jobs")
        with self.assertRaises(TimeoutError):
            await self.m.take("meet", timeout=0)
        with self.assertRaises(ValueError):
            await self.m.take("meet", timeout=-1)
        with self.assertRaises(TypeError):
            await self.m.put("meet", object())
        with self.assertRaises(ValueError):
            await self.m.put("meet", "x" * 2_000_000)
        await self.m.ping()

    async def test_a_batch_that_ends_early_says_how_much_is_in(self):
        with self.assertRaises(millrace.Timeout) as error:
            await self.m.put_many("jobs", range(20), timeout=0)
        self.assertEqual(error.exception.accepted, 8)

    async def test_alts_happens_once(self):
        with self.assertRaises(millrace.Timeout):
            await self.m.alts(["jobs", "meet"], timeout=0)
        choice = await self.m.alts(["meet", ("jobs", "x")])
        self.assertEqual((choice.arm, choice.channel), (1, "jobs"))
        choice = await self.m.alts(["meet", "jobs"], priority=True)
        self.assertEqual((choice.arm, choice.value), (1, "x"))
        self.assertEqual((await self.m.stat("jobs"))["leased"], 0)
        await self.m.put("leader", 7)
        self.assertEqual((await self.m.alts(["meet", "leader"])).value, 7)

    async def test_a_value_that_cannot_be_held_fails_alone_and_stays(self):
        await self.m.put_many("jobs", [millrace.Raw(b"1e99999999999999999999"), 2])
        waiting = asyncio.ensure_future(self.m.take("meet"))
        with self.assertRaises(millrace.Undecodable) as error:
            await self.m.take("jobs")
        self.assertEqual(error.exception.raw, "1e99999999999999999999")
        self.assertEqual(await self.m.take("jobs", raw=True), b"1e99999999999999999999")
        self.assertEqual(await self.m.take("jobs"), 2)
        await self.m.put("meet", "still here")
        self.assertEqual(await self.within(waiting), "still here")

    async def test_rows_come_by_pages(self):
        names = sorted([f"n{i:04}" for i in range(1500)])
        await asyncio.gather(*[self.m.create(name, "bounded", 1) for name in names])
        self.assertEqual([row["channel"] async for row in self.m.list("n*")], names)


class Leases(Case):
    async def test_jobs_are_acknowledged_when_the_next_is_asked_for(self):
        await self.m.put_many("jobs", [1, 2, 3])
        await self.m.close("jobs")
        done = [job.value async for job in self.m.jobs("jobs", lease=30)]
        self.assertEqual(done, [1, 2, 3])
        row = await self.m.stat("jobs")
        self.assertEqual((row["taken"], row["leased"]), (3, 0))

    async def test_an_exception_in_the_loop_gives_the_job_back(self):
        await self.m.put("jobs", 1)
        with self.assertRaises(ZeroDivisionError):
            async for _job in self.m.jobs("jobs"):
                1 / 0
        job = await self.within(self.m.take_job("jobs"))
        self.assertEqual(job.deliveries, 2)
        await job.ack()

    async def test_with_with_a_break_is_a_normal_end(self):
        await self.m.put_many("jobs", [1, 2])
        async with self.m.jobs("jobs") as jobs:
            async for _job in jobs:
                break
        self.assertEqual(await self.m.take("jobs"), 2)

    async def test_ack_nack_extend(self):
        await self.m.put("jobs", "x")
        job = await self.m.take_job("jobs")
        await job.extend(60)
        await job.nack()
        async with await self.m.take_job("jobs") as job:
            self.assertEqual(job.deliveries, 2)
        with self.assertRaises(millrace.Timeout):
            await self.m.take("jobs", timeout=0)

    async def test_a_lease_is_extended_while_the_job_is_held(self):
        await self.m.put("jobs", "x")
        job = await self.m.take_job("jobs", lease=0.3)
        taker = asyncio.ensure_future(self.m.take("jobs", timeout=1.5))
        with self.assertRaises(millrace.Timeout):
            await taker
        await job.ack()

    async def test_a_lease_that_ended_is_said_to_be_lost(self):
        await self.m.put("jobs", "x")
        job = await self.m.take_job("jobs", lease=0.05)
        job._stop_extending()
        again = await self.within(self.m.take_job("jobs"))
        with self.assertRaises(millrace.LeaseLost):
            await job.ack()
        await again.ack()


class Cancelling(Case):
    async def test_a_cancelled_take_leaves_the_daemon_and_eats_nothing(self):
        taker = asyncio.ensure_future(self.m.take("jobs"))
        await self.parked("jobs", parked_takes=1)
        taker.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await taker
        await self.parked("jobs", parked_takes=0)
        await self.m.put("jobs", 1)
        self.assertEqual(await self.m.take("jobs"), 1)

    async def test_a_cancelled_put_leaves_the_daemon(self):
        putter = asyncio.ensure_future(self.m.put("meet", 1))
        await self.parked("meet", parked_puts=1)
        putter.cancel()
        await self.parked("meet", parked_puts=0)
        with self.assertRaises(asyncio.CancelledError):
            await putter

    async def test_a_storm_of_cancels_loses_nothing(self):
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        await self.m.create("storm", "bounded", 50)
        got, total, takes = [], 1000, set()

        async def producer():
            for i in range(total):
                await self.m.put("storm", i)

        async def consumer():
            while len(got) < total:
                task = asyncio.ensure_future(self.m.take("storm"))
                takes.add(task)
                task.add_done_callback(takes.discard)
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                    if task.done():
                        break
                else:
                    if chance.random() < 0.7:
                        task.cancel()
                await asyncio.wait({task})
                if not task.cancelled():
                    got.append(task.result())
                if len(got) >= total:
                    finished.set()

        finished = asyncio.Event()
        work = [asyncio.ensure_future(consumer()) for _ in range(8)] + [asyncio.ensure_future(producer())]
        await self.within(finished.wait())
        for task in [*work, *takes]:
            task.cancel()
        await asyncio.gather(*work, *takes, return_exceptions=True)
        self.assertEqual(sorted(got), list(range(total)))
        row = await self.parked("storm", leased=0, parked_takes=0)
        self.assertTrue(books_balance(row), row)

    async def test_a_timeout_around_a_take_is_no_other_thing_than_a_cancel(self):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.m.take("jobs"), 0.02)
        await self.parked("jobs", parked_takes=0)


class Cuts(Case):
    async def test_requests_go_on_when_the_connection_comes_back(self):
        taker = asyncio.ensure_future(self.m.take("meet"))
        await self.parked("meet", parked_takes=1)
        for link in list(self.m._links.values()):
            link._transport.abort()
            await link.ended
        await self.m.put("meet", "after the cut")
        self.assertEqual(await self.within(taker), "after the cut")

    async def test_a_put_enters_once_over_cuts(self):
        self.assertIn("once", self.m.features)
        await self.m.create("all", "bounded", 1000)
        puts = [asyncio.ensure_future(self.m.put("all", i)) for i in range(200)]
        cuts = 0
        while not all(put.done() for put in puts):
            for link in list(self.m._links.values()):
                if cuts < 20 and link.is_open:
                    link._transport.abort()
                    cuts += 1
            await asyncio.wait(puts, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        self.assertTrue(all(put.result() for put in puts))
        self.assertEqual(sorted(await self.m.take_many("all", 1000)), list(range(200)))

    async def test_who_is_away_for_too_long_is_lost(self):
        async with millrace.connect(url_of(self.daemon), reconnect=0.2) as other:
            self.daemon.stop()
            with self.assertRaises(millrace.ConnectionLost):
                await other.take("jobs")

    async def test_nobody_there(self):
        with self.assertRaises(millrace.ConnectionLost):
            await millrace.connect("unix:///nowhere/m.sock", connect_timeout=0.2)

    async def test_the_next_address_is_tried(self):
        async with millrace.connect(f"unix:///nowhere/m.sock,{url_of(self.daemon)}") as other:
            await other.ping()

    async def test_a_stranger_who_sends_too_much_is_cut_off(self):
        async def hostile(reader, writer):
            await reader.read(100)
            writer.write(b"\x7f\xff\xff\xff" + b"x" * 100)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

        server = await asyncio.start_server(hostile, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with self.assertRaises(millrace.ConnectionLost):
            await millrace.connect(f"tcp://127.0.0.1:{port}", connect_timeout=0.3)
        server.close()


if __name__ == "__main__":
    unittest.main()
