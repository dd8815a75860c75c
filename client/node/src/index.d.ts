/**
 * Channels between processes: a client for Millrace, without dependencies.
 *
 * Times are whole milliseconds. A `timeoutMs` that is left out is for ever, 0 is at once or not at all. Every waiting call takes an AbortSignal: what is aborted is
 * withdrawn in the daemon, and loses nothing. A client belongs to its thread: it cannot be posted to a worker, which connects itself.
 */
import type { ConnectionOptions } from "node:tls";
import type { Readable, Writable } from "node:stream";

/** What JSON.parse makes of a value; but an integer beyond 2^53 is a bigint, and a number that no double can hold is Raw. */
export type Value = string | number | bigint | boolean | Raw | null | Value[] | { [member: string]: Value };
/** What can be put: any JSON value but null; with bigints and Raw in it if you like. What has a toJSON() is asked for it. */
export type Puttable = unknown;

/** JSON text, to be sent as it stands; and what take(…, {raw: true}) gives. */
export class Raw {
  /** SyntaxError if it is no JSON. */
  constructor(text: string);
  readonly text: string;
  toString(): string;
}

export interface ConnectOptions {
  /** Who this is, to a daemon with users; $MILLRACE_TOKEN if left out. */
  token?: string;
  /** Shown to people who look at who waits: "node" if left out. */
  name?: string;
  /** For tls:// addresses: ca, cert, key and the like, as node:tls has them. */
  tls?: ConnectionOptions;
  /** For the first connection: 5000 if left out. */
  connectTimeoutMs?: number;
  /** For how long a request waits for a daemon that is away, within its own timeoutMs: 30000 if left out; null: as long as it takes. */
  reconnectMs?: number | null;
  /** Aborts connecting. */
  signal?: AbortSignal;
}

/**
 * Connects to a daemon. `url`: tcp://host:port, tls://host:port or unix:///path; several with commas, of which each will do; $MILLRACE_URL, or the daemon on this
 * machine, if left out. TypeError if it is no address; ConnectionLostError if none answers; RefusedError if it does not let this user in; RangeError if a time is none.
 */
export function connect(url?: string, options?: ConnectOptions): Promise<Client>;

export interface Waiting {
  timeoutMs?: number;
  signal?: AbortSignal;
}
export interface PutOptions extends Waiting {
  /** It enters the channel after so long. */
  delayMs?: number;
}
export interface LeaseOptions extends Waiting {
  /** Milliseconds: 30000 if left out. It is extended by itself while the job is held. */
  lease?: number;
}
export type Kind = "unbuffered" | "bounded" | "dropping" | "sliding" | "promise";
export interface Definition {
  /** Deleted with this client's connection. */
  ephemeral?: boolean;
  /** Its values outlive the daemon. */
  durable?: boolean;
  maxDeliveries?: number;
  deadLetter?: string;
  maxWaiters?: number;
}
export type Arm = { take: string } | { put: string; value: Puttable };
export interface Choice {
  /** Which arm happened, from 0. */
  arm: number;
  channel: string;
  /** Of a take. */
  value?: Value;
  /** A put whose value the channel shed. */
  isDropped: boolean;
  /** Of a take, if a lease was asked for. */
  job?: Job;
}
export type Row = Record<string, Value>;
export interface Origin {
  channel: string;
  deliveries: number;
  reason: "nack" | "expired" | "disconnected";
  age_ms: number;
}

/** A connection that any number of callers share. */
export interface Client extends AsyncDisposable {
  /** What the daemon can do beyond the first version of the protocol. */
  readonly features: Set<string>;

  /** true: it is in, or has met a take. false: the channel shed it. After a cut it is sent again, and enters once. */
  put(channel: string, value: Puttable, options?: PutOptions): Promise<boolean>;
  /** Puts 1 to 10,000 values in order, in one step; how many were accepted. Errors say it in `accepted`. */
  putMany(channel: string, values: Iterable<Puttable>, options?: PutOptions): Promise<number>;
  /** Takes a value: it is the caller's, and out of the channel. */
  take(channel: string, options: Waiting & { raw: true }): Promise<Raw>;
  take(channel: string, options?: Waiting & { raw?: false }): Promise<Value>;
  /** Takes 1 to `max` (at most 1000) values, whatever is there now; waits only while there is none. */
  takeMany(channel: string, max: number, options: Waiting & { raw: true }): Promise<Raw[]>;
  takeMany(channel: string, max: number, options?: Waiting & { raw?: false }): Promise<Value[]>;
  /** Takes a value on lease: it comes back unless job.ack() says that the work is done. */
  takeJob(channel: string, options?: LeaseOptions): Promise<Job>;
  /**
   * All values of a channel on lease, until it is closed. Asking for the next acknowledges the last; an exception that leaves the loop gives it back, and so does
   * a break: call job.ack() before it.
   */
  jobs(channel: string, options?: Omit<LeaseOptions, "timeoutMs">): AsyncGenerator<Job, void, undefined>;
  /** All values of a channel, until it is closed. */
  values(channel: string, options?: { signal?: AbortSignal }): AsyncGenerator<Value, void, undefined>;
  /** A choice: exactly one arm happens, or none in time (TimeoutError). priority: the first that can, in the order given. */
  alts(arms: Arm[], options?: LeaseOptions & { priority?: boolean }): Promise<Choice>;

