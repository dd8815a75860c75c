/** Addresses of daemons: tcp://host:port, tls://host:port, unix:///path, and several of them, of which each will do. */

const PORTS = { tcp: 7223, tls: 7225 };
const HOST = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^[\]:/@,\s]+))(?::(\d{1,5}))?\/?$/;

/** One or several, with commas or white space between them ("tcp://a,b,c" is three); undefined: $MILLRACE_URL, or the daemon on this machine. */
export function parse(url) {
  const text = String(url ?? (process.env.MILLRACE_URL || "tcp://127.0.0.1:7223")).trim();
  let scheme = "";
  return text.split(/[,\s]+/).map((part) => {
    const mark = part.indexOf("://");
    if (mark >= 0) scheme = part.slice(0, mark);
    const rest = mark >= 0 ? part.slice(mark + 3) : part;
    if (scheme === "unix" && mark >= 0 && rest.startsWith("/")) return { scheme, path: rest, text: `unix://${rest}` };
    const match = PORTS[scheme] && HOST.exec(rest);
    const port = match && Number(match[3] ?? PORTS[scheme]);
    if (!match || port < 1 || port > 65535)
      throw new TypeError(`"${part}" is no daemon's address: tcp://host:port (IPv6 in brackets), tls://host:port or unix:///path`);
    const host = match[1] ?? match[2];
    return { scheme, host, port, text: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}` };
  });
}

/** The group that a channel belongs to: what stands in the first pair of braces in its name, else "default". */
export function groupOf(channel) {
  return /\{([^}]+)\}/.exec(channel)?.[1] ?? "default";
}
