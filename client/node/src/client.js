/**
 * The client: requests over one connection (in a cluster one a daemon), sent again where that does no harm.
 *
 * A take is leased while its value is on its way, and acknowledged in the moment in which its promise is fulfilled. So a take that is aborted is withdrawn in the
 * daemon, and a value that was on its way already goes back to its place.
 */
import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, ConnectionLostError, LeaseLostError, RefusedError, TimeoutError } from "./errors.js";
import { Link, PROTOCOL } from "./link.js";
import { groupOf, parse } from "./url.js";

const HANDOVER_MS = 60_000; // the lease of a take while its value is on its way
const PUT_WINDOW = 512; // unanswered puts of one channel: the daemon remembers 1024, so that each can be sent again
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
const FREE_REPEATS = 3; // so often a request is sent again at once; daemons that disagree, or fall, need time
const REPEAT_PAUSE_MS = 100;
const LONGEST_MS = 2 ** 31 - 1;

function checkMs(name, value, least = 0) {
  if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= LONGEST_MS))
    throw new RangeError(`${name} is a whole number of milliseconds from ${least} to ${LONGEST_MS}, not ${value}`);
  return value;
}

/** What the promise gives; or, if the signal is aborted before it or already, that. */
async function unlessAborted(signal, promise) {
  if (!signal) return promise;
  const done = new AbortController();
  try {
    return await Promise.race([promise, aborted(signal, done.signal)]);
  } finally {
    done.abort();
  }
}

