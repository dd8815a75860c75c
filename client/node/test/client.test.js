import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import test from "node:test";
import tls from "node:tls";
import { ClosedError, ConnectionLostError, LeaseLostError, Raw, RefusedError, TimeoutError, connect } from "../src/index.js";
import { booksBalance, listening, setUp, speaker, standIn, startDaemon, until } from "./daemon.js";

test("put and take, of each kind", async (t) => {
  const { m } = await setUp(t);
  assert.equal(await m.put("jobs", { n: 2n ** 70n, t: "\u00e9" }), true);
  assert.deepEqual(await m.take("jobs"), { n: 2n ** 70n, t: "\u00e9" });
  assert.equal(await m.put("lossy", 1), true);
  assert.equal(await m.put("lossy", 2), false);
  assert.equal(await m.putMany("latest", [1, 2, 3]), 3);
  assert.deepEqual(await m.peek("latest"), [3]);
  await m.put("leader", "a");
  assert.deepEqual([await m.take("leader"), await m.take("leader")], ["a", "a"]);
  await m.putMany("jobs", [1, 2, 3]);
  assert.deepEqual(await m.takeMany("jobs", 2), [1, 2]);
  assert.deepEqual(await m.takeMany("jobs", 9), [3]);
  await m.put("jobs", new Raw("1.000"));
  assert.equal((await m.take("jobs", { raw: true })).text, "1.000");
  assert.equal((await until(m, "jobs", { leased: 0 })).taken, 5);
});

test("errors have a class and a code", async (t) => {
  const { m } = await setUp(t);
  await assert.rejects(m.put("nowhere", 1), (error) => error instanceof RefusedError && error.code === "no_such_channel");
  await assert.rejects(m.take("meet", { timeoutMs: 0 }), TimeoutError);
  await assert.rejects(m.putMany("jobs", Array(20).fill(1), { timeoutMs: 0 }), (error) => error.accepted === 8);
  await assert.rejects(m.take("meet", { timeoutMs: 1.5 }), RangeError);
  await assert.rejects(m.put("meet", NaN), TypeError);
  await assert.rejects(m.put("meet", "x".repeat(2_000_000)), RangeError);
  await m.delete("jobs", { force: true });
  await m.create("jobs", "bounded", 1);
  await m.close("jobs");
  await assert.rejects(m.take("jobs"), ClosedError);
  await m.ping();
});

test("alts happens once", async (t) => {
  const { m } = await setUp(t);
  await assert.rejects(m.alts([{ take: "jobs" }, { take: "meet" }], { timeoutMs: 0 }), TimeoutError);
  assert.equal((await m.alts([{ take: "meet" }, { put: "jobs", value: "x" }])).arm, 1);
  const choice = await m.alts([{ take: "meet" }, { take: "jobs" }], { lease: 30_000 });
  assert.equal(choice.value, "x");
  await choice.job.nack();
  assert.equal((await m.alts([{ take: "jobs" }], { priority: true })).value, "x");
  await m.put("leader", 7);
  assert.equal((await m.alts([{ take: "meet" }, { take: "leader" }])).value, 7);
});

test("jobs are acknowledged when the next is asked for, and given back on an exception", async (t) => {
  const { m } = await setUp(t);
  await m.putMany("jobs", [1, 2]);
  await assert.rejects(async () => {
    for await (const _job of m.jobs("jobs")) throw new Error("failed");
  }, /failed/);
  await m.close("jobs");
  const seen = [];
  for await (const job of m.jobs("jobs", { lease: 30_000 })) seen.push([job.value, job.deliveries]);
  assert.deepEqual(seen, [[1, 2], [2, 1]]);
  assert.equal((await m.stat("jobs")).taken, 2);
});

test("a job is extended while it is held, and lost when its lease has ended", async (t) => {
  const { m } = await setUp(t);
  await m.put("jobs", "x");
  const job = await m.takeJob("jobs", { lease: 200 });
  await assert.rejects(m.take("jobs", { timeoutMs: 700 }), TimeoutError);
  await job.nack();
  const short = await m.takeJob("jobs", { lease: 60_000 });
  await short.extend(60_000);
  await m.delete("jobs", { force: true });
  await assert.rejects(short.ack(), LeaseLostError);
});

