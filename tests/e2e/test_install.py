#!/usr/bin/env python3
"""What `make install` installs: whole, removable, and all that an outside program needs, in C and C++, with pkg-config alone; the libraries' symbols; and
that the manual has every command, option, key and function."""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import BUILD, DEADLINE_S, Daemon, Directory  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
FLAGS = shlex.split(os.environ.get("CFLAGS", "")) + shlex.split(os.environ.get("LDFLAGS", ""))  # of a sanitizer's build
IS_SANITIZED = any(flag.startswith("-fsanitize") for flag in FLAGS)

# It has functions of its own with the names of some inside the library.
PROGRAM = r"""
#include <millrace.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
int buffer_append(void);
int name_is_valid(void);
#ifdef __cplusplus
}
#endif
int buffer_append(void) { return 1; }
int name_is_valid(void) { return 2; }

int main(void)
{
	struct mr_definition definition;
	json_t *value = NULL, *sum = json_integer(buffer_append() + name_is_valid());
	mr *m;
	int status = mr_connect(&m, NULL, NULL);

	memset(&definition, 0, sizeof definition);
	definition.kind = "promise";
	if (status == MR_OK)
		status = mr_create(m, "answer", &definition, NULL, NULL);
	if (status == MR_OK)
		status = mr_put(m, "answer", sum, MR_FOREVER);
	if (status == MR_OK || status == MR_DROPPED)
		status = mr_take(m, "answer", &value, 5000);
	if (status < 0)
		fprintf(stderr, "%s\n", mr_message());
	else
		printf("%s %d\n", mr_version(), (int)json_integer_value(value));
	json_decref(value);
	json_decref(sum);
	if (status >= 0)
		mr_delete(m, "answer", true, NULL);
	mr_destroy(m);
	return status != MR_OK;
}
"""


ENVIRONMENT = {**os.environ, "MAKEFLAGS": re.sub(r"(^| )(-j\S*|--jobserver\S*)", "", os.environ.get("MAKEFLAGS", ""))}  # a make of its own, with the same settings


def run(*command, **options):
    options.setdefault("cwd", ROOT)
    options.setdefault("env", ENVIRONMENT)
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, **options)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def public_headers():
    return glob.glob(os.path.join(ROOT, "client", "millrace*.h"))


def libraries():
    return re.search(r"^LIBRARIES := (.*)$", read(ROOT, "Makefile"), re.M)[1].split()


def public_functions():
    return {name for path in public_headers() for name in re.findall(r"^MR_API [^(]*?\b(\w+)\(", read(path), re.M)}


def families():
    """The pages of the manual that a family of functions has, and its functions."""
    lines = run("awk", "-f", "client/manual_families.awk", *sorted(public_headers())).stdout.splitlines()
    return {page: functions.split(", ") for page, _, _, functions in (line.split("\t") for line in lines)}


def version():
    return re.search(r"^VERSION := (.*)$", read(ROOT, "Makefile"), re.M)[1]


def files_below(directory):
    return {os.path.relpath(os.path.join(at, name), directory) for at, _, names in os.walk(directory) for name in names}


