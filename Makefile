# Millrace. `make` builds; `make demo` shows it; `make check` tests it; `make help` lists the rest.
VERSION := 0.1.0
COMMA   := ,

CC         ?= cc
CFLAGS     ?= -O2 -g
BUILD      ?= build
PREFIX     ?= /usr/local
DESTDIR    ?=
PKG_CONFIG ?= pkg-config
OBJCOPY    ?= objcopy

BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILEDIR ?= $(PREFIX)/lib/tmpfiles.d

# What Debian calls what we need: to build, and to test.
BUILD_PACKAGES := gcc libc6-dev pkg-config libcurl4-openssl-dev libevent-dev libjansson-dev libssl-dev libyaml-dev
# The Python client's types are checked, and pip builds its package.
PYTHON_PACKAGES := mypy python3-pip python3-setuptools python3-wheel
MANIFEST_PACKAGES := python3-yaml
CLOJURE_PACKAGES := $(if $(shell command -v java),,default-jre-headless) libclojure-java libcore-async-clojure libdata-json-clojure
NODE_PACKAGES   := $(if $(shell command -v node),,nodejs)
CLUSTER_PACKAGES := $(BUILD_PACKAGES) etcd-server etcd-client
TEST_PACKAGES  := $(CLUSTER_PACKAGES) check openssl python3 curl scdoc g++ bash zsh man-db systemd $(PYTHON_PACKAGES) $(NODE_PACKAGES) $(MANIFEST_PACKAGES) $(CLOJURE_PACKAGES)
VALGRIND_PACKAGES := $(TEST_PACKAGES) valgrind
FUZZ_PACKAGES  := $(BUILD_PACKAGES) clang libclang-rt-14-dev
DEB_PACKAGES   := $(BUILD_PACKAGES) build-essential debhelper dpkg-dev scdoc
# The browser's test is a target of its own: a browser is large.
BROWSER_PACKAGES := $(BUILD_PACKAGES) chromium $(if $(shell command -v npm),,nodejs npm)
PLAYWRIGHT       := playwright-core@1.49.1
BENCH_PACKAGES := $(BUILD_PACKAGES) openssl python3 redis-server beanstalkd nats-server rabbitmq-server etcd-server

WARNINGS := -Wall -Wextra -Wpointer-arith -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wwrite-strings \
            $(if $(CI),-Werror)
# -- How everything is compiled: for `make`, the packages and the image alike --

# Those of the flags that this compiler understands; and flags with which it can link a program, or none of them.
understood = $(foreach f,$(1),$(shell $(CC) -Werror $(f) -E -x c /dev/null >/dev/null 2>&1 && echo $(f)))
linkable = $(shell echo 'int main(void) { return 0; }' | $(CC) -Werror $(1) -x c -o /dev/null - >/dev/null 2>&1 && echo $(1))

# A mistake that slips through ends the process rather than giving it away: overruns on the stack, and of what the C library writes, are noticed; jumps go to where
# jumps may go (x86); tables of functions are read-only. Empty with the sanitizers, which see more.
HARDENING := $(call understood,-fstack-protector-strong -fcf-protection)
HARDENING += $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,$(if $(filter -O1 -O2 -O3 -Os -Og,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDENING_LINK := -Wl,-z,relro,-z,now

# The two programs are optimised as wholes, which saves an eighth of the daemon's instructions. Objects hold both forms, so that what is linked for the tests, and
# the libraries that others link, are as ever. The seed makes builds repeatable. It takes its time, so `make CI=1`, which looks for warnings, goes without; LTO= too.
LTO := $(if $(CI),,$(call linkable,-flto=auto -ffat-lto-objects))
LTO_COMPILE = $(if $(LTO),$(LTO) -frandom-seed=$<)
LTO_LINK    = -fno-lto
LTO_STRIP  := --remove-section='.gnu.lto_*' --remove-section='.gnu.debuglto_*' --strip-symbol=__gnu_lto_v1

# GCC clears structs of some hundred bytes with `rep stos`, which takes longer to begin than plain stores to end.
CLEARING := $(call understood,-mmemset-strategy=unrolled_loop:512:noalign$(COMMA)libcall:-1:noalign)

# What every request goes through is small functions of many files, which the compiler joins there as it does with -O3: a put and a take need a fifth less instructions,
# and the daemon is larger by a twentieth. The rest of -O3 gains nothing.
INLINING := $(call understood,--param=max-inline-insns-auto=30 --param=inline-min-speedup=15)

ALL_CFLAGS = -std=gnu11 -I. -fPIC -fno-semantic-interposition -fvisibility=hidden -pthread \
             -ffile-prefix-map=$(CURDIR)=. -DMILLRACE_VERSION='"$(VERSION)"' $(WARNINGS) $(HARDENING) $(CLEARING) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LTO_LINK) $(HARDENING_LINK) $(LDFLAGS)

# Asked once a run, when first needed, and again in the run that follows an installation. The daemon loads libcurl by itself, if it is in a cluster.
DAEMON_LIBS = $(shell $(PKG_CONFIG) --libs libevent_core libssl libcrypto yaml-0.1)
CLIENT_LIBS = $(shell $(PKG_CONFIG) --libs jansson libssl libcrypto)
YAML_LIBS   = $(shell $(PKG_CONFIG) --libs yaml-0.1)
EVENT_LIBS  = $(shell $(PKG_CONFIG) --libs libevent_core libevent_extra)
TEST_LIBS   = $(shell $(PKG_CONFIG) --libs check jansson yaml-0.1)

# One short line for each step; `make V=1` shows the commands.
Q    := $(if $(V),,@)
TELL  = $(if $(V),,@echo "$(1) $(patsubst $(BUILD)/%,%,$@)")

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))

