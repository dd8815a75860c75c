/** What can go wrong: one class for each kind of ending, and `code` for programs that want to know more. */

/** The base of all. `code` is the protocol's error code, or the status where there is none; `reply` the daemon's whole reply, or {}. */
export class MillraceError extends Error {
  constructor(message, code, reply = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.reply = reply;
  }

  /** Of a batch of puts that ended early: how many values are in. */
  get accepted() {
    return this.reply.accepted ?? 0;
  }
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

const BY_STATUS = { timeout: TimeoutError, closed: ClosedError, cancelled: CancelledError };

/** The error for a reply whose status is neither ok nor dropped. */
export function errorOf(reply) {
  const code = String(reply.error ?? reply.status);
  const message = String(reply.message ?? `the daemon answered ${reply.status}`);
  const kind = code === "no_such_lease" ? LeaseLostError : BY_STATUS[reply.status] ?? RefusedError;
  return new kind(message, code, reply);
}
