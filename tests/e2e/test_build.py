#!/usr/bin/env python3
"""What is built is hardened: the programs and the shared libraries, read with readelf. (tests/e2e/packages and container do the same with theirs.)"""
import os
import subprocess
import unittest

BUILD = os.environ.get("BUILD", "build")
BUILT = [os.path.join(BUILD, name) for name in ("millraced", "millrace", "libmillrace.so.0", "libmillrace-parking.so.0")]


def is_sanitized():
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", BUILT[0]], capture_output=True, text=True, check=True).stdout
    return "__asan_" in symbols or "__tsan_" in symbols


class Build(unittest.TestCase):
    @unittest.skipIf(is_sanitized(), "a sanitizer's build has its own means")
    def test_everything_is_hardened(self):
        result = subprocess.run(["tests/e2e/hardened", *BUILT], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_what_is_not_hardened_is_told(self):
        plain = os.path.join(BUILD, "tests/not-hardened")
        os.makedirs(os.path.dirname(plain), exist_ok=True)
        weak = ["-no-pie", "-fno-stack-protector", "-fcf-protection=none", "-U_FORTIFY_SOURCE", "-Wl,-z,norelro,-z,lazy"]
        subprocess.run(["cc", *weak, "-x", "c", "-o", plain, "-"], input=b"int main(void) { return 0; }", check=True)
        result = subprocess.run(["tests/e2e/hardened", plain], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        for option in ("-pie", "-z relro", "-fstack-protector-strong", "_FORTIFY_SOURCE"):
            self.assertIn(option, result.stderr)

    def test_the_static_library_needs_no_link_time_optimisation(self):
        sections = subprocess.run(["readelf", "-SW", os.path.join(BUILD, "libmillrace.a")], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("gnu.lto", sections)
        self.assertIn(".text", sections)


if __name__ == "__main__":
    unittest.main()