LIBRARIES := libmillrace libmillrace-parking
PROGRAMS := $(addprefix $(BUILD)/,millraced millrace $(LIBRARIES:=.a) $(LIBRARIES:=.so.0))
TESTS    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/sim/test_*.c tests/e2e/test_*.c))
FUZZERS  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS  := $(addprefix $(BUILD)/tests/fuzz/test_,$(FUZZERS))
SCRIPTS  := $(wildcard tests/e2e/test_*.py client/python/tests/test_*.py client/node/test/*.test.js client/clojure/test/run.clj)
SCRIPTS  += tests/structure.py
PRELOADS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/lib/preload/*.c))
EXAMPLES := $(patsubst %.c,$(BUILD)/%,$(wildcard client/examples/*.c))

.PHONY: all
all: $(PROGRAMS)

$(BUILD)/%.o: %.c | $(BUILD)/.packages
	@mkdir -p $(@D)
	$(call TELL,CC  )
	$(Q)$(CC) $(ALL_CFLAGS) $(LTO_COMPILE) -MMD -MP -c -o $@ $<

# Whether there is what we need, once for each build tree, before a compiler stumbles over it.
NEEDED := libcurl libevent_core libevent_extra jansson libssl libcrypto yaml-0.1
$(BUILD)/.packages:
	@lacking=$$(for p in $(NEEDED); do $(PKG_CONFIG) --exists $$p 2>/dev/null || echo $$p; done); [ -z "$$lacking" ] || { \
		echo "$(PKG_CONFIG) does not find:" $$lacking; \
		echo "run \`make deps-build\`, which installs with apt: $(BUILD_PACKAGES)"; exit 1; } >&2
	@mkdir -p $(@D) && touch $@

$(BUILD)/daemon/http/assets.o: $(wildcard daemon/http/dashboard.*) proto/openapi.json
$(BUILD)/daemon/http/assets.o: LTO = # it is assembly, which link-time optimisation would part from its names

$(call objects,proto/*.c $(patsubst %,daemon/%/*.c,core broker session net)): ALL_CFLAGS += $(INLINING)

$(BUILD)/libproto.a:    $(call objects,proto/*.c)
$(BUILD)/libconfig.a:   $(call objects,config/*.c)
$(BUILD)/libdaemon.a:   $(filter-out $(BUILD)/daemon/main.o,$(call objects,daemon/*.c daemon/cluster/etcd*.c $(patsubst %,daemon/%/*.c,broker session access server net http)))
$(BUILD)/libcore.a:     $(call objects,daemon/core/*.c)
$(BUILD)/libjournal.a:  $(call objects,daemon/journal/*.c)
$(BUILD)/libcluster.a:  $(filter-out $(BUILD)/daemon/cluster/etcd%,$(call objects,daemon/cluster/*.c))
$(BUILD)/libclient.a:   $(call objects,$(patsubst %,client/%/*.c,machine net blocking patterns) proto/*.c)
$(BUILD)/libparking.a:  $(call objects,client/parking/*.c)
$(BUILD)/libtest.a:     $(call objects,tests/lib/*.c)
$(BUILD)/libsim.a:      $(filter-out $(BUILD)/tests/sim/test_%,$(call objects,tests/sim/*.c))
$(BUILD)/%.a:
	$(call TELL,AR  )
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(AR) rcs $@ $^

# The public libraries: their objects, and what they are linked with. They show what their headers say MR_API of, and nothing else: libclient.a, for the tests
# and the command line, is the same with its inside.
libmillrace_OBJECTS := $(call objects,$(patsubst %,client/%/*.c,machine net blocking patterns) proto/*.c)
libmillrace_LIBS     = $(CLIENT_LIBS)
# It has a copy of its own of what it shares with the blocking client, but for the texts of errors, which it finds there.
libmillrace-parking_OBJECTS := $(call objects,$(patsubst %,client/%/*.c,machine net parking) proto/*.c)
libmillrace-parking_LIBS     = $(BUILD)/libmillrace.so.0 $(CLIENT_LIBS) $(EVENT_LIBS)
$(BUILD)/libmillrace-parking.so.0: | $(BUILD)/libmillrace.so.0

$(foreach l,$(LIBRARIES),$(eval $(BUILD)/$l.a $(BUILD)/$l.so.0: $($l_OBJECTS)))
$(LIBRARIES:%=$(BUILD)/%.a):
	$(call TELL,AR  )
	@rm -f $@
	$(Q)$(LD) -r -o $(@:.a=.o) $^ && $(OBJCOPY) $(LTO_STRIP) --localize-hidden $(@:.a=.o) && $(AR) rcs $@ $(@:.a=.o)
$(LIBRARIES:%=$(BUILD)/%.so.0): $(BUILD)/%.so.0: client/libmillrace.map
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=client/libmillrace.map -o $@ $(filter-out %.map,$^) $($*_LIBS)

$(BUILD)/millraced $(BUILD)/millrace: private LTO_LINK = $(if $(LTO),-flto=auto)
$(BUILD)/millraced: $(addprefix $(BUILD)/,daemon/main.o libdaemon.a libconfig.a libcore.a libjournal.a libcluster.a libproto.a)
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/millrace: $(call objects,client/cli/*.c client/cli/*/*.c) $(BUILD)/libclient.a
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(CLIENT_LIBS) $(YAML_LIBS)