test("an aborted take is withdrawn, and eats nothing", async (t) => {
  const { m } = await setUp(t);
  const abort = new AbortController();
  const taking = m.take("jobs", { signal: abort.signal });
  await until(m, "jobs", { parked_takes: 1 });
  abort.abort(new Error("not any more"));
  await assert.rejects(taking, /not any more/);
  await until(m, "jobs", { parked_takes: 0 });
  await m.put("jobs", 1);
  assert.equal(await m.take("jobs"), 1);
  await assert.rejects(m.take("jobs", { signal: AbortSignal.abort() }), { name: "AbortError" });
  const putting = new AbortController();
  const put = m.put("meet", 1, { signal: putting.signal });
  await until(m, "meet", { parked_puts: 1 });
  putting.abort();
  await assert.rejects(put, { name: "AbortError" });
  await until(m, "meet", { parked_puts: 0 });
});

test("an abort counts at whatever moment it comes", async (t) => {
  const { m } = await setUp(t);
  const begins = [(signal) => m.take("jobs", { signal }), (signal) => m.takeJob("jobs", { signal }), (signal) => m.put("meet", 1, { signal })];
  for (let turns = 0; turns < 12; turns++) {
    for (const begin of begins) {
      const abort = new AbortController();
      const begun = begin(abort.signal);
      for (let i = 0; i < turns; i++) await null;
      abort.abort();
      await assert.rejects(begun, { name: "AbortError" });
    }
  }
  await until(m, "jobs", { parked_takes: 0 });
  await until(m, "meet", { parked_puts: 0 });
});

test("an abort counts while other puts have all the places", async (t) => {
  const { m } = await setUp(t);
  const others = new AbortController();
  const parked = Array.from({ length: 512 }, () => m.put("meet", 1, { signal: others.signal }));
  const abort = new AbortController();
  const waiting = m.put("meet", 2, { signal: abort.signal });
  const last = m.put("meet", 3);
  await until(m, "meet", { parked_puts: 512 });
  abort.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  others.abort();
  for (const put of await Promise.allSettled(parked)) assert.equal(put.reason.name, "AbortError");
  assert.equal(await m.take("meet"), 3);
  assert.equal(await last, true);
});

