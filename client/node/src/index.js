/** Channels between processes: a client for Millrace. index.d.ts documents all of it. */
export { connect } from "./client.js";
export { Raw } from "./json.js";
export { CancelledError, ClosedError, ConnectionLostError, LeaseLostError, MillraceError, RefusedError, TimeoutError } from "./errors.js";