class Installed(unittest.TestCase):
    """One installation, below a prefix of its own, for all of these tests."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="millrace-test.")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.prefix = os.path.join(cls.directory, "prefix")
        done = run("make", "install", f"PREFIX={cls.prefix}", "DESTDIR=")
        assert done.returncode == 0, done.stdout + done.stderr

    def installed(self, *path):
        return os.path.join(self.prefix, *path)


class Tree(Installed):
    def test_everything_is_there_and_goes_again(self):
        staged = os.path.join(self.directory, "staged")
        for target in ("install", "uninstall", "install"):
            done = run("make", target, f"DESTDIR={staged}", "PREFIX=/usr")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            files = files_below(staged)
            if target == "uninstall":
                self.assertEqual(files, set())
                continue
            expected = {
                *("bin/millrace", "sbin/millraced", "lib/systemd/system/millraced.service", "lib/systemd/system/millraced.socket"),
                *("lib/sysusers.d/millrace.conf", "lib/tmpfiles.d/millrace.conf"),
                *(f"lib/{library}{suffix}" for library in libraries() for suffix in (".so.0", ".so", ".a")),
                *(f"lib/pkgconfig/{library[3:]}.pc" for library in libraries()),
                *(f"include/{os.path.basename(path)}" for path in public_headers()),
                *("share/man/man1/millrace.1", "share/man/man3/millrace.3", "share/man/man5/millraced.yaml.5", "share/man/man8/millraced.8"),
                *("share/bash-completion/completions/millrace", "share/zsh/site-functions/_millrace"),
                *(f"share/doc/millrace/{name}" for name in ("millraced.yaml", "PROTOCOL.md", "HTTP.md", "EVENTS.md", "openapi.json", "asyncapi.json", "OPERATIONS.md", "COMPARISON.md", "README.md", "CHANGELOG.md", "LICENSE")),
                *(f"share/man/man3/{name}.3" for name in (*public_functions(), *families())),
            }
            self.assertEqual(files, {f"usr/{path}" for path in expected})
        self.assertEqual(read(staged, "usr/lib/pkgconfig/millrace.pc").count(self.directory), 0)
        self.assertIn("ExecStart=/usr/sbin/millraced ", read(staged, "usr/lib/systemd/system/millraced.service"))
        self.assertEqual(run("make", "uninstall", f"DESTDIR={staged}", "PREFIX=/usr").returncode, 0)

    def test_one_version(self):
        for program in ("bin/millrace", "sbin/millraced"):
            self.assertEqual(run(self.installed(program), "--version").stdout.split()[1], version())
        self.assertIn(f"\nVersion: {version()}\n", read(self.installed("lib/pkgconfig/millrace.pc")))
        for page in glob.glob(self.installed("share/man/man*/*")):
            self.assertIn(f'"Millrace {version()}"', read(page).replace("\\ ", " "))


class Service(Installed):
    def test_the_units_are_good(self):
        units = [self.installed("lib/systemd/system", name) for name in ("millraced.service", "millraced.socket")]
        done = run("systemd-analyze", "verify", "--man=no", *units)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_the_service_is_hardened(self):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", self.installed("lib/systemd/system/millraced.service"))
        exposure = re.search(r"exposure level for millraced\.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        self.assertLess(float(exposure[1]), 1.5)

    def test_its_user_and_its_directory_are_made(self):
        root = os.path.join(self.directory, "root")
        os.makedirs(os.path.join(root, "etc"))
        for program, path in ((("systemd-sysusers",), "lib/sysusers.d/millrace.conf"), (("systemd-tmpfiles", "--create"), "lib/tmpfiles.d/millrace.conf")):
            done = run(*program, f"--root={root}", self.installed(path))
            if os.getuid() != 0:
                self.skipTest("only root may give a directory away")
            self.assertEqual(done.returncode, 0, done.stderr)
        user = re.search(r"^millrace:[^:]*:(\d+):(\d+):", read(root, "etc/passwd"), re.M)
        made = os.stat(os.path.join(root, "run/millrace"))
        self.assertEqual((str(made.st_uid), str(made.st_gid)), user.groups())


class Symbols(Installed):
    def defined(self, *arguments):
        names = {line.split()[-1] for line in run("nm", "--defined-only", *arguments).stdout.splitlines() if len(line.split()) == 3}
        return {name for name in names if not (IS_SANITIZED and name.startswith("__"))}

    def test_the_shared_libraries_show_what_the_headers_declare(self):
        self.assertGreater(len(public_functions()), 30)
        names = self.defined("-D", *(self.installed("lib", library + ".so.0") for library in libraries()))
        self.assertEqual(names - {"MILLRACE_0"}, {f"{name}@@MILLRACE_0" for name in public_functions()})
        for library in libraries():
            self.assertRegex(run("objdump", "-p", self.installed("lib", library + ".so.0")).stdout, rf"SONAME +{library}\.so\.0\n")

    def test_so_do_the_static_ones(self):
        self.assertEqual(self.defined("-g", *(self.installed("lib", library + ".a") for library in libraries())), public_functions())

    def test_they_all_have_the_prefix(self):
        for name in public_functions():
            self.assertRegex(name, "^mr_")


class Outside(Installed):
    def flags(self, *arguments, package="millrace"):
        """What pkg-config says of this installation."""
        environment = {**os.environ, "PKG_CONFIG_PATH": self.installed("lib/pkgconfig")}
        done = run("pkg-config", *arguments, package, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return shlex.split(done.stdout)

    def compile(self, compiler, source, *flags):
        program = os.path.join(self.directory, "program")
        path = program + (".cc" if compiler == "g++" else ".c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        done = run(compiler, "-Wall", "-Wextra", "-Werror", path, "-o", program, *flags, *FLAGS, cwd=self.directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return program

    def check(self, program, libraries):
        with Daemon() as daemon:
            environment = {**os.environ, "MILLRACE_URL": f"unix://{daemon.socket_path}", "LD_LIBRARY_PATH": libraries}
            done = run(program, env=environment)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{version()} 3\n", ""))

    def test_shared(self):
        for compiler, standard in (("cc", "-std=c11"), ("g++", "-std=c++11")):
            program = self.compile(compiler, PROGRAM, standard, *self.flags("--cflags", "--libs"))
            self.assertIn("libmillrace.so.0", run("objdump", "-p", program).stdout)
            self.check(program, self.installed("lib"))

    def test_static(self):
        """The shared library is not there."""
        program = self.compile("cc", PROGRAM, "-std=c11", *self.static_flags("millrace"))
        self.assertNotIn("libmillrace", run("objdump", "-p", program).stdout)
        self.check(program, "")

    def static_flags(self, package):
        """As if there were no shared libraries of ours."""
        alone = os.path.join(self.directory, "alone")
        os.makedirs(alone, exist_ok=True)
        for library in libraries():
            shutil.copy(self.installed("lib", library + ".a"), alone)
        return [f"-L{alone}" if flag == f"-L{self.installed('lib')}" else flag for flag in self.flags("--static", "--cflags", "--libs", package=package)]

    def test_the_examples_page_is_true_where_it_is_installed(self):
        """Alone in a directory, as the package of the library has it: the first block builds with what is installed."""
        page = read(ROOT, "client", "examples", "README.md")
        (command,) = re.findall(r"^    (cc .*)$", page, re.M)
        command = command.partition(" && ")[0].replace("/tmp/", self.directory + "/")
        done = run("sh", "-c", command, cwd=os.path.join(ROOT, "client", "examples"), env={**os.environ, "PKG_CONFIG_PATH": self.installed("lib/pkgconfig")})
        self.assertEqual(done.returncode, 0, done.stderr)
        if not IS_SANITIZED:  # whose library makes the linker warn
            self.assertEqual(done.stderr, "")
        for name in re.findall(r"\]\(([^)]+)\)", page):
            self.assertTrue(os.path.exists(os.path.join(ROOT, "client", "examples", name)), name)

    def test_the_package_has_what_its_pages_lead_to(self):
        """Every page and description of proto/ is among the documents of the daemon's package."""
        documents = read(ROOT, "debian", "millraced.docs").split()
        for path in glob.glob(os.path.join(ROOT, "proto", "*.md")) + glob.glob(os.path.join(ROOT, "proto", "*.json")):
            self.assertIn(os.path.relpath(path, ROOT), documents)
        for path in documents:
            self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)

    def test_each_example_is_built_from_its_package(self):
        """As client/examples/README.md says it; shared, and static."""
        sources = sorted(glob.glob(os.path.join(ROOT, "client", "examples", "*.c")))
        self.assertGreater(len(sources), 10)
        for source in sources:
            package = "millrace-parking" if "millrace_parking.h" in read(source) else "millrace"
            program = os.path.join(self.directory, "example")
            for flags in (self.flags("--cflags", "--libs", package=package), self.static_flags(package)):
                done = run("cc", source, "-o", program, *flags, *FLAGS)
                self.assertEqual((done.returncode, done.stderr), (0, ""), source)
            self.assertNotIn("libmillrace", run("objdump", "-p", program).stdout)

    def test_each_header_stands_alone(self):
        for path in files_below(self.installed("include")):
            for compiler, standard in (("cc", "-std=c11"), ("g++", "-std=c++11")):
                self.compile(compiler, f"#include <{path}>\n#include <{path}>\n", standard, "-pedantic", "-c", *self.flags("--cflags"))


