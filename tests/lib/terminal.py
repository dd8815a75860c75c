"""Whether there are pseudo-terminals: a bare chroot or container may have none."""
import os
import pty
import unittest


def _is_there():
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError:
        return False
    return True


needs_terminal = unittest.skipUnless(_is_there(), "there are no pseudo-terminals here: is /dev/pts mounted?")
