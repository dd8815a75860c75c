"""Users of a daemon, for tests: its configuration in a directory of its own."""
import os
import shutil
import signal
import tempfile

from millraced import DEADLINE_S

RIGHTS = ("put", "take", "manage", "observe")


def lines_of(users):
    """YAML of users: {name: {key: value}}; lists as YAML has them."""
    return "users:\n" + "".join(
        f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in members.items()) for name, members in users.items())


class Files:
    """A configuration in a directory of its own, where certificates may stand too."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="millrace-users.")
        self.config = os.path.join(self.directory, "c.yaml")

    def write(self, text, mode=0o600):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.config, mode)
        return self.config

    def remove(self):
        shutil.rmtree(self.directory)

    def reload(self, daemon, text):
        """Writes the configuration anew, and waits until the daemon has loaded it."""
        before = daemon.log().count("reloaded")
        self.write(text)
        daemon.kill(signal.SIGHUP)
        with daemon.changed:
            assert daemon.changed.wait_for(lambda: "".join(daemon.lines).count("reloaded") > before or daemon.ended, DEADLINE_S), daemon.log()
