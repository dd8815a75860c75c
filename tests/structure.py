#!/usr/bin/env python3
"""The structure of the sources: no circles between files, nor between folders, and one name for one thing.

Between files there are two graphs: who includes whose header, and whose object uses a symbol that another's object defines. (A source may well use what needs its own header: what a thing is stands below what
is done with it.) A folder needs another if any of its files does, by one or the other. Circles are the strongly connected parts; those that there may be are listed here, each with its reason, and
one that is listed and is not there any more has to leave the list.
"""
import os
import re
import shutil
import subprocess
import unittest

BUILD = os.environ.get("BUILD", "build")
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = {"daemon": ("daemon", "config", "proto"), "client": ("client", "proto")}  # a symbol is looked for in these folders

# Whose circle may stay, or that of some of them, and why.
EXCEPTIONS = {
    ("client/blocking", "client/machine", "client/net"): "the machine's driver and the socket it drives ask for the settings of their handle",
    ("client/cli/common/runner.o", "client/cli/common/runner_attempt.o", "client/cli/common/runner_lease.o"): "an attempt ends its lease, and the end of the lease the attempt",
    ("config/address.o", "config/tls_config.o"): "the address of a listener may have the settings of TLS in it, which are read by the key of an address",
}


def sources(folders):
    for folder in folders:
        for directory, _, files in os.walk(os.path.join(TOP, folder)):
            for file in files:
                if file.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(directory, file), TOP)


def included(path):
    """The project's headers that a file includes."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        for name in re.findall(r'^#include "([^"]+)"', file.read(), re.M):
            beside = os.path.join(os.path.dirname(path), name)
            yield name if os.path.exists(os.path.join(TOP, name)) else os.path.normpath(beside)


def include_graph(folders):
    """{file: the files that it includes}."""
    files = set(sources(folders))
    return {file: {header for header in included(file) if header in files} for file in files}


def use_graph(folders):
    """{object: the other objects whose symbols it uses}."""
    objects = [f"{os.path.splitext(path)[0]}.o" for path in sources(folders) if path.endswith(".c")]
    objects = [path for path in objects if os.path.exists(os.path.join(BUILD, path))]
    defined, used = {}, {path: set() for path in objects}
    output = subprocess.run(["nm", "-A", "-P", *objects], cwd=BUILD, capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        path, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        if kind == "U":
            used[path].add(name)
        elif kind in "TDBRC":
            defined[name] = path
    return {path: {defined[name] for name in names if name in defined} - {path} for path, names in used.items()}


def folder_of(path):
    """What stands in no folder of its own is one by itself."""
    folder = os.path.dirname(path)
    return folder if folder != "daemon" else os.path.splitext(path)[0]


def folders_of(*graphs):
    folders = {}
    for graph in graphs:
        for path, needed in graph.items():
            folders.setdefault(folder_of(path), set()).update(map(folder_of, needed))
    return {folder: needed - {folder} for folder, needed in folders.items()}


def reachable(graph, start):
    seen, left = set(), [start]
    while left:
        for other in graph[left.pop()]:
            if other not in seen:
                seen.add(other)
                left.append(other)
    return seen


def circles(graph):
    """Each as the sorted names of those who are in it."""
    reach = {name: reachable(graph, name) for name in graph}
    return {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in graph if name in reach[name]}


class Structure(unittest.TestCase):
    includes = {program: include_graph(folders) for program, folders in PROGRAMS.items()}
    uses = {program: use_graph(folders) for program, folders in PROGRAMS.items()}
    folders = dict(zip(PROGRAMS, map(folders_of, includes.values(), uses.values())))

    def test_no_circles(self):
        found = set()
        for graphs in (self.includes, self.uses, self.folders):
            for graph in graphs.values():
                found |= circles(graph)
        fresh = {circle for circle in found if not any(set(circle) <= set(listed) for listed in EXCEPTIONS)}
        gone = {listed for listed in EXCEPTIONS if not any(set(circle) <= set(listed) for circle in found)}
        self.assertFalse(fresh, "circles:\n" + "\n".join(" ".join(circle) for circle in sorted(fresh)))
        self.assertFalse(gone, "no circles any more, so take them off the list:\n" + "\n".join(" ".join(circle) for circle in sorted(gone)))

    def test_the_sources_and_objects_were_read(self):
        # With broken parts of this script everything would be without circles.
        self.assertIn("daemon/core/core.h", self.includes["daemon"]["daemon/broker/broker.h"])
        self.assertIn("daemon/core/core.o", self.uses["daemon"]["daemon/broker/broker.o"])
        self.assertIn("daemon/core/core.o", reachable(self.uses["daemon"], "daemon/server/server.o"))
        self.assertEqual(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}), {("a", "b", "c")})

    def test_who_must_not_know_whom(self):
        graph = self.folders["daemon"]
        self.assertLessEqual(reachable(graph, "daemon/core"), {"daemon/journal", "proto"})
        self.assertFalse({"daemon/session", "daemon/http", "daemon/server", "daemon/access"} & reachable(graph, "daemon/broker"))
        self.assertFalse({"daemon/session", "daemon/http", "daemon/server", "daemon/core"} & reachable(graph, "daemon/net"))
        self.assertEqual(reachable(graph, "proto"), set())


class Names(unittest.TestCase):
    """One name, one thing."""

    def test_a_struct_is_defined_once(self):
        where = {}
        for path in sources(("daemon", "config", "proto", "client")):
            with open(os.path.join(TOP, path), encoding="utf-8") as file:
                for name in re.findall(r"^struct (\w+) \{", file.read(), re.M):
                    where.setdefault(name, []).append(path)
        self.assertIn("broker", where)
        self.assertEqual({name: paths for name, paths in where.items() if len(paths) > 1}, {})

    def test_files_of_a_program_are_not_called_alike(self):
        # Nor the one the other's plural. A command's file is called as the command is, an example's as what it shows.
        for folders in PROGRAMS.values():
            where = {}
            for path in sources(folders):
                folder, file = os.path.split(os.path.splitext(path)[0])
                if folder not in ("client/cli/commands", "client/examples"):
                    where.setdefault(file.removesuffix("s"), set()).add(os.path.join(folder, file))
            self.assertEqual([sorted(paths) for paths in where.values() if len(paths) > 1], [])


class Format(unittest.TestCase):
    @unittest.skipUnless(shutil.which("clang-format"), "clang-format is not installed")
    def test_clang_format_would_change_nothing(self):
        files = sorted(path for path in sources(("daemon", "config", "proto", "client", "tests")) if "/corpus/" not in path)
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=TOP, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[:2000])


if __name__ == "__main__":
    unittest.main()
