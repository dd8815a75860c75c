"""A worker that carries a trace through: it takes jobs, does them in a span of the same trace, and puts results that belong to it too (proto/EVENTS.md).

    traced_worker.py put URL...     puts a job for each, each with a new trace
    traced_worker.py                works, until the channel is closed

Needs a daemon with the channels `jobs` and `results`. Spans go to standard error, a line each: give them to what collects yours.
"""
import json
import re
import secrets
import sys
import time

import millrace

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Span:
    """What a tracer calls a span: `with Span("process jobs", parent=job.value.get("traceparent")) as span`."""

    def __init__(self, name, parent=None):
        match = TRACEPARENT.fullmatch(parent) if isinstance(parent, str) else None
        self.name, self.parent = name, match[2] if match else None
        self.trace, self.flags = (match[1], match[3]) if match else (secrets.token_hex(16), "01")
        self.id = secrets.token_hex(8)

    @property
    def traceparent(self):
        """What goes into the values that are put in this span."""
        return f"00-{self.trace}-{self.id}-{self.flags}"

    def __enter__(self):
        self.start = time.time()
        return self

    def __exit__(self, kind, error, trace):
        row = {"name": self.name, "trace": self.trace, "span": self.id, "parent": self.parent, "s": time.time() - self.start, "ok": kind is None}
        print(json.dumps(row), file=sys.stderr, flush=True)


with millrace.connect(name="traced_worker.py") as m:
    if sys.argv[1:2] == ["put"]:
        for url in sys.argv[2:]:
            with Span("put jobs") as span:
                m.put("jobs", {"url": url, "traceparent": span.traceparent})
    else:
        for job in m.jobs("jobs", lease=30):
            with Span("process jobs", job.value.get("traceparent")) as span:
                m.put("results", {"length": len(job.value["url"]), "traceparent": span.traceparent})