TEST_ARCHIVES := $(addprefix $(BUILD)/,libsim.a libtest.a libdaemon.a libconfig.a libcore.a libjournal.a libcluster.a libparking.a libclient.a)
$(TESTS): %: %.o $(TEST_ARCHIVES)
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(DAEMON_LIBS) $(EVENT_LIBS) -lm

# Stands before the C library in a daemon that a test starts.
$(PRELOADS): %.so: %.o $(BUILD)/libjournal.a
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl

# A harness with libFuzzer's main, and with one that replays its corpus.
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(TEST_ARCHIVES)
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(TEST_LIBS) $(DAEMON_LIBS) $(EVENT_LIBS) -lm
$(BUILD)/tests/fuzz/test_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(TEST_ARCHIVES)
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(DAEMON_LIBS) $(EVENT_LIBS) -lm
.SECONDARY: $(FUZZERS:%=$(BUILD)/tests/fuzz/fuzz_%.o) $(BUILD)/tests/fuzz/replay.o

$(EXAMPLES:=.o): ALL_CFLAGS += -Iclient
$(BUILD)/client/examples/parking: $(BUILD)/libmillrace-parking.a
$(BUILD)/client/examples/parking: EXAMPLE_LIBS = $(EVENT_LIBS)
$(EXAMPLES): %: %.o $(BUILD)/libmillrace.a
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %-parking.a,$^) $(BUILD)/libmillrace.a $(EXAMPLE_LIBS) $(CLIENT_LIBS)

BENCH_PROGRAMS := $(addprefix $(BUILD)/tests/bench/,driver echo growth proto)
$(BUILD)/tests/bench/driver: $(addprefix $(BUILD)/tests/bench/,load.o secure.o protocol_millrace.o protocol_peers.o protocol_amqp.o) $(BUILD)/libproto.a
$(addprefix $(BUILD)/tests/bench/,growth proto): $(BUILD)/libproto.a
$(BUILD)/tests/bench/client: $(addprefix $(BUILD)/,libmillrace-parking.a libmillrace.a)
$(BUILD)/tests/bench/client: CLIENT_LIBS += $(EVENT_LIBS)
$(BENCH_PROGRAMS) $(BUILD)/tests/bench/client: %: %.o
	$(call TELL,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

# -- What people call --

.PHONY: demo examples check asan tsan bench bench-quick bench-client bench-cluster bench-built install install-programs uninstall help clean check-built deps-build deps-test deps-bench
.PHONY: valgrind valgrind-built soak fuzz fuzz-built deps-fuzz deps-valgrind
.PHONY: run deb deps-deb clients demo-cluster deps-cluster soak-cluster
.PHONY: check-browser deps-browser check-types
demo: deps-build ## build, and see the main job done in half a minute
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) client/examples/demo

