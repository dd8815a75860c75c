/** The real daemon for the tests: free ports, ready when made. Everything waits for events. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { connect } from "../src/index.js";

const BUILD = process.env.BUILD ?? path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../../../build");
export const DEADLINE_MS = 60_000;

export async function startDaemon(...more) {
  const directory = mkdtempSync(path.join(tmpdir(), "millrace-test."));
  const socket = path.join(directory, "m.sock");
  const args = ["--http", "none", "--set", "limits.grace_ms=0", "--listen", "tcp://127.0.0.1:0", "--listen", `unix://${socket}`, ...more];
  const child = spawn(path.join(BUILD, "millraced"), args, { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const ready = await new Promise((resolve, reject) => {
    lines.on("line", (line) => line.includes("ready") && resolve(line));
    child.on("exit", () => reject(new Error("the daemon did not start")));
  });
  const port = Number(/tcp:\/\/[^ ]*:(\d+)/.exec(ready)[1]);
  return {
    url: `tcp://127.0.0.1:${port}`,
    socketUrl: `unix://${socket}`,
    port,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill(signal);
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A daemon, a client, and the channels jobs, meet, lossy, latest and leader, for one test. */
export async function setUp(t, options = {}) {
  const daemon = await startDaemon();
  t.after(() => daemon.stop());
  const m = await connect(daemon.url, { name: "test", ...options });
  t.after(() => m.disconnect());
  await m.create("jobs", "bounded", 8);
  await m.create("meet", "unbuffered");
  await m.create("lossy", "dropping", 1);
  await m.create("latest", "sliding", 1);
  await m.create("leader", "promise");
  return { daemon, m };
}

/** Asks until the channel's row is so; each asking is an answer to wait for. */
export async function until(m, channel, wanted) {
  for (;;) {
    const row = await m.stat(channel);
    if (Object.entries(wanted).every(([key, value]) => row[key] === value)) return row;
  }
}

export function booksBalance(row) {
  const came = row.accepted + row.returned + (row.recovered ?? 0);
  return came === row.taken + row.buffered + row.leased + row.evicted + row.dead_lettered + row.discarded;
}

/** Lets the server listen on a free port for as long as the test runs; which port. */
export async function listening(t, server) {
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server.address().port;
}

/** What stands in for a daemon: it says hello, and answers each other request with what `answer` makes of it: a reply, a text; nothing ends the connection. */
export function speaker(answer) {
  return (socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (bytes = Buffer.concat([bytes, chunk]); bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(); ) {
        const request = JSON.parse(bytes.subarray(4, 4 + bytes.readUInt32BE()));
        bytes = bytes.subarray(4 + bytes.readUInt32BE());
        const reply = request.op === "hello" ? { status: "ok", features: ["cluster"] } : answer(request);
        if (!reply) return void (socket.isPaused() || socket.end());
        const body = Buffer.from(typeof reply === "string" ? reply : JSON.stringify({ id: request.id, ...reply }));
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        socket.write(Buffer.concat([head, body]));
      }
    });
  };
}

export const standIn = (t, answer) => listening(t, net.createServer(speaker(answer))).then((port) => `tcp://127.0.0.1:${port}`);