class Lacking(Directory):
    def test_what_is_lacking_is_said_before_a_compiler_fails(self):
        pkg_config = self.write('#!/bin/sh\ncase "$*" in *yaml*|*jansson*) exit 1;; esac\n', "pkg-config")
        os.chmod(pkg_config, 0o755)
        done = run("make", "-j2", f"BUILD={self.path('build')}", f"PKG_CONFIG={pkg_config}", "CC=false", cwd=ROOT)
        self.assertEqual(done.returncode, 2)
        self.assertIn("does not find: jansson yaml-0.1\nrun `make deps-build`", done.stderr)
        self.assertNotIn("CC ", done.stdout)


class Manual(Installed):
    def page(self, name):
        """It as people read it, but with no line broken in it: words without white space between them."""
        path = glob.glob(self.installed(f"share/man/man*/{name}"))[0]
        done = run("man", "--warnings=w", "-l", path, env={**os.environ, "MANWIDTH": "1000", "MANROFFOPT": "-c", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_millrace(self):
        page = self.page("millrace.1")
        program = self.installed("bin/millrace")
        commands = re.findall(r"^  (\w+) +\w", run(program, "help").stdout.split("Options:")[0], re.M)
        self.assertGreater(len(commands), 10)
        common = set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", run(program, "help").stdout, re.M)) - {"--version"}
        self.assertGreater(len(common), 8)
        for command in commands:
            part = re.split(rf"^   millrace {command} ", page, flags=re.M)
            self.assertEqual(len(part), 2, command)
            part = re.split(r"^   millrace |^[A-Z]", part[1], flags=re.M)[0]
            for option in re.findall(r"^  (?:-\w, |    )(--[\w-]+)", run(program, "help", command).stdout, re.M):
                if option in common:
                    self.assertNotRegex(part, rf"(?m)^ +(-\w, )?{option}( [A-Z ]+)?$", command)
                else:
                    self.assertRegex(part, rf"(?m)^ +(-\w, )?{option}( [A-Z ]+)?$", command)
        for option in common:
            self.assertEqual(len(re.findall(rf"(?m)^ +(?:-\w, )?{option}(?: [A-Z ]+)?$", page)), 1, option)

    def test_millraced(self):
        page = self.page("millraced.8")
        options = re.findall(r"(?m)^ +(?:-\w, )?(?:--[\w-]+)", run(self.installed("sbin/millraced"), "--help").stdout)
        self.assertGreater(len(options), 5)
        for option in options:
            self.assertRegex(page, rf"(?m)^ +{option.strip()}( |$)")

    def test_the_configuration(self):
        page = self.page("millraced.yaml.5")
        limits = re.findall(r"LIMIT\((\w+), [A-Z]", read(ROOT, "config", "limits.h"))
        others = re.findall(r'\{"(\w+)", \w*read\w*, ', read(ROOT, "config", "keys.c") + read(ROOT, "config", "channels_config.c"))
        self.assertGreater(len(limits), 7)
        self.assertGreater(len(others), 6)
        for key in limits + others:
            self.assertRegex(page, rf"(?m)^ +(?:\w+, )*{key}(?:, \w+)*$")

    def test_functions(self):
        """Each has its declaration on the page of its family, which man finds by its name; and on no other."""
        pages = {page: self.page(page + ".3") for page in families()}
        self.assertEqual({name for functions in families().values() for name in functions}, public_functions())
        for family, functions in families().items():
            for name in functions:
                self.assertEqual(os.readlink(self.installed("share/man/man3", name + ".3")), family + ".3")
                self.assertEqual([page for page, text in pages.items() if re.search(rf"(?m)^ +[a-z][\w ]*[ *]{name}\((?:void|mr\w*|int|size_t|const|struct|char)\b", text)], [family])
            self.assertLess(len(pages[family].splitlines()), 300, family)
        page = self.page("millrace.3")
        for family, functions in families().items():
            self.assertRegex(page, rf"(?m)^ +{family}\(3\)\n +.*: {', '.join(functions)}$")
        for status in re.findall(r"^\t(MR_\w+) =", read(ROOT, "client", "millrace.h"), re.M):
            self.assertIn(f" {status} = ", page.replace("\t", " "))
        self.assertIn('"%s\\n", mr_message()', page)


if __name__ == "__main__":
    unittest.main()
