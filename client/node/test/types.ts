/** What TypeScript has to say of the types: `make check-types`. It is compiled, never run. */
import { connect, Raw, TimeoutError, type Client, type Value } from "../src/index.js";

async function main(): Promise<void> {
  await using m: Client = await connect("tcp://127.0.0.1:7223", { token: "x", tls: { ca: "pem" } });
  const isIn: boolean = await m.put("jobs", { a: 1n }, { timeoutMs: 5, signal: AbortSignal.timeout(5) });
  const value: Value = await m.take("jobs");
  const raw: Raw = await m.take("jobs", { raw: true });
  for await (const job of m.jobs("jobs", { lease: 30_000 })) await job.ack();
  const choice = await m.alts([{ take: "a" }, { put: "b", value: 1 }], { priority: true });
  for await (const row of m.list("x*")) console.log(row.channel, isIn, value, raw.text, choice.arm);
  const subscription = await m.tap("events", null, { kind: "sliding", capacity: 10, match: { "/type": "order" } });
  for await (const event of subscription) console.log(event);
  m.readable("a").pipe(m.writable("b", { close: true }));
  try {
    await m.put("a", 1);
  } catch (error) {
    if (error instanceof TimeoutError) console.log(error.code, error.accepted);
  }
  // @ts-expect-error: there is no such kind
  await m.create("x", "unbounded");
  // @ts-expect-error: a time is a number
  await m.take("x", { timeoutMs: "1" });
}
await main();
