"""The brokers that are compared: how each is started, on a core of its own, and how it always ends with us. None keeps anything, but for those that are compared as durable: they sync to the same disk
before they answer."""
import contextlib
import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
DEADLINE_S = 60
PR_SET_PDEATHSIG = 1

CHANNELS = (
    "{"
    + ", ".join(f"bench-{name}: {{kind: bounded, capacity: 1000000}}" for name in ("50", "50-object", "1024", "1024-object", "fan", "apart", "apart-object", "pingpong"))
    + "".join(f", arm-{i}: {{kind: unbuffered}}" for i in range(1, 64))
    + "}"
)
DURABLE_CHANNELS = (
    "{"
    + ", ".join(f"bench-{name}: {{kind: bounded, capacity: 1000000, durable: true}}" for name in ("50", "100", "1024"))
    + ", "
    + ", ".join(f"{name}: {{kind: bounded, capacity: 1000000}}" for name in ("memory-50", "bench-pingpong"))
    + "}"
)
MILLRACED = [os.path.join(BUILD, "millraced"), "--http", "none", "--listen", "tcp://127.0.0.1:{port}", "--set", "channels={channels}"]
COMMANDS = {
    "millrace": MILLRACED,
    "millrace TLS": [
        *MILLRACED[:3],
        *("--listen", "tls://127.0.0.1:{port}", "--set", "channels={channels}", "--set", "tls={{cert: {directory}/certificate.pem, key: {directory}/key.pem}}"),
    ],
    "millrace spinning": [*MILLRACED, "--set", "spin_us=50"],
    "millrace large": [
        *(MILLRACED[0], "--http", "127.0.0.1:{http_port}", *MILLRACED[3:]),
        *(part for limit in ("max_channels=3000000", "max_connections=20000", "max_frame=16777215", "max_memory=8GiB", "max_buffers=2GiB") for part in ("--set", f"limits.{limit}")),
    ],
    "millrace durable": [*MILLRACED[:-1], "channels={durable_channels}", "--set", "journal.path={directory}/journal"],
    "redis durable": ["redis-server", "--port", "{port}", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--bind", "127.0.0.1"],
    "beanstalkd durable": ["beanstalkd", "-l", "127.0.0.1", "-p", "{port}", "-b", "{directory}", "-f0"],
    "rabbitmq durable": [os.path.join(os.path.dirname(os.path.abspath(__file__)), "rabbitmq"), "{port}", "{http_port}", "{other_port}", "{directory}"],
    "redis": ["redis-server", "--port", "{port}", "--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1", "--maxclients", "5000"],
    "nats": ["nats-server", "-a", "127.0.0.1", "-p", "{port}"],
    "beanstalkd": ["beanstalkd", "-l", "127.0.0.1", "-p", "{port}"],
    "echo": [os.path.join(BUILD, "tests/bench/echo"), "{port}"],
}
NEEDS = {"rabbitmq durable": "/usr/lib/rabbitmq/bin/rabbitmq-server"}  # where that is not what is called


def is_installed(name):
    return shutil.which(NEEDS.get(name, COMMANDS[name][0])) is not None


def start_on(core, command, **options):
    """A process on one core (None: on all), which ends when we do, however that comes about."""
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 16384)), hard))

    return subprocess.Popen(command, preexec_fn=prepare, **options)


def watch(process, seconds, name):
    """Waits for the process to end, which ends the benchmark too, and for no longer than that: between two looks at what tells nobody when it changes."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        raise SystemExit(f"{name} has ended with {process.wait(seconds)}")


def make_certificate(directory):
    """One of nobody, for the time of a benchmark."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -keyout key.pem -out certificate.pem"
    subprocess.run(["openssl", *words.split()], cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_ports(n):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class Broker:
    def __init__(self, name, core):
        self.port, self.http_port, self.other_port = free_ports(3)
        self.name, self.core = name, core
        self.directory = tempfile.mkdtemp(prefix="bench.", dir=BUILD)  # on a disk, as /tmp may not be
        if name == "millrace TLS":
            make_certificate(self.directory)
        self.start()

    def start(self):
        """Also again, when it has been killed: over what it left on the disk."""
        words = {"port": self.port, "http_port": self.http_port, "other_port": self.other_port, "channels": CHANNELS, "durable_channels": DURABLE_CHANNELS, "directory": self.directory}
        command = [part.format(**words) for part in COMMANDS[self.name]]
        self.process = start_on(self.core, command, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} did not start") from None
                watch(self.process, 0.02, self.name)

    def watch(self, seconds):
        watch(self.process, seconds, self.name)

    def cpu_us(self):
        """Processor time of the threads that it has."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except OSError:  # a thread that has just ended
                pass
        return total / 1000

    def cpu_s_in_all(self):
        """The same since it was started, in seconds: of threads that have ended, too, but in hundredths alone."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