demo-cluster: deps-cluster ## three daemons on three etcd, of which it kills some: what survives
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) client/examples/demo-cluster

run: deps-build ## build, and run the daemon with the sample configuration until Ctrl-C
	@$(MAKE) --no-print-directory all
	@$(BUILD)/millraced -c config/millraced.yaml

examples: deps-build ## build client/examples/
	@$(MAKE) --no-print-directory $(EXAMPLES)

check: deps-test ## build, and pass all tests
	@$(MAKE) --no-print-directory check-built

check-browser: deps-browser ## the dashboard in a real browser, which it installs
	@$(MAKE) --no-print-directory all
	@mkdir -p $(BUILD)/browser && cd $(BUILD)/browser && { [ -d node_modules/playwright-core ] || { echo '{"private": true}' >package.json; \
		echo "installing with npm: $(PLAYWRIGHT)"; npm install --silent --no-audit --no-fund $(PLAYWRIGHT); }; }
	@BUILD=$(BUILD) node tests/browser/dashboard.mjs

TYPESCRIPT := typescript@5.6 @types/node@20
check-types: ## the Node client's types under tsc --strict, which it installs with npm
	@mkdir -p $(BUILD)/types && cd $(BUILD)/types && { [ -d node_modules/typescript ] || { echo '{"private": true}' >package.json; \
		echo "installing with npm: $(TYPESCRIPT)"; npm install --silent --no-audit --no-fund $(TYPESCRIPT); }; }
	@$(BUILD)/types/node_modules/.bin/tsc --strict --noEmit --target esnext --module nodenext --moduleResolution nodenext \
		--lib esnext,esnext.disposable,dom --typeRoots $(BUILD)/types/node_modules/@types client/node/test/types.ts && echo "the types are strict"

# The simulations of cuts go through fewer of them there, and each test has more time.
SANITIZE = CK_TIMEOUT_MULTIPLIER=5 MILLRACE_CUTS=$${MILLRACE_CUTS:-10000} $(MAKE) --no-print-directory check-built BUILD=$(BUILD)/$@ LTO= HARDENING= CFLAGS="-O1 -g -fno-omit-frame-pointer $(1)" LDFLAGS="$(1)"
asan: deps-test ## the same under the address and undefined-behaviour sanitizers
	@$(call SANITIZE,-fsanitize=address$(COMMA)undefined -fno-sanitize-recover=undefined)
tsan: deps-test ## the same under the thread sanitizer
	@$(call SANITIZE,-fsanitize=thread)

FUZZ_SECONDS ?= 60
fuzz: deps-fuzz ## libFuzzer on every harness of tests/fuzz, $FUZZ_SECONDS (60) each; FUZZERS=json_scan for one of them
	@$(MAKE) --no-print-directory fuzz-built BUILD=$(BUILD)/fuzz LTO= HARDENING= CC=clang \
		CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined" \
		LDFLAGS="-fsanitize=address,undefined"
fuzz-built: $(addprefix $(BUILD)/tests/fuzz/fuzz_,$(FUZZERS))
	@BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

# Not those with a malloc of their own, nor the scanner's table of very deep texts, which takes too long there.
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --num-callers=20
valgrind: deps-valgrind ## the tests under valgrind's memcheck, the long ones in a shorter form
	@$(MAKE) --no-print-directory valgrind-built BUILD=$(BUILD)/valgrind LTO= CFLAGS="-O1 -g"
valgrind-built: $(PROGRAMS) $(TESTS) $(REPLAYS)
	@BUILD=$(BUILD) VALGRIND="$(VALGRIND)" tests/valgrind $(filter-out %/test_core_memory %/test_inside_faults %/test_proto_json_scan,$(TESTS) $(REPLAYS)) \
		tests/e2e/test_attack.py tests/e2e/test_protocol.py