test("a storm of aborts loses nothing", async (t) => {
  const { m } = await setUp(t);
  let state = Number(process.env.MILLRACE_SEED ?? 20261126);
  t.diagnostic(`seed ${state}`);
  const chance = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const total = 1500;
  const got = [];
  const consumer = async () => {
    while (got.length < total) {
      const abort = new AbortController();
      const taking = m.take("jobs", { signal: abort.signal, timeoutMs: 30_000 });
      if (chance() < 0.6) {
        const turns = Math.floor(chance() * 4);
        (async () => {
          for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
          abort.abort();
        })();
      }
      try {
        got.push(await taking);
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
      if (got.length >= total) finish.abort();
    }
  };
  const finish = new AbortController();
  const producer = async () => {
    for (let i = 0; i < total; i++) await m.put("jobs", i);
  };
  const consumers = Array.from({ length: 6 }, consumer);
  await producer();
  await new Promise((resolve) => (finish.signal.aborted ? resolve() : finish.signal.addEventListener("abort", resolve)));
  await m.close("jobs");
  await Promise.allSettled(consumers);
  assert.deepEqual([...got].sort((a, b) => a - b), Array.from({ length: total }, (_, i) => i));
  assert.ok(booksBalance(await until(m, "jobs", { leased: 0 })));
});

test("streams hold up and are held up", async (t) => {
  const { m } = await setUp(t);
  const values = Array.from({ length: 100 }, (_, i) => i);
  const seen = [];
  await Promise.all([
    pipeline(values, m.writable("jobs", { close: true })),
    pipeline(m.readable("jobs"), async (source) => {
      for await (const value of source) seen.push(value);
    }),
  ]);
  assert.deepEqual(seen, values);
});

test("rows come by pages", async (t) => {
  const { m } = await setUp(t);
  const names = Array.from({ length: 1500 }, (_, i) => `n${String(i).padStart(4, "0")}`);
  await Promise.all(names.map((name) => m.create(name, "bounded", 1)));
  const seen = [];
  for await (const row of m.list("n*")) seen.push(row.channel);
  assert.deepEqual(seen, names);
});

test("a take goes on when the connection comes back", async (t) => {
  const daemon = await startDaemon("--set", "channels={meet: {kind: unbuffered}}");
  t.after(() => daemon.stop());
  const sockets = new Set();
  const proxy = net.createServer((client) => {
    const server = net.connect(daemon.port, "127.0.0.1");
    sockets.add(client);
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on("error", () => {});
    client.on("close", () => server.destroy());
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => proxy.close());
  const m = await connect(`tcp://127.0.0.1:${proxy.address().port}`);
  const other = await connect(daemon.socketUrl);
  t.after(() => Promise.all([m.disconnect(), other.disconnect()]));
  const taking = m.take("meet");
  await until(other, "meet", { parked_takes: 1 });
  for (const socket of sockets) socket.destroy();
  await other.put("meet", "after the cut");
  assert.equal(await taking, "after the cut");
});

test("nobody there, the next address, a stranger", async (t) => {
  const { daemon } = await setUp(t);
  await assert.rejects(connect("unix:///nowhere/m.sock", { connectTimeoutMs: 100 }), ConnectionLostError);
  const other = await connect(`unix:///nowhere/m.sock,${daemon.socketUrl}`);
  await other.ping();
  await other.disconnect();
  await assert.rejects(other.ping(), ConnectionLostError);
  const hostile = net.createServer((socket) => socket.end(Buffer.from("7fffffff00", "hex")).on("error", () => {}));
  await new Promise((resolve) => hostile.listen(0, "127.0.0.1", resolve));
  await assert.rejects(connect(`tcp://127.0.0.1:${hostile.address().port}`, { connectTimeoutMs: 200 }), ConnectionLostError);
  hostile.close();
});

test("an address that never answers leaves time for the next", async (t) => {
  const { daemon } = await setUp(t);
  const silent = `tcp://127.0.0.1:${await listening(t, net.createServer())}`;
  const m = await connect(`${silent},${daemon.url}`, { connectTimeoutMs: 400 });
  t.after(() => m.disconnect());
  await m.ping();
  await assert.rejects(connect(`unix:///nowhere/m.sock,${silent}`, { connectTimeoutMs: 100 }), /nowhere.*\(.*(ENOENT|no answer in time)/);
  for (const connectTimeoutMs of [0, -1, NaN, Infinity, 2 ** 31]) await assert.rejects(connect(daemon.url, { connectTimeoutMs }), RangeError);
  await assert.rejects(connect(daemon.url, { reconnectMs: Infinity }), RangeError);
  await (await connect(daemon.url, { connectTimeoutMs: undefined, reconnectMs: null })).disconnect();
});

test("who is said to own the group is asked, and remembered", async (t) => {
  const { daemon } = await setUp(t);
  const asked = [];
  const other = await standIn(t, ({ op }) => asked.push(op) && { status: "error", error: "moved", address: daemon.url });
  const m = await connect(other);
  t.after(() => m.disconnect());
  await m.create("{orders}.jobs", "bounded", 9);
  await m.put("{orders}.jobs", 1);
  assert.equal(await m.take("{orders}.jobs"), 1);
  assert.deepEqual(asked, ["create"]);
});

test("daemons that send us round in circles, to nowhere, or to wait longer than we may", async (t) => {
  let answer;
  let n = 0;
  const url = await standIn(t, () => ++n && { status: "error", ...answer });
  const m = await connect(url);
  t.after(() => m.disconnect());
  answer = { error: "moved", address: url };
  await assert.rejects(m.take("jobs", { timeoutMs: 250 }), TimeoutError);
  await assert.rejects(m.take("jobs", { timeoutMs: 0 }), { code: "moved" });
  assert.ok(n < 14, `asked ${n} times`);
  for (const address of [undefined, "", "nonsense", "tcp://", 7]) {
    answer = { error: "moved", address };
    await assert.rejects(m.take("jobs"), { code: "moved" });
  }
  answer = { error: "unavailable", retry_ms: 50 };
  await assert.rejects(m.take("jobs", { timeoutMs: 0 }), { code: "unavailable" });
  await assert.rejects(m.take("jobs", { timeoutMs: 70 }), { code: "unavailable" });
});

test("what is no reply is not asked for again; a daemon that falls at each request, not without a pause", async (t) => {
  let n = 0;
  let text;
  const m = await connect(await standIn(t, () => ++n && text));
  t.after(() => m.disconnect());
  for (text of ["[1]", "1", "null", "{", '{"id":2,"status":"ok","value":}', `{"id":2,"status":"ok","value":${"[".repeat(20_000)}}`]) {
    n = 0;
    await assert.rejects(m.take("jobs"), { code: "protocol" });
    assert.equal(n, 1);
  }
  text = undefined;
  await assert.rejects(m.take("jobs", { timeoutMs: 250 }), TimeoutError);
  await assert.rejects(m.take("jobs", { timeoutMs: 0 }), ConnectionLostError);
  assert.ok(n < 14, `asked ${n} times`);
});

test("who does not read any more is not waited for at the end", async (t) => {
  let reader;
  const server = net.createServer((socket) => speaker(() => socket.pause() && undefined)((reader = socket)));
  const m = await connect(`tcp://127.0.0.1:${await listening(t, server)}`);
  const puts = Promise.allSettled([m.ping(), ...Array.from({ length: 300 }, () => m.put("jobs", "x".repeat(60_000)))]);
  await new Promise((resolve) => reader.once("pause", resolve));
  await m.disconnect();
  for (const put of await puts) assert.equal(put.status, "rejected");
});

test("who has asked for TLS is not sent to where there is none", async (t) => {
  const { daemon } = await setUp(t);
  const directory = mkdtempSync(path.join(tmpdir(), "millrace-test."));
  t.after(() => rmSync(directory, { recursive: true }));
  const [keyPath, certPath] = ["key", "cert"].map((name) => path.join(directory, name));
  const made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", keyPath, "-out", certPath];
  execFileSync("openssl", ["req", ...made, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { stdio: "ignore" });
  const [key, cert] = [keyPath, certPath].map((file) => readFileSync(file));
  const server = tls.createServer({ key, cert });
  server.on("secureConnection", speaker(() => ({ status: "error", error: "moved", address: daemon.url })));
  const port = await listening(t, server);
  const m = await connect(`tls://localhost:${port}`, { tls: { ca: cert }, token: "a secret" });
  t.after(() => m.disconnect());
  await assert.rejects(m.put("jobs", 1), { code: "moved" });
  await assert.rejects(connect(`tls://localhost:${port}`, { connectTimeoutMs: 100 }), /certificate/);
});

test("a put enters once over cuts", async (t) => {
  const { daemon, m } = await setUp(t);
  assert.ok(m.features.has("once"));
  await m.create("all", "bounded", 1000);
  let cuts = 0;
  const proxy = net.createServer((client) => {
    const server = net.connect(daemon.port, "127.0.0.1");
    let left = cuts < 19 ? 400 + 97 * cuts++ : Infinity;
    for (const socket of [client, server]) socket.on("error", () => {});
    client.on("data", (chunk) => {
      server.write(chunk.subarray(0, Math.max(0, left)));
      left -= chunk.length;
      if (left <= 0) client.destroy();
    });
    server.on("data", (chunk) => client.write(chunk));
    server.on("close", () => client.destroy());
    client.on("close", () => server.end());
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => proxy.close());
  const cuttable = await connect(`tcp://127.0.0.1:${proxy.address().port}`);
  t.after(() => cuttable.disconnect());
  await Promise.all(Array.from({ length: 100 }, (_, i) => cuttable.put("all", i)));
  assert.deepEqual((await m.takeMany("all", 1000)).sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
});

test("a tap, and a subscription", async (t) => {
  const { m } = await setUp(t);
  await m.create("events", "bounded", 9);
  const orders = await m.tap("events", null, { match: { "/type": "order" } });
  await m.tap("events", "jobs");
  await m.putMany("events", [{ type: "other" }, { type: "order", n: 1 }]);
  for await (const value of orders) {
    assert.deepEqual(value, { type: "order", n: 1 });
    break;
  }
  assert.deepEqual([(await m.take("jobs")).type, (await m.take("jobs")).type], ["other", "order"]);
  await m.untap("events", "jobs");
  await orders.close();
  for await (const row of m.taps()) assert.fail(row.from);
});

test("a client stays in its thread", async (t) => {
  const { m } = await setUp(t);
  assert.throws(() => structuredClone(m), { name: "DataCloneError" });
});

const hasNpm = spawnSync("npm", ["--version"]).status === 0;

test("the package has what it should and nothing else", { skip: hasNpm ? false : "npm is not installed" }, () => {
  const root = path.dirname(path.dirname(new URL(import.meta.url).pathname));
  const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--offline"], { cwd: root, encoding: "utf8" }));
  const sources = ["client.js", "errors.js", "index.d.ts", "index.js", "json.js", "link.js", "url.js"].map((name) => `src/${name}`);
  assert.deepEqual(files.map((file) => file.path).sort(), ["README.md", "package.json", ...sources].sort());
});
