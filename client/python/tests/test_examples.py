"""The examples do what they say."""
import json
import os
import subprocess
import sys
import unittest

from common import DEADLINE_S, ROOT, Daemon, millrace, url_of

EXAMPLES = os.path.join(ROOT, "client", "python", "examples")


class Examples(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.m = millrace.connect(url_of(self.daemon)).open()
        self.addCleanup(self.m.disconnect)
        for channel in ("jobs", "results", "requests"):
            self.m.create(channel, "bounded", 32)

    def run_example(self, name, *arguments):
        source = os.path.join(ROOT, "client", "python", "src")
        environment = {**os.environ, "MILLRACE_URL": url_of(self.daemon), "PYTHONPATH": source}
        command = [sys.executable, os.path.join(EXAMPLES, name), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=True)

    def test_worker(self):
        self.run_example("worker.py", "4")
        self.m.close("jobs")
        self.assertEqual(self.run_example("worker.py").stdout.split(), ["0", "1", "4", "9"])

    def test_race(self):
        self.m.put("requests", "hello")
        self.assertEqual(self.run_example("race.py").stdout, "requests hello\n")

    def test_a_trace_goes_through(self):
        put = json.loads(self.run_example("traced_worker.py", "put", "http://x/y").stderr)
        self.m.close("jobs")
        span = json.loads(self.run_example("traced_worker.py").stderr)
        self.assertEqual((span["trace"], span["parent"]), (put["trace"], put["span"]))
        result = self.m.take("results")
        self.assertEqual(result, {"length": 10, "traceparent": f"00-{put['trace']}-{span['span']}-01"})


if __name__ == "__main__":
    unittest.main()
