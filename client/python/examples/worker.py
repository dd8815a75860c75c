"""A worker that loses no job: `worker.py` works, `worker.py 5` puts five jobs. Needs a daemon with a channel `jobs` (config/millraced.yaml)."""
import sys

import millrace

with millrace.connect(name="worker.py") as m:
    if len(sys.argv) > 1:
        for number in range(int(sys.argv[1])):
            m.put("jobs", {"square": number})  # waits while the channel is full
    else:
        for job in m.jobs("jobs", lease=30):
            print(job.value["square"] ** 2, flush=True)
