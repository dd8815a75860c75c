import assert from "node:assert/strict";
import test from "node:test";
import { Raw } from "../src/index.js";
import { decode, encode } from "../src/json.js";
import { groupOf, parse } from "../src/url.js";

test("integers beyond 2^53 are bigints, there and back", () => {
  for (const text of ["9007199254740993", "-123456789012345678901234567890", "7".repeat(5000)]) {
    assert.equal(decode(text), BigInt(text));
    assert.equal(encode(decode(`[${text}]`)), `[${text}]`);
  }
  assert.deepEqual(decode('{"a":[1,9007199254740991]}'), { a: [1, 9007199254740991] });
});

test("a number that no double holds is its text", () => {
  assert.deepEqual(decode('{"a": [1e400, 1.5]}').a.map(String), ["1e400", "1.5"]);
  assert.equal(encode(decode('{"a":[1e400]}')), '{"a":[1e400]}');
});

test("the parser for large numbers agrees with JSON.parse", () => {
  const big = ',"big":12345678901234567890}';
  for (const text of ['{"a":"x\\"y\\\\","b":{}', '{"":[ ],"c":[[],[{}]]', '{"t":true,"f":false,"n":null,"s":"\\u00e9\\\\"', '{ "sp" : [ 1 , 2 ] '])
    assert.deepEqual({ ...decode(text + big), big: 0 }, { ...JSON.parse(text + big), big: 0 });
  assert.deepEqual(Object.keys(decode('{"__proto__":1234567890123456789}')), ["__proto__"]);
});

test("raw members stay text", () => {
  const reply = decode('{"id":1,"value": {"a" : 1.000},"values":[ 1.0 ,[2 ]]}', ["value", "values"]);
  assert.equal(reply.value.text, '{"a" : 1.000}');
  assert.deepEqual(reply.values.map(String), ["1.0", "[2 ]"]);
});

test("what JSON cannot say is refused", () => {
  const circle = {};
  circle.me = circle;
  for (const value of [NaN, Infinity, undefined, [1, , 2], new Array(2), () => 1, Symbol("x"), "\ud800", { a: [NaN] }, circle]) assert.throws(() => encode(value), TypeError);
  assert.throws(() => new Raw("{"), SyntaxError);
  assert.equal(encode({ a: undefined, d: new Date(0), r: new Raw("1.0"), n: 2n ** 64n }), '{"d":"1970-01-01T00:00:00.000Z","r":1.0,"n":18446744073709551616}');
});

test("addresses, and groups of channels", () => {
  const texts = (url) => parse(url).map((address) => address.text);
  assert.deepEqual(texts("tcp://a,b:2, c"), ["tcp://a:7223", "tcp://b:2", "tcp://c:7223"]);
  assert.deepEqual(texts("unix:///run/m.sock,tls://[::1]"), ["unix:///run/m.sock", "tls://[::1]:7225"]);
  for (const url of ["", "http://a", "a:1", "tcp://", "tcp://a:0", "tcp://a:99999", "unix://run", "tcp://u@a"]) assert.throws(() => parse(url), TypeError, url);
  assert.deepEqual(["{orders}.jobs", "retry.{orders}", "{}x", "plain"].map(groupOf), ["orders", "orders", "default", "default"]);
});