function compact(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Connects: see index.d.ts. */
export async function connect(url, options = {}) {
  const client = new Client(parse(url), options);
  try {
    await client.open(options.signal);
    return client;
  } catch (error) {
    await client.disconnect();
    throw error;
  }
}

class Client {
  #addresses;
  #options;
  #links = new Map(); // by the address's text
  #routes = new Map(); // the address of who owns a group
  #connecting = new Map();
  #failure = ""; // why the last address that was tried did not let us in
  #why; // it has disconnected
  #abort = new AbortController();
  #producer = randomBytes(12).toString("hex");
  #lastSeq = -1;
  #windows = new Map();
  #promises = new Set(); // channels of which nothing can be leased
  #ephemeral = new Map(); // made again with a new connection

  constructor(addresses, options) {
    this.#addresses = addresses;
    const { name = "node", connectTimeoutMs = 5000, reconnectMs = 30_000, token = process.env.MILLRACE_TOKEN, tls } = options;
    checkMs("connectTimeoutMs", connectTimeoutMs, 1);
    checkMs("reconnectMs", reconnectMs ?? undefined);
    this.#options = { name, connectTimeoutMs, reconnectMs, token: token ?? undefined, tls };
    // An own member that is a function: so a client cannot be posted to a worker, where it would be a dead copy. Each thread connects itself.
    this.ping = async (given = {}) => void (await this.#ask("ping", {}, { repeat: true, signal: given.signal }));
  }

  get features() {
    return this.#openLinks().next().value?.features ?? new Set();
  }

  // -- Connections --

  async open(signal) {
    await this.#link(undefined, this.#options.connectTimeoutMs, signal);
  }

  async disconnect() {
    this.#why ??= "the client has disconnected";
    this.#abort.abort();
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map((link) => (link.isOpen ? link.close() : undefined)));
  }

  async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
    await this.disconnect();
  }

  *#openLinks() {
    for (const link of this.#links.values()) if (link.isOpen) yield link;
  }

  /** A connection to who owns the group, made if there is none. */
  async #link(group, patienceMs, signal) {
    if (this.#why) throw new ConnectionLostError(this.#why, "disconnected");
    const address = this.#routes.get(group);
    const link = address ? this.#links.get(address.text) : this.#openLinks().next().value;
    if (link?.isOpen) return link;
    const key = address?.text ?? "";
    if (!this.#connecting.has(key)) {
      const opening = this.#open(address).finally(() => this.#connecting.delete(key));
      opening.catch(() => {});
      this.#connecting.set(key, opening);
    }
    const where = address?.text ?? this.#addresses.map((known) => known.text).join(", ");
    const late = () => new ConnectionLostError(`no daemon answers at ${where}${this.#failure && ` (${this.#failure})`}`, "unreachable");
    const done = new AbortController();
    try {
      return await Promise.race([
        this.#connecting.get(key),
        aborted(signal, done.signal),
        patienceMs === undefined
          ? new Promise(() => {})
          : sleep(patienceMs, undefined, { signal: done.signal }).then(() => Promise.reject(late())),
      ]);
    } finally {
      done.abort();
    }
  }

  /** Tries the address, or all, each in its share of the time, again and again with growing pauses. */
  async #open(address) {
    let pauseMs = FIRST_PAUSE_MS;
    for (let failures = 1; ; failures++) {
      const candidates = address ? [address] : this.#addresses;
      for (const candidate of candidates) {
        try {
          const { name, token, tls: tlsOptions, connectTimeoutMs } = this.#options;
          const timeoutMs = Math.ceil(connectTimeoutMs / candidates.length);
          const link = await Link.open(candidate, { name, token, tlsOptions, timeoutMs });
          if (this.#why) {
            link.abort(this.#why);
            throw new ConnectionLostError(this.#why, "disconnected");
          }
          this.#failure = "";
          this.#links.set(candidate.text, link);
          for (const members of this.#ephemeral.values()) link.post("create", members);
          return link;
        } catch (error) {
          if (!(error instanceof ConnectionLostError) || this.#why) throw error;
          this.#failure = error.message;
        }
      }
      if (address && failures >= 2) {
        // A route that leads nowhere: the others know who owns the group now.
        for (const [group, known] of this.#routes) if (known === address) this.#routes.delete(group);
        address = undefined;
      }
      await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: this.#abort.signal }).catch(() => {});
      if (this.#why) throw new ConnectionLostError(this.#why, "disconnected");
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  // -- Requests --

  /**
   * Sends a request: [reply, link]. After a cut it is sent again if `repeat` says that this does no harm, or if it is a put (with `seq`) and the daemon knows puts
   * again; else ConnectionLostError says that nobody knows.
   */
  async #ask(op, members, { channel, timeoutMs, signal, repeat = false, seq, raw = false } = {}) {
    signal?.throwIfAborted();
    checkMs("timeoutMs", timeoutMs);
    const group = channel === undefined ? undefined : groupOf(channel);
    const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
    let repeats = 0;
    for (let leftMs = timeoutMs; ; leftMs = deadline === undefined ? undefined : Math.max(0, deadline - Date.now())) {
      if (leftMs === 0 && leftMs !== timeoutMs) throw new TimeoutError("the time ran out while the daemon was away", "timeout");
      const link = await this.#link(group, this.#patience(leftMs), signal);
      await unlessAborted(signal, link.writable());
      const isOnce = seq !== undefined && link.features.has("once");
      const present = { ...members, timeout_ms: leftMs, ...(isOnce ? { producer: this.#producer, seq } : {}) };
      const mayRepeat = leftMs !== 0 || repeats < FREE_REPEATS; // no pause is short enough for who does not wait
      let pauseMs;
      try {
        return [await this.#exchange(link, op, compact(present), signal, raw), link];
      } catch (error) {
        if (error instanceof RefusedError) pauseMs = this.#redirected(group, error, link);
        else if (error instanceof ConnectionLostError && error.code !== PROTOCOL && !this.#why && (repeat || isOnce)) pauseMs = 0;
        if (pauseMs === undefined || !mayRepeat || (error.code === "unavailable" && Date.now() + pauseMs > deadline)) throw error;
      }
      if (++repeats > FREE_REPEATS) pauseMs = Math.max(pauseMs, REPEAT_PAUSE_MS);
      if (pauseMs) await unlessAborted(signal, sleep(pauseMs));
    }
  }

  /** How long to wait for a connection: as long as the request, but no longer than `reconnectMs`. */
  #patience(leftMs) {
    const longest = this.#options.reconnectMs ?? undefined;
    if (leftMs === undefined) return longest;
    return Math.min(Math.max(leftMs, 1000), longest ?? Infinity);
  }

  async #exchange(link, op, members, signal, raw) {
    signal?.throwIfAborted(); // it may have been since, and says so once
    const onLate = (reply) => reply.lease && link.giveBack(reply.lease);
    const { id, reply } = link.send(op, members, { raw, onLate });
    if (!signal) return reply;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        link.abandon(id);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      reply.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    });
  }

  /** After how many milliseconds to ask again (and whom); undefined: the refusal stands. Who has asked for TLS keeps to it. */
  #redirected(group, error, link) {
    if (error.code === "moved" && group !== undefined) {
      const address = addressOf(error.reply);
      if (!address || (link.address.scheme === "tls" && address.scheme !== "tls")) return undefined;
      this.#routes.set(group, address);
      return 0;
    }
    if (error.code === "unavailable" && error.reply.retry_ms !== undefined) {
      this.#routes.delete(group);
      return Number(error.reply.retry_ms);
    }
    return undefined;
  }

  // -- Put and take --

  async put(channel, value, options = {}) {
    return (await this.#put(channel, { value }, options)).status === "ok";
  }

  async putMany(channel, values, options = {}) {
    return (await this.#put(channel, { values: [...values] }, options)).accepted;
  }

  async #put(channel, members, { timeoutMs, delayMs, signal }) {
    checkMs("delayMs", delayMs);
    const leave = await this.#enterWindow(channel, signal);
    try {
      const seq = ++this.#lastSeq;
      return (await this.#ask("put", { channel, ...members, delay_ms: delayMs }, { channel, timeoutMs, signal, seq }))[0];
    } finally {
      leave();
    }
  }

  /** Waits while too many puts of the channel are unanswered. Returns what to call in the end. */
  async #enterWindow(channel, signal) {
    let window = this.#windows.get(channel);
    if (!window) this.#windows.set(channel, (window = { n: 0, waiting: [] }));
    const leave = () => {
      const next = window.waiting.shift();
      if (next) next();
      else if (--window.n === 0) this.#windows.delete(channel);
    };
    if (window.n < PUT_WINDOW) {
      window.n++;
      return leave;
    }
    const place = new Promise((resolve) => window.waiting.push(resolve));
    try {
      await unlessAborted(signal, place);
    } catch (error) {
      place.then(leave); // whoever comes next gets it
      throw error;
    }
    return leave;
  }

  async take(channel, options = {}) {
    return (await this.#take(channel, {}, options)).value;
  }

  async takeMany(channel, max, options = {}) {
    return (await this.#take(channel, { max }, options)).values;
  }

  /** A take whose value is leased until it is here; a promise alone leases nothing, and is never used up. */
  async #take(channel, members, { timeoutMs, signal, raw }) {
    const options = { channel, timeoutMs, signal, raw, repeat: true };
    return this.#handOver("take", { channel, ...members }, [channel], options);
  }

  async #handOver(op, members, channels, options) {
    if (!channels.some((channel) => this.#promises.has(channel))) {
      try {
        const [reply, link] = await this.#ask(op, { ...members, lease_ms: HANDOVER_MS }, options);
        if (reply.lease) link.post("ack", { lease: reply.lease });
        return reply;
      } catch (error) {
        if (error.code !== "bad_request") throw error;
      }
    }
    const [reply] = await this.#ask(op, members, options);
    if (channels.length === 1) this.#promises.add(channels[0]);
    return reply;
  }

  async takeJob(channel, { lease = 30_000, timeoutMs, signal } = {}) {
    checkMs("lease", lease, 1);
    const [reply, link] = await this.#ask("take", { channel, lease_ms: lease }, { channel, timeoutMs, signal, repeat: true });
    return new Job(link, channel, reply, lease);
  }

  async *jobs(channel, { lease = 30_000, signal } = {}) {
    for (;;) {
      let job;
      try {
        job = await this.takeJob(channel, { lease, signal });
      } catch (error) {
        if (error instanceof ClosedError) return;
        throw error;
      }
      let isDone = false;
      try {
        yield job;
        isDone = true;
      } finally {
        if (!isDone && !job.isDone) await job.nack().catch(() => {});
      }
      await job.ack().catch((error) => {
        if (!(error instanceof LeaseLostError)) throw error; // somebody else has it, and will finish it
      });
    }
  }

  async *values(channel, { signal } = {}) {
    for (;;) {
      let value;
      try {
        value = await this.take(channel, { signal });
      } catch (error) {
        if (error instanceof ClosedError) return;
        throw error;
      }
      yield value;
    }
  }

  async alts(arms, { timeoutMs, priority, lease, signal } = {}) {
    const takes = arms.map((arm) => arm.take).filter((channel) => channel !== undefined);
    const options = { channel: arms[0]?.take ?? arms[0]?.put, timeoutMs, signal, repeat: takes.length === arms.length };
    const members = compact({ arms, priority });
    if (takes.length === 0) return choiceOf((await this.#ask("alts", members, options))[0]);
    if (lease === undefined) return choiceOf(await this.#handOver("alts", members, takes, options));
    checkMs("lease", lease, 1);
    const [reply, link] = await this.#ask("alts", { ...members, lease_ms: lease }, options);
    return choiceOf(reply, reply.lease ? new Job(link, reply.channel, reply, lease) : undefined);
  }

  /** The channel's values as a stream of objects, which ends when the channel is closed. It takes no more than is read. */
  readable(channel, options = {}) {
    return Readable.from(this.values(channel, options), { objectMode: true, highWaterMark: 1 });
  }

  /** A stream whose writes are puts: who writes is held up while the channel has no room. `close`: its end closes the channel. */
  writable(channel, { close = false, signal } = {}) {
    return new Writable({
      objectMode: true,
      highWaterMark: 1,
      signal,
      write: (value, _encoding, done) => void this.put(channel, value, { signal }).then(() => done(), done),
      final: (done) => void (close ? this.close(channel).then(() => done(), done) : done()),
    });
  }

  // -- Channels --

  async create(channel, kind, capacity, definition = {}) {
    const { ephemeral, durable, maxDeliveries, deadLetter, maxWaiters } = definition;
    const members = compact({
      channel: channel ?? undefined,
      kind,
      capacity: capacity ?? undefined,
      ephemeral,
      durable,
      max_deliveries: maxDeliveries,
      dead_letter: deadLetter,
      max_waiters: maxWaiters,
    });
    const [reply] = await this.#ask("create", members, { channel: members.channel, repeat: members.channel !== undefined });
    if (members.channel !== undefined && ephemeral) this.#ephemeral.set(reply.channel, members);
    return reply.channel;
  }

  async alter(channel, { capacity, maxWaiters, maxDeliveries, deadLetter }) {
    const members = compact({ channel, capacity, max_waiters: maxWaiters, max_deliveries: maxDeliveries, dead_letter: deadLetter });
    return (await this.#ask("alter", members, { channel, repeat: true }))[0];
  }

  async close(channel) {
    await this.#ask("close", { channel }, { channel, repeat: true });
  }

  async delete(channel, { force = false } = {}) {
    const [reply] = await this.#ask("delete", { channel, force }, { channel });
    this.#ephemeral.delete(channel);
    this.#promises.delete(channel);
    return reply.discarded ?? 0;
  }

  async move(from, to, { max } = {}) {
    const [reply] = await this.#ask("move", compact({ from, to: to ?? undefined, max }), { channel: from });
    return { moved: reply.moved, left: reply.left };
  }

  async stat(channel) {
    return (await this.#ask("stat", { channel }, { channel, repeat: true }))[0];
  }

  async peek(channel, max = 1) {
    return (await this.#ask("peek", { channel, max }, { channel, repeat: true }))[0].values;
  }

  list(match) {
    return this.#pages("list", "channels", { match }, "channel");
  }

  waiters(channel) {
    return this.#pages("waiters", "waiters", { channel }, "seq");
  }

  leases(channel) {
    return this.#pages("leases", "leases", { channel }, "seq");
  }

  async *#pages(op, rows, members, key) {
    for (let after; ; ) {
      const [reply] = await this.#ask(op, compact({ ...members, after }), { channel: members.channel, repeat: true });
      yield* reply[rows];
      if (!reply.more) return;
      after = reply.next ?? reply[rows].at(-1)?.[key];
    }
  }

  // -- Taps --

  async tap(from, to, { match, close, state, kind, capacity } = {}) {
    const isOwn = to === undefined || to === null;
    const members = compact({ from, to: to ?? undefined, match, close, state, ...(isOwn ? { kind: kind ?? "sliding", capacity: capacity ?? 100 } : {}) });
    const open = async () => (await this.#ask("tap", members, { channel: from, repeat: true }))[0].to;
    return new Subscription(this, open, await open());
  }

  async untap(from, to) {
    await this.#ask("untap", { from, to }, { channel: from });
  }

  taps(channel) {
    return this.#pages("taps", "taps", { channel }, "seq");
  }
}

function choiceOf(reply, job) {
  return { arm: reply.arm, channel: reply.channel, value: reply.value, isDropped: reply.status === "dropped", job };
}

/** The daemon that a reply names; undefined if it names none. */
function addressOf(reply) {
  try {
    return parse(String(reply.address))[0];
  } catch {
    return undefined;
  }
}

/** A promise that is rejected when the signal is aborted, or if it is already, until `done` is. */
function aborted(signal, done) {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    else signal?.addEventListener("abort", () => reject(signal.reason), { once: true, signal: done });
  });
}

/** A value on lease: see index.d.ts. */
class Job {
  #link;
  #timer;
  #isDone = false;

  constructor(link, channel, reply, leaseMs) {
    this.#link = link;
    this.value = reply.value;
    this.channel = channel;
    this.deliveries = reply.deliveries ?? 1;
    this.origin = reply.origin;
    this.token = reply.lease;
    this.#extendLater(leaseMs);
  }

  get isDone() {
    return this.#isDone;
  }

  /** Extends after a third of the time, for as long as somebody holds the job. */
  #extendLater(leaseMs) {
    const held = new WeakRef(this);
    this.#timer = setInterval(() => {
      const job = held.deref();
      if (job && job.#link.isOpen) job.#link.post("extend", { lease: job.token, lease_ms: leaseMs });
    }, Math.max(1, leaseMs / 3)).unref();
    forgotten.register(this, this.#timer, this);
  }

  async ack() {
    await this.#finish("ack", {});
  }

  async nack({ delayMs, counted } = {}) {
    await this.#finish("nack", compact({ delay_ms: checkMs("delayMs", delayMs), counted: counted === false ? false : undefined }));
  }

  async extend(leaseMs) {
    checkMs("leaseMs", leaseMs, 1);
    clearInterval(this.#timer);
    await this.#ask("extend", { lease_ms: leaseMs });
    this.#extendLater(leaseMs);
  }

  async #finish(op, members) {
    if (this.#isDone) return;
    this.#isDone = true;
    clearInterval(this.#timer);
    forgotten.unregister(this);
    await this.#ask(op, members);
  }

  async #ask(op, members) {
    try {
      await this.#link.send(op, { lease: this.token, ...members }).reply;
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      throw new LeaseLostError(`the lease has ended with its connection: ${error.message}`, "no_such_lease");
    }
  }

  /** At the end of `await using`: given back, unless it was acknowledged. */
  async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
    await this.nack().catch(() => {});
  }
}

const forgotten = new FinalizationRegistry((timer) => clearInterval(timer));

/** What comes through a tap of the caller's own: see index.d.ts. */
class Subscription {
  #client;
  #open;

  constructor(client, open, channel) {
    this.#client = client;
    this.#open = open;
    this.channel = channel;
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      try {
        yield* this.#client.values(this.channel);
        return;
      } catch (error) {
        if (error.code !== "no_such_channel") throw error;
        this.channel = await this.#open(); // it went with a connection that broke
      }
    }
  }

  async close() {
    await this.#client.delete(this.channel, { force: true });
  }

  async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
    await this.close();
  }
}