SOAK_SECONDS ?= 600
FAILURES ?= 20
soak: deps-test ## mixed load with faults for $SOAK_SECONDS (600): books balance, memory stays flat; durable channels survive 300 kills
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) SOAK_SECONDS=$(SOAK_SECONDS) tests/e2e/test_soak.py
	@BUILD=$(BUILD) MILLRACE_KILLS=300 tests/e2e/test_durable_kills.py KilledAtAnyMoment

soak-cluster: deps-test ## daemons on three etcd: each kind of failure $FAILURES (20) times under load, histories checked
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) MILLRACE_FAILURES=$(FAILURES) tests/e2e/test_cluster.py Failures

bench: deps-bench ## beside Redis, NATS, beanstalkd and RabbitMQ, which it installs; 10 minutes
	@$(MAKE) --no-print-directory bench-built
bench-quick: deps-bench ## the same in little more than one
	@$(MAKE) --no-print-directory bench-built BENCH_OPTIONS=--quick
bench-client: deps-bench ## what the client library costs beside work by hand
	@$(MAKE) --no-print-directory all $(addprefix $(BUILD)/tests/bench/,driver client)
	@BUILD=$(BUILD) tests/bench/client_cost
bench-cluster: deps-bench ## durable channels of a cluster, beside JetStream with three replicas; a minute
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/driver
	@BUILD=$(abspath $(BUILD)) tests/bench/cluster $(BENCH_OPTIONS)
bench-built: $(PROGRAMS) $(BENCH_PROGRAMS)
	@BUILD=$(abspath $(BUILD)) tests/bench/run $(BENCH_OPTIONS)

check-built: $(PROGRAMS) $(TESTS) $(PRELOADS) $(REPLAYS) $(EXAMPLES)
	@BUILD=$(BUILD) tests/run $(TESTS) $(REPLAYS) $(SCRIPTS)

HEADERS   := $(wildcard client/millrace*.h)
FUNCTIONS := $(shell sed -n 's/^MR_API [^\x28]*[ *]\(mr_[a-z0-9_]*\)\x28.*/\1/p' $(HEADERS))
FAMILIES  := $(shell awk -f client/manual_families.awk $(HEADERS) | cut -f1)
MANUALS   := $(addprefix $(BUILD)/man/,millrace.1 millrace.3 millraced.yaml.5 millraced.8 $(FAMILIES:=.3))
PKGCONFIG := $(LIBRARIES:lib%=$(BUILD)/%.pc)
SCRIPTED  := $(addprefix $(BUILD)/completion/,millrace.bash millrace.zsh)

# Everything that is installed: mode:file:where.
INSTALLED_PROGRAMS := 755:$(BUILD)/millrace:$(BINDIR)/millrace 755:$(BUILD)/millraced:$(SBINDIR)/millraced
INSTALLED = $(INSTALLED_PROGRAMS) \
	$(foreach l,$(LIBRARIES),644:$(BUILD)/$l.so.0:$(LIBDIR)/$l.so.0 644:$(BUILD)/$l.a:$(LIBDIR)/$l.a) \
	$(foreach p,$(PKGCONFIG),644:$p:$(LIBDIR)/pkgconfig/$(notdir $p)) \
	$(foreach h,$(HEADERS),644:$h:$(INCLUDEDIR)/$(notdir $h)) \
	$(foreach m,$(MANUALS),644:$m:$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)) \
	644:$(BUILD)/completion/millrace.bash:$(DATADIR)/bash-completion/completions/millrace \
	644:$(BUILD)/completion/millrace.zsh:$(DATADIR)/zsh/site-functions/_millrace \
	644:$(BUILD)/millraced.service:$(UNITDIR)/millraced.service 644:daemon/millraced.socket:$(UNITDIR)/millraced.socket \
	644:daemon/millrace.sysusers:$(SYSUSERDIR)/millrace.conf 644:daemon/millrace.tmpfiles:$(TMPFILEDIR)/millrace.conf \
	$(foreach d,config/millraced.yaml proto/PROTOCOL.md proto/HTTP.md proto/EVENTS.md proto/openapi.json proto/asyncapi.json daemon/OPERATIONS.md daemon/COMPARISON.md README.md CHANGELOG.md LICENSE,644:$d:$(DATADIR)/doc/millrace/$(notdir $d))

install_files = @set -e; for f in $(1); do IFS=:; set -- $$f; unset IFS; install -D -m $$1 $$2 $(DESTDIR)$$3; done