  /** The channel's values as a stream of objects, which ends when the channel is closed. It takes one value ahead at most. */
  readable(channel: string, options?: { signal?: AbortSignal }): Readable;
  /** Writes are puts: who writes is held up while the channel has no room. close: the stream's end closes the channel. */
  writable(channel: string, options?: { close?: boolean; signal?: AbortSignal }): Writable;

  /** Makes a channel unless it is there with this definition; its name, which the daemon makes up for null. */
  create(channel: string | null, kind: Kind, capacity?: number | null, definition?: Definition): Promise<string>;
  /** Changes a definition (deadLetter: null is none); the channel's row. */
  alter(channel: string, changes: { capacity?: number; maxWaiters?: number; maxDeliveries?: number; deadLetter?: string | null }): Promise<Row>;
  /** No put enters any more; what is there can still be taken. */
  close(channel: string): Promise<void>;
  /** Removes a channel; how many values went with it, which only force allows. */
  delete(channel: string, options?: { force?: boolean }): Promise<number>;
  /** Moves buffered values, the oldest first, to `to` or (left out) each to where it came from as a dead letter. */
  move(from: string, to?: string | null, options?: { max?: number }): Promise<{ moved: number; left: number }>;
  /** Kind, capacity, what is in it, who waits, and the counters. */
  stat(channel: string): Promise<Row>;
  /** The oldest values of the buffer; nothing is taken. */
  peek(channel: string, max?: number): Promise<Value[]>;
  /** A row for each channel whose name fits the glob, in order of name, a page at a time. */
  list(match?: string): AsyncGenerator<Row, void, undefined>;
  /** Who waits for what, the longest first. */
  waiters(channel?: string): AsyncGenerator<Row, void, undefined>;
  /** Who works on what since when, the longest first. */
  leases(channel?: string): AsyncGenerator<Row, void, undefined>;

  /** Carries what enters `from` to `to` inside the daemon; without `to`, to a channel of the caller's own (sliding 100 if nothing is said). */
  tap(from: string, to?: string | null, options?: TapOptions): Promise<Subscription>;
  /** Ends a tap; closes nothing. */
  untap(from: string, to: string): Promise<void>;
  /** What is carried from where to where. */
  taps(channel?: string): AsyncGenerator<Row, void, undefined>;

  /** Whether the daemon answers. */
  ping(options?: { signal?: AbortSignal }): Promise<void>;
  /** What is parked is cancelled by the daemon; what is leased and not acknowledged comes back; ephemeral channels go. */
  disconnect(): Promise<void>;
}

export interface TapOptions {
  /** JSON pointers, and what must stand there. */
  match?: Record<string, string | number | boolean | null>;
  close?: boolean;
  state?: "run" | "pause" | "mute" | "solo";
  /** Of the caller's own channel. */
  kind?: "bounded" | "dropping" | "sliding";
  capacity?: number;
}

/** What comes through a tap of the caller's own. It goes with the connection and is made anew with it; what came in between is missed. */
export interface Subscription extends AsyncIterable<Value>, AsyncDisposable {
  /** The channel that the tap carries to. */
  readonly channel: string;
  /** Ends the tap, and deletes its channel. */
  close(): Promise<void>;
}

/** A value on lease: it stays the daemon's until ack(). `await using` gives it back unless it was acknowledged. */
export interface Job extends AsyncDisposable {
  readonly value: Value;
  readonly channel: string;
  /** How often it was given out, this time included. */
  readonly deliveries: number;
  /** Of a dead letter: where it came from and why. */
  readonly origin?: Origin;
  readonly token: string;
  readonly isDone: boolean;
  /** The work is done. LeaseLostError if it had gone back by then. */
  ack(): Promise<void>;
  /** Gives it back to its place, at once or after delayMs; counted: false leaves its deliveries as they were. */
  nack(options?: { delayMs?: number; counted?: boolean }): Promise<void>;
  /** So many milliseconds more from now on. */
  extend(leaseMs: number): Promise<void>;
}

/** The base of all errors of this package. `code` is the protocol's, or the status; `reply` the daemon's whole reply, or {}. */
export class MillraceError extends Error {
  readonly code: string;
  readonly reply: Row;
  /** Of a batch of puts that ended early: how many values are in. */
  readonly accepted: number;
}
/** Nothing happened in time. */
export class TimeoutError extends MillraceError {}
/** The channel is closed and has nothing more to give; a put: it takes nothing any more. */
export class ClosedError extends MillraceError {}
/** The request was withdrawn in the daemon, and not by the caller's own signal. */
export class CancelledError extends MillraceError {}
/** The daemon said no, and nothing has happened. */
export class RefusedError extends MillraceError {}
/** The lease has ended: the value came back, and somebody else may have it by now. */
export class LeaseLostError extends MillraceError {}
/** No daemon can be reached, or the connection broke and it is not known whether the request happened. */
export class ConnectionLostError extends MillraceError {}
