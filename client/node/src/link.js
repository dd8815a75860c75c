/** One connection to one daemon: frames in, frames out, and which request a reply belongs to. It never connects again: it ends, once. */
import net from "node:net";
import tls from "node:tls";
import { ConnectionLostError, errorOf } from "./errors.js";
import { decode, encode } from "./json.js";

const LEAST_FRAME = 64 * 1024; // what every daemon takes
const LARGEST_FRAME = 16 * 1024 * 1024 - 1;
const REPLY_EXTRA = 1024; // a reply may be so much longer than a request
const HEARTBEAT_MS = 15_000; // after so much silence a ping asks whether the daemon is still there; after as much again it is not

const CLOSE_MS = 1000; // for so long what was written may still be sent at the end
export const PROTOCOL = "protocol"; // the code of a ConnectionLostError: what answers is no daemon, and will not be one the next time

export class Link {
  #socket;
  #pending = new Map();
  #lastId = 0;
  #chunks = [];
  #bytes = 0;
  #heard = Date.now();
  #heartbeat;
  #notice = "";
  #drained;
  #end;

  constructor(address, socket) {
    this.address = address;
    this.features = new Set();
    this.maxFrame = LEAST_FRAME;
    this.why = undefined; // it has ended
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#socket = socket;
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", (error) => this.#finish(`${address.text}: ${error.message}`));
    socket.on("close", () => this.#finish(this.#notice || `${address.text} has ended the connection`));
    socket.on("drain", () => this.#drained?.resolve());
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
  }

  get isOpen() {
    return this.why === undefined;
  }

  /** Connects, shakes hands and says hello, within `timeoutMs`. ConnectionLostError, or what the daemon says to a stranger. */
  static async open(address, { name, token, tlsOptions, timeoutMs }) {
    const socket = connectTo(address, tlsOptions);
    const link = new Link(address, socket);
    const timer = setTimeout(() => link.abort(`${address.text}: no answer in time`), timeoutMs);
    try {
      await Promise.race([
        new Promise((resolve) => socket.once(address.scheme === "tls" ? "secureConnect" : "connect", resolve)),
        link.ended.then((why) => Promise.reject(new ConnectionLostError(why, "unreachable"))),
      ]);
      if (address.scheme !== "unix") {
        socket.setNoDelay(true);
        socket.setKeepAlive(true, 30_000);
      }
      const hello = await link.send("hello", { protocol: 1, name, token }).reply;
      link.maxFrame = Math.min(Math.max(Number(hello.max_frame_bytes ?? LEAST_FRAME), LEAST_FRAME), LARGEST_FRAME);
      link.features = new Set(hello.features ?? []);
      return link;
    } catch (error) {
      link.abort("the hello was not answered");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sends a request: {id, reply}. `reply` is a promise of the reply (status ok or dropped). `onLate` gets a reply that comes after abandon().
   * What cannot be sent throws, and nothing was sent.
   */
  send(op, members, { raw = false, onLate } = {}) {
    if (!this.isOpen) throw new ConnectionLostError(this.why, "connection_lost");
    const id = this.#lastId + 1;
    const body = Buffer.from(encode({ id, op, ...members }));
    if (body.length > this.maxFrame) throw new RangeError(`the request has ${body.length} bytes, and a frame of this daemon at most ${this.maxFrame}`);
    this.#lastId = id;
    const reply = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject, raw, onLate, isAbandoned: false }));
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(body.length);
    this.#socket.cork();
    this.#socket.write(head);
    if (!this.#socket.write(body) && !this.#drained) this.#waitForRoom();
    this.#socket.uncork();
    return { id, reply };
  }

  #waitForRoom() {
    let resolve;
    const room = new Promise((done) => (resolve = done));
    this.#drained = { room, resolve };
    room.then(() => (this.#drained = undefined));
  }

  /** Waits while the socket has more to send than it likes: who sends a lot is held up here, and not in memory. */
  async writable() {
    await this.#drained?.room;
  }

  /** Nobody waits for it any more: it is withdrawn in the daemon too, and what comes all the same goes to onLate. */
  abandon(id) {
    const pending = this.#pending.get(id);
    if (!pending || !this.isOpen) return;
    pending.isAbandoned = true;
    this.post("cancel", { request: id });
  }

  /** A request whose outcome nobody waits for. */
  post(op, members) {
    if (this.isOpen) this.send(op, members).reply.catch(() => {});
  }

  /** A value that nobody worked on returns to its place. */
  giveBack(lease) {
    this.post("nack", this.features.has("once") ? { lease, counted: false } : { lease });
  }

  // -- Replies --

  #onData(chunk) {
    this.#heard = Date.now();
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.isOpen && this.#bytes >= 4) {
      const length = this.#front(4).readUInt32BE(0);
      if (length === 0 || length > this.maxFrame + REPLY_EXTRA) {
        this.#abortStranger(`a frame of ${length} bytes`);
        return;
      }
      if (this.#bytes < 4 + length) return;
      const frame = this.#front(4 + length);
      this.#consume(4 + length);
      this.#onFrame(frame.subarray(4));
    }
  }

  /** At least so many bytes in one piece, without taking them. */
  #front(length) {
    if (this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0].subarray(0, length);
  }

  #consume(length) {
    this.#bytes -= length;
    if (this.#chunks[0].length === length) this.#chunks.shift();
    else this.#chunks[0] = this.#chunks[0].subarray(length);
  }

  #onFrame(body) {
    let reply;
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
      const id = /^\s*\{\s*"id"\s*:\s*(\d{1,16})\s*,/.exec(text.slice(0, 64))?.[1];
      reply = decode(text, this.#pending.get(Number(id))?.raw ? ["value", "values"] : []);
    } catch (error) {
      this.#abortStranger(error.message);
      return;
    }
    if (reply === null || typeof reply !== "object" || Array.isArray(reply)) {
      this.#abortStranger("a reply is an object");
      return;
    }
    if (reply.id === null) this.#notice = String(reply.message ?? "");
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id);
    if (pending.isAbandoned) pending.onLate?.(reply);
    else if (reply.status === "ok" || reply.status === "dropped") pending.resolve(reply);
    else pending.reject(errorOf(reply));
  }