install: all $(MANUALS) $(SCRIPTED) $(PKGCONFIG) $(BUILD)/millraced.service ## install below $(DESTDIR)$(PREFIX); wants scdoc
	$(call install_files,$(INSTALLED))
	@for l in $(LIBRARIES); do ln -sf $$l.so.0 $(DESTDIR)$(LIBDIR)/$$l.so; done
	@awk -f client/manual_families.awk $(HEADERS) | while IFS='	' read -r page heading header functions; do \
		for f in $$(echo $$functions | tr -d ,); do ln -sf $$page.3 $(DESTDIR)$(MANDIR)/man3/$$f.3; done; done
	@[ -n "$(DESTDIR)" ] || case $(LIBDIR) in /usr/*) ldconfig ;; esac
install-programs: $(BUILD)/millrace $(BUILD)/millraced ## only these two
	$(call install_files,$(INSTALLED_PROGRAMS))
uninstall: ## remove what `install` has installed
	@set -- $(foreach i,$(INSTALLED),$(DESTDIR)$(lastword $(subst :, ,$i))); rm -f "$$@" $(LIBRARIES:%=$(DESTDIR)$(LIBDIR)/%.so)
	@for f in $(FUNCTIONS); do rm -f $(DESTDIR)$(MANDIR)/man3/$$f.3; done
	@rmdir $(DESTDIR)$(DATADIR)/doc/millrace 2>/dev/null || true

clients: deps-test ## the clients' packages for Python, Node and Clojure, into $(BUILD)/clients/
	@client/packages $(VERSION) $(BUILD)/clients

deb: deps-deb ## Debian packages, into $(BUILD)/deb/
	@debian/packages $(VERSION) $(BUILD)/deb

# -- What is written by others than compilers --

# Fills in what a template leaves open. Always: it may be another $(PREFIX) than last time.
FILL = sed 's|@VERSION@|$(VERSION)|g; s|@PREFIX@|$(PREFIX)|g; s|@LIBDIR@|$(LIBDIR)|g; s|@INCLUDEDIR@|$(INCLUDEDIR)|g; s|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g'
$(BUILD)/%.pc: client/%.pc.in FORCE
	$(call TELL,GEN )
	$(Q)mkdir -p $(@D) && $(FILL) $< > $@
$(BUILD)/millraced.service: daemon/millraced.service.in FORCE
	$(call TELL,GEN )
	$(Q)mkdir -p $(@D) && $(FILL) $< > $@

.PHONY: FORCE
FORCE:

$(BUILD)/completion/millrace.%: $(BUILD)/millrace
	$(call TELL,GEN )
	$(Q)mkdir -p $(@D) && $(BUILD)/millrace completion $* > $@

vpath %.scd client client/cli config daemon
MANUAL_MAKERS := $(addprefix client/,manual manual_help.awk manual_headers.awk manual_families.awk)
$(FAMILIES:%=$(BUILD)/man/%.3): $(BUILD)/man/%.3: $(MANUAL_MAKERS) $(HEADERS)
	$(call TELL,MAN )
	$(Q)mkdir -p $(@D) && BUILD=$(BUILD) VERSION=$(VERSION) client/manual $* $(HEADERS) > $@.part && mv $@.part $@
$(BUILD)/man/%: %.scd $(MANUAL_MAKERS) $(BUILD)/millrace $(HEADERS)
	$(call TELL,MAN )
	$(Q)mkdir -p $(@D) && BUILD=$(BUILD) VERSION=$(VERSION) client/manual $< $(HEADERS) > $@.part && mv $@.part $@

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile

# Installs the Debian packages that are lacking, and says which.
install_lacking = @lacking=$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	[ -z "$$lacking" ] || { echo "installing with apt:" $$lacking; sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$lacking >/dev/null; }
deps-build:
	$(call install_lacking,$(BUILD_PACKAGES))
deps-cluster:
	$(call install_lacking,$(CLUSTER_PACKAGES))
deps-deb:
	$(call install_lacking,$(DEB_PACKAGES))
deps-browser:
	$(call install_lacking,$(BROWSER_PACKAGES))
deps-bench:
	$(call install_lacking,$(BENCH_PACKAGES))
deps-valgrind:
	$(call install_lacking,$(VALGRIND_PACKAGES))
deps-fuzz:
	$(call install_lacking,$(FUZZ_PACKAGES))
deps-test:
	$(call install_lacking,$(TEST_PACKAGES))

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
