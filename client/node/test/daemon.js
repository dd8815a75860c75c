/** The real daemon for the tests: free ports, ready when made. Everything waits for events. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
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