  // -- The end --

  #beat() {
    const silence = Date.now() - this.#heard;
    if (silence >= 2 * HEARTBEAT_MS) this.abort(`${this.address.text} has been silent for ${Math.round(silence / 1000)} seconds`);
    else if (silence >= HEARTBEAT_MS) this.post("ping", {});
  }

  /** Whether the process stays alive for this connection's sake. */
  ref(isWanted) {
    if (isWanted) this.#socket.ref();
    else this.#socket.unref();
  }

  abort(why, code) {
    this.#finish(why, code);
    this.#socket.destroy();
  }

  #abortStranger(what) {
    this.abort(`${this.address.text} does not speak Millrace's protocol: ${what}`, PROTOCOL);
  }

  /** What was written is sent, then it ends; in any case soon. */
  async close() {
    this.#finish("the client has disconnected");
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
    await new Promise((resolve) => this.#socket.once("close", resolve).end(() => this.#socket.destroy()));
    clearTimeout(timer);
  }

  #finish(why, code = "connection_lost") {
    if (!this.isOpen) return;
    this.why = why;
    clearInterval(this.#heartbeat);
    this.#drained?.resolve();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, isAbandoned } of pending) if (!isAbandoned) reject(new ConnectionLostError(why, code));
    this.#end(why);
  }
}

function connectTo(address, tlsOptions) {
  if (address.scheme === "unix") return net.connect(address.path);
  if (address.scheme === "tcp") return net.connect(address.port, address.host);
  const servername = net.isIP(address.host) ? undefined : address.host;
  return tls.connect({ host: address.host, port: address.port, servername, minVersion: "TLSv1.2", ...tlsOptions });
}
