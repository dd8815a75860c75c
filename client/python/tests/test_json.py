"""JSON text to Python and back: nothing is lost, and what cannot be said is refused."""
import random
import unittest
from decimal import Decimal

from common import millrace
from millrace import jsontext


class Numbers(unittest.TestCase):
    def test_ints_of_any_size_go_there_and_back(self):
        for digits in (1, 17, 4000, 4001, 9999, 50_000):
            for sign in ("", "-"):
                text = sign + "7" * digits
                self.assertEqual(jsontext.encode(jsontext.decode(text)), text)
        for number in (10**5000, 10**5000 - 1, -(10**4300), 2**53 + 1):
            self.assertEqual(jsontext.decode(jsontext.encode([number])), [number])

    def test_a_number_that_no_float_holds_is_a_decimal(self):
        self.assertEqual(jsontext.decode("[1e400,1.5]"), [Decimal("1e400"), 1.5])
        self.assertEqual(jsontext.decode(jsontext.encode({"a": Decimal("1e400")})), {"a": Decimal("1e400")})

    def test_what_python_cannot_hold_is_a_value_error(self):
        with self.assertRaises(ValueError):
            jsontext.decode("1e99999999999999999999")

    def test_what_json_cannot_say_is_refused(self):
        for value in (float("nan"), float("inf"), Decimal("nan"), [Decimal("inf")]):
            with self.assertRaises(ValueError):
                jsontext.encode(value)
        deep = []
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaisesRegex(ValueError, "128"):
            jsontext.encode(deep)
        for value in (object(), {1: Decimal(1)}, {"a": {1, 2}}):
            with self.assertRaises(TypeError):
                jsontext.encode(value)


class Texts(unittest.TestCase):
    def test_split_finds_the_text_of_each_member(self):
        text = ' { "a" : [1, {"b":"}"}] ,"b\\u0063":1e400,  "c":"x\\"y" } '
        self.assertEqual(jsontext.split(text), {"a": '[1, {"b":"}"}]', "bc": "1e400", "c": '"x\\"y"'})
        self.assertEqual(jsontext.split("{}"), {})
        self.assertEqual(jsontext.split_array("[ 1 , [2,3],\n4]"), ["1", "[2,3]", "4"])
        self.assertEqual(jsontext.split_array("[ ]"), [])

    def test_split_refuses_what_is_no_object(self):
        for text in ("", "1", "[1]", '{"a"}', '{"a":1', '{"a":1 "b":2}', "{1:2}"):
            with self.assertRaises(ValueError, msg=text):
                jsontext.split(text)

    def test_raw_is_sent_as_it_stands(self):
        self.assertEqual(jsontext.encode({"v": [millrace.Raw(b"1.000"), True, None, "\u00e9"]}), '{"v":[1.000,true,null,"\u00e9"]}')

    def test_the_slow_way_agrees_with_the_quick_one(self):
        seed = 20261126
        print(f"seed {seed}")
        chance = random.Random(seed)

        def make(depth):
            kind = chance.randrange(7 if depth else 5)
            if kind < 5:
                return (chance.randrange(-(10**20), 10**20), chance.random(), True, None, "a\u00e9\n\"")[kind]
            items = [make(depth - 1) for _ in range(chance.randrange(4))]
            return items if kind == 5 else {str(i): item for i, item in enumerate(items)}

        for _ in range(300):
            value = make(4)
            self.assertEqual(jsontext.decode(jsontext._encode(value, 0)), jsontext.decode(jsontext.encode(value)))


class Addresses(unittest.TestCase):
    def test_one_or_several(self):
        def texts(url):
            return [str(address) for address in millrace._url.parse(url)]

        self.assertEqual(texts("tcp://a"), ["tcp://a:7223"])
        self.assertEqual(texts("tcp://a:1/"), ["tcp://a:1"])
        self.assertEqual(texts("tls://[::1]"), ["tls://[::1]:7225"])
        self.assertEqual(texts("tcp://a,b:2, c"), ["tcp://a:7223", "tcp://b:2", "tcp://c:7223"])
        self.assertEqual(texts("unix:///run/m.sock,tls://b"), ["unix:///run/m.sock", "tls://b:7225"])

    def test_what_is_none_is_refused(self):
        for url in ("", "http://a", "a:1", "tcp://", "tcp://a:0", "tcp://a:99999", "tcp://a:b", "unix://run", "tcp://u@a"):
            with self.assertRaises(ValueError, msg=url):
                millrace._url.parse(url)


if __name__ == "__main__":
    unittest.main()
