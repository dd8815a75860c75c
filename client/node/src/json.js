/**
 * JSON text and values, with no number bent: an integer beyond 2^53 is a BigInt, and a number that a double cannot hold at all (1e400) is Raw.
 *
 * JSON.parse does most texts; only those that have such a number go through the parser here, once JSON.parse has found them to be valid.
 */

/** JSON text, to be sent as it stands; what take(..., {raw: true}) gives. */
export class Raw {
  constructor(text) {
    JSON.parse(text); // throws SyntaxError for what is no JSON
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

function rawUnchecked(text) {
  const raw = Object.create(Raw.prototype);
  raw.text = text;
  return raw;
}

const MAY_BE_LARGE = /\d{16}|\d[eE]\+?\d{3}/;
const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;

/** Throws SyntaxError for what is no JSON. `rawMembers`: names of the top object's members whose values stay text (Raw; of an array each element). */
export function decode(text, rawMembers = []) {
  const plain = JSON.parse(text);
  if (rawMembers.length === 0 && !MAY_BE_LARGE.test(text)) return plain;
  return new Parser(text, rawMembers).value(0);
}

/** For text that is valid JSON. */
class Parser {
  constructor(text, rawMembers) {
    this.text = text;
    this.at = 0;
    this.rawMembers = rawMembers;
  }

  skip() {
    while (" \t\n\r".includes(this.text[this.at]) && this.at < this.text.length) this.at++;
  }

  value(depth) {
    this.skip();
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array((d) => this.value(d), depth);
    if (first === '"') return this.string();
    if (first === "t") return this.word(4, true);
    if (first === "f") return this.word(5, false);
    if (first === "n") return this.word(4, null);
    return this.number();
  }

  word(length, value) {
    this.at += length;
    return value;
  }

  string() {
    const start = this.at++;
    for (;;) {
      const end = this.text.indexOf('"', this.at);
      let slashes = 0;
      while (this.text[end - 1 - slashes] === "\\") slashes++;
      this.at = end + 1;
      if (slashes % 2 === 0) return JSON.parse(this.text.slice(start, this.at));
    }
  }

  number() {
    NUMBER.lastIndex = this.at;
    const [text, fraction, exponent] = NUMBER.exec(this.text);
    this.at += text.length;
    const number = Number(text);
    if (fraction === undefined && exponent === undefined && !Number.isSafeInteger(number)) return BigInt(text);
    return Number.isFinite(number) ? number : rawUnchecked(text);
  }

  array(element, depth) {
    const found = [];
    this.at++;
    for (this.skip(); this.text[this.at] !== "]"; this.skip()) {
      if (this.text[this.at] === ",") this.at++;
      found.push(element(depth + 1));
    }
    this.at++;
    return found;
  }

  object(depth) {
    const found = {};
    this.at++;
    for (this.skip(); this.text[this.at] !== "}"; this.skip()) {
      if (this.text[this.at] === ",") {
        this.at++;
        this.skip();
      }
      const name = this.string();
      this.skip();
      this.at++; // the colon
      const value = depth === 0 && this.rawMembers.includes(name) ? this.raw(name === "values") : this.value(depth + 1);
      Object.defineProperty(found, name, { value, enumerable: true, configurable: true, writable: true }); // "__proto__" is a name like others
    }
    this.at++;
    return found;
  }

  raw(isArray) {
    this.skip();
    if (isArray) return this.array(() => this.raw(false), 1);
    const start = this.at;
    this.value(1);
    return rawUnchecked(this.text.slice(start, this.at));
  }
}

/** The value's text. TypeError for what JSON cannot say: undefined, a function, NaN, an infinity, a lone surrogate, a circle. */
export function encode(value) {
  return write(value, new Set());
}

function write(value, above) {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed?.() && hasLoneSurrogate(value)) throw new TypeError("a string has a lone surrogate, which no JSON text can say");
      return JSON.stringify(value);
    case "boolean":
      return String(value);
    case "bigint":
      return value.toString();
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
      return JSON.stringify(value);
    case "object":
      break;
    default:
      throw new TypeError(`a value cannot be ${value === undefined ? "undefined" : `a ${typeof value}`}`);
  }
  if (value === null) return "null";
  if (value instanceof Raw) return value.text;
  if (typeof value.toJSON === "function") return write(value.toJSON(), above);
  if (above.has(value)) throw new TypeError("a value that contains itself");
  above.add(value);
  const text = Array.isArray(value)
    ? `[${Array.from(value, (item) => write(item, above)).join(",")}]` // a hole is undefined, too
    : `{${Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => `${write(name, above)}:${write(member, above)}`)
        .join(",")}}`;
  above.delete(value);
  return text;
}

function hasLoneSurrogate(text) {
  return /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}
