# hvrec: time travel for ARM64 systems.
#   make          build/hvrec, build/hv.elf and build/hvrec_sqlite.so
#   make demo     installs what is missing, records a Debian kernel, replays it, goes back in it with gdb
#   make check    installs what is missing, builds and tests everything: what CI runs
#                 QEMU=PROGRAM: on another one than PATH's (tools/fetch-qemu brings Debian 13's)
#   make coverage how much of the code the tests on the host run, and which functions never
#   make soak     the long forms of the tests, and the short ones on another QEMU
#   make kvm-unit-tests SRC=FOLDER   records and replays those of kvm-unit-tests (docs/KVM-UNIT-TESTS.md)
#   make rtos NUTTX=FILE LK=FILE     records, replays and verifies these RTOSes (docs/RTOS.md)
#   make bench    speed, trace size, the cost of travelling and SQL's scan rate, beside QEMU's own record/replay
#   make debug PAYLOAD=FILE   runs hv under a debugger (docs/DEBUGGING-HV.md)
#   make install PREFIX=/usr/local
#   make deb      a Debian package, in build/deb

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CROSS ?= aarch64-linux-gnu-
ifeq ($(origin CC),default)
CC := gcc
endif
# hv's own machine: a file of hv/board.
BOARD ?= qemu_virt
# How many things `make check` does at a time.
JOBS ?= $(shell nproc)
PAYLOAD ?= $(BUILD)/guest/console.elf
ifneq ($(QEMU),)
export HVREC_QEMU := $(QEMU)
endif

WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wswitch-enum
HOST_CFLAGS := -std=c11 -O2 -g -D_GNU_SOURCE $(WARNINGS) -I.
HOST_LIBS := -lsqlite3 -llz4 -lzstd -lxxhash -lfdt -lz -lseccomp -lyajl -lelf -lnbd -lslirp -lpthread
HV_CFLAGS := -std=c11 -O2 -g -ffreestanding -nostdlib -mgeneral-regs-only -mstrict-align -fno-pic -no-pie \
	-march=armv8.2-a -fno-stack-protector -ffunction-sections $(WARNINGS) -I.
# An exit is short only as one piece of code, across files. The compiler itself calls what is in mem.c.
HV_LTO := -flto=auto
$(BUILD)/hv/hv/arch/mem.o: private HV_LTO := -fno-lto
HV_LDFLAGS := -static -Wl,-T,hv/arch/hv.ld -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,--no-warn-rwx-segments

HV_SOURCES := $(wildcard hv/arch/*.c hv/core/*.c hv/dev/*.c hv/shared/*.c) hv/board/$(BOARD).c
HV_OBJECTS := $(HV_SOURCES:%.c=$(BUILD)/hv/%.o) $(addprefix $(BUILD)/hv/hv/arch/,start.o world.o cpu_move.o simd.o)
LIBRARY_SOURCES := $(wildcard gdbstub/*.c hv/error/*.c hv/host/*.c hv/shared/*.c recorder/*.c recorder/load/*.c replay/*/*.c storage/*.c) \
	$(filter-out tools/sql/sql_extension.c,$(wildcard tools/gdb/*.c tools/report/*.c tools/sql/*.c))
HOST_SOURCES := $(LIBRARY_SOURCES) $(wildcard tools/*.c)
HOST_OBJECTS := $(HOST_SOURCES:%.c=$(BUILD)/host/%.o)
# The sqlite extension: the readers among the sources, once more, against the sqlite of the program that loads it.
EXTENSION_SOURCES := $(filter-out tools/sql/sql_output%,$(wildcard tools/sql/*.c)) $(wildcard hv/error/*.c) $(addprefix hv/host/,event_console.c virtio_list.c) \
	$(addprefix replay/trace/,console_lines.c event_stream.c event_text.c event_text_names.c metadata.c packet.c utf8_text.c) \
	$(addprefix storage/,chunk_decode.c chunk_model.c trace_block_cache.c trace_block_index.c trace_block_read.c trace_cursor.c trace_db.c trace_format.c \
	trace_keyframe_read.c trace_limit.c trace_meta.c trace_payload_read.c trace_read.c trace_runs.c trace_seal.c trace_seek.c \
	trace_totals.c trace_versions_read.c)
EXTENSION_OBJECTS := $(EXTENSION_SOURCES:%.c=$(BUILD)/extension/%.o)
C_FILES = $(shell git ls-files '*.c' '*.h')

.DELETE_ON_ERROR:
.PHONY: all guests check unit coverage guest-check replay-check kvm-unit-tests rtos fuzz demo soak bench decode-bench debug debug-build install \
	deb deb-check clean deps deps-check format format-check headers-check circles-check lint clang

all: $(BUILD)/hvrec $(BUILD)/hv.elf $(BUILD)/hvrec_sqlite.so

$(BUILD)/hv.elf: $(HV_OBJECTS) hv/arch/hv.ld
	@echo "  LINK  $@"
	@$(CROSS)gcc $(HV_CFLAGS) $(HV_LTO) $(HV_LDFLAGS) $(HV_OBJECTS) -o $@

$(BUILD)/hvrec: $(HOST_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(LDFLAGS) $(HOST_OBJECTS) $(HOST_LIBS) -o $@

$(BUILD)/hvrec_sqlite.so: $(EXTENSION_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(LDFLAGS) -shared -Wl,-z,defs $(EXTENSION_OBJECTS) -llz4 -lzstd -lxxhash -o $@

$(BUILD)/extension/%.o: %.c
	@mkdir -p $(@D)
	@echo "  EXT   $<"
	@$(CC) $(HOST_CFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -include tools/sql/sql_extension.h -MMD -MP -c $< -o $@

$(BUILD)/hv/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  HV    $<"
	@$(CROSS)gcc $(HV_CFLAGS) $(HV_LTO) -MMD -MP -c $< -o $@

$(BUILD)/hv/%.o: %.S
	@mkdir -p $(@D)
	@echo "  HV    $<"
	@$(CROSS)gcc $(HV_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(HOST_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# The page of `hvrec report` is assembled into the program.
$(BUILD)/host/tools/report/report_page.o $(BUILD)/unit/tools/report/report_page.o: $(wildcard tools/report/*.html tools/report/*.css tools/report/*.js)

include tests/guest/guest.mk

# ---- tests ----

# Unit tests: hv's core and devices, and every host folder, in one program under ASan and UBSan. A fake architecture
# (tests/unit/fake_arch.c) stands in for hv/arch and hv/board.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_SOURCES := $(wildcard tests/unit/*.c) $(wildcard hv/core/*.c) $(wildcard hv/dev/*.c) \
	$(LIBRARY_SOURCES) tools/options.c tools/options_parse.c tools/output.c tools/output_csv.c tools/json.c
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(BUILD)/unit/%.o)
UNIT_CASES := $(patsubst tests/unit/make-%-cases.sh,$(BUILD)/tests/unit/%_cases.h,$(wildcard tests/unit/make-*-cases.sh))

.SECONDARY: $(UNIT_CASES)
$(BUILD)/unit/%.o: %.c | $(UNIT_CASES)
	@mkdir -p $(@D)
	@echo "  UNIT  $<"
	@$(CC) $(HOST_CFLAGS) -O1 $(SANITIZE) -I$(BUILD) -MMD -MP -c $< -o $@

$(BUILD)/tests/unit/%_cases.h: tests/unit/make-%-cases.sh
	@mkdir -p $(@D)
	AS=$(CROSS)as OBJCOPY=$(CROSS)objcopy $< > $@

# These can be made to fail: tests/unit/fail_alloc.h.
UNIT_WRAPPED := malloc calloc realloc reallocarray free strdup strndup asprintf open_memstream realpath fopen XXH3_createState \
	XXH3_freeState ZSTD_compress ZSTD_decompress LZ4_compress_HC inflateInit2_
$(BUILD)/unit-tests: $(UNIT_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(SANITIZE) $(UNIT_OBJECTS) $(UNIT_WRAPPED:%=-Wl,--wrap=%) -lcriterion $(HOST_LIBS) -o $@

# Criterion itself leaves a few bytes at its exit, so leaks are not looked for here.
unit: $(BUILD)/unit-tests
	ASAN_OPTIONS=detect_leaks=0 $(BUILD)/unit-tests --jobs 2

# Packets that no gdb would send, at the stub; FUZZ_COUNT of them.
FUZZ_COUNT ?= 300000
FUZZ_SOURCES := $(filter-out gdbstub/server%,$(wildcard gdbstub/*.c)) hv/shared/agent_expr.c $(wildcard hv/error/*.c) tests/fuzz/fuzz_gdbstub.c
$(BUILD)/fuzz_gdbstub: $(FUZZ_SOURCES:%.c=$(BUILD)/unit/%.o)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(SANITIZE) $^ -o $@

# Traces that no hvrec would write, at everything that reads one; FUZZ_TRACE_COUNT of them, by two processes.
FUZZ_TRACE_COUNT ?= 10000
FUZZ_TRACE_SOURCES := $(LIBRARY_SOURCES) $(filter-out tools/main.c,$(wildcard tools/*.c)) \
	$(filter-out tests/fuzz/fuzz_gdbstub.c tests/fuzz/fuzz_virtio.c tests/fuzz/virtio_%,$(wildcard tests/fuzz/*.c))
# Of these, all readers of one file share one: tests/fuzz/trace_shared.h.
FUZZ_TRACE_WRAPPED := sandbox_enter trace_open trace_close sqlite3_prepare_v2 sqlite3_step sqlite3_column_blob sqlite3_column_text \
	sqlite3_finalize sqlite3_close
$(BUILD)/fuzz_trace: $(FUZZ_TRACE_SOURCES:%.c=$(BUILD)/unit/%.o)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(SANITIZE) $^ $(FUZZ_TRACE_WRAPPED:%=-Wl,--wrap=%) $(HOST_LIBS) -o $@

# Drivers that do anything, at hv's virtio devices, and careful ones after them; FUZZ_COUNT of each.
FUZZ_VIRTIO_SOURCES := hv/core/disk.c hv/core/net.c hv/core/entropy.c hv/core/dma.c hv/core/virtio_device.c hv/core/virtio_bus.c \
	hv/dev/virtio.c hv/dev/virtqueue.c tests/unit/virtio_driver.c tests/fuzz/fuzz_virtio.c $(wildcard tests/fuzz/virtio_*.c)
$(BUILD)/fuzz_virtio: $(FUZZ_VIRTIO_SOURCES:%.c=$(BUILD)/unit/%.o)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(SANITIZE) $^ -o $@

fuzz: $(BUILD)/fuzz_gdbstub $(BUILD)/fuzz_trace $(BUILD)/fuzz_virtio
	$(BUILD)/fuzz_gdbstub $(FUZZ_COUNT) 1
	$(BUILD)/fuzz_virtio $(FUZZ_COUNT) 1
	half=$$(($(FUZZ_TRACE_COUNT) / 2)); $(BUILD)/fuzz_trace $$half 1 & first=$$!; status=0; \
		$(BUILD)/fuzz_trace $$half 2 || status=1; wait $$first && exit $$status

# What the tests on the host run of the host's code, and of hv's core and devices: unit tests and fuzzers. The programs of
# the end-to-end tests may write no counts: they are confined.
COVERAGE_FLAGS := --coverage -fsanitize=address -Wl,-u,__gcov_dump
coverage:
	@mkdir -p $(BUILD)/coverage
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@$(MAKE) --quiet BUILD=$(BUILD)/coverage SANITIZE="$(COVERAGE_FLAGS)" FUZZ_COUNT=20000 FUZZ_TRACE_COUNT=1000 unit fuzz
	@tests/coverage $(BUILD)/coverage/unit

# The payloads pass on plain QEMU too: they test hv's machine against the real board.
guest-check: guests
	tests/guest/run-on-qemu.sh $(BUILD)/guest

EDITORS := $(BUILD)/tests/trace_edit $(BUILD)/tests/keyframe_edit $(BUILD)/tests/device_trace $(BUILD)/tests/device_sample
$(EDITORS): $(BUILD)/tests/%: tests/replay/%.c $(filter $(BUILD)/host/storage/% $(BUILD)/host/hv/error/%,$(HOST_OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $^ -lsqlite3 -llz4 -lzstd -lxxhash -o $@

# An hvrec whose recording fails a CHECK.
FAILING := $(BUILD)/tests/hvrec_failing
$(FAILING): tests/replay/failing.c $(HOST_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $^ -Wl,--wrap=hints_see -Wl,--wrap=trace_append $(HOST_LIBS) -o $@

# What the guest of tests/replay/test_net.py runs; flags as for tools/guest-init's program.
NET_GUEST := $(BUILD)/tests/net_guest
$(NET_GUEST): tests/replay/net_guest.c tools/guest-init/linux.c tools/guest-init/linux.h
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	@$(CROSS)gcc -std=c11 -O2 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector -mno-outline-atomics $(WARNINGS) \
		-Wl,--build-id=none -Wl,-z,noexecstack -I. -s -o $@ $(filter %.c,$^)

# What a taken-over process would try: in the machine's place, and inside hvrec.
ESCAPES := $(BUILD)/tests/escape $(BUILD)/tests/escape.so
$(BUILD)/tests/escape.so: private ESCAPE_FLAGS := -shared -fPIC -DPRELOAD
$(ESCAPES): tests/replay/escape.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(ESCAPE_FLAGS) $< -o $@

$(BUILD)/checkpoint_cost: $(BUILD)/host/tests/bench/checkpoint_cost.o $(filter-out $(BUILD)/host/tools/%,$(HOST_OBJECTS))
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(HOST_CFLAGS) $(LDFLAGS) $^ $(HOST_LIBS) -o $@

replay-check: all debug-build guests $(EDITORS) $(ESCAPES) $(FAILING) $(NET_GUEST)
	tools/fetch-guest --out $(BUILD)/guest
	tools/fetch-qemu --out $(BUILD)/qemu
	status=0; for run in tests/replay/run tests/gdb/run; do BUILD=$(BUILD) $$run || status=1; done; exit $$status

# Each step says what it does and how long it took. The demo comes first and builds everything with the programs of a
# newcomer's machine only.
check:
	@tests/step "packages" $(MAKE) deps-check
	@tests/step "demo, and the build, with nothing but what they install" \
		tests/install/only-installed run $(MAKE) --quiet --jobs $(JOBS) demo
	@tests/step "format" $(MAKE) format-check
	@tests/step "walls between the folders" $(MAKE) headers-check circles-check
	@tests/step "clang-tidy, cppcheck, clang" $(MAKE) lint clang
	@tests/step "build of the unit tests and fuzzers" $(MAKE) --quiet --jobs $(JOBS) all guests $(BUILD)/unit-tests \
		$(BUILD)/fuzz_gdbstub $(BUILD)/fuzz_trace $(BUILD)/fuzz_virtio $(BUILD)/checkpoint_cost $(BUILD)/tests/decode_rate $(EDITORS) $(NET_GUEST)
	@tests/step "Debian package" $(MAKE) --quiet deb-check
	@tests/step "unit tests" $(MAKE) unit
	@tests/step "fuzzers" $(MAKE) fuzz
	@tests/step "payloads on plain QEMU" $(MAKE) guest-check
	@tests/step "record, replay and gdb, end to end" $(MAKE) replay-check

# The sources are not ours: SRC says where they are. NAMES: only these.
kvm-unit-tests: all
	BUILD=$(BUILD) CROSS=$(CROSS) tests/kvm-unit-tests $(SRC) $(NAMES)

# Neither are these: each is an image that docs/RTOS.md says how to build.
rtos: all
	BUILD=$(BUILD) tests/rtos $(if $(NUTTX),nuttx=$(NUTTX)) $(if $(LK),lk=$(LK))

soak: deps-check all debug-build guests $(EDITORS) $(ESCAPES) $(FAILING) $(NET_GUEST)
	tools/fetch-guest --out $(BUILD)/guest --disk
	tools/fetch-qemu --out $(BUILD)/qemu
	$(MAKE) deb
	BUILD=$(BUILD) tests/install/deb-check --root
	BUILD=$(BUILD) tests/replay/run --soak
	BUILD=$(BUILD) tests/gdb/run --soak
	$(MAKE) guest-check replay-check QEMU=$(abspath $(BUILD))/qemu/trixie/qemu-system-aarch64
	$(MAKE) fuzz FUZZ_COUNT=10000000 FUZZ_TRACE_COUNT=5000000

$(BUILD)/tests/decode_rate: tests/bench/decode_rate.c $(filter $(BUILD)/host/storage/% $(BUILD)/host/hv/error/%,$(HOST_OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $^ -lsqlite3 -llz4 -lzstd -lxxhash -o $@

decode-bench: all $(BUILD)/tests/decode_rate
	tools/fetch-guest --out $(BUILD)/guest
	@$(BUILD)/hvrec record --quiet -o $(BUILD)/decode.trace --kernel $(BUILD)/guest/cloud/Image \
		--initrd $(BUILD)/guest/initramfs.cpio.gz --append "console=ttyAMA0 hvrec.scale=0" --console none
	$(BUILD)/tests/decode_rate $(BUILD)/decode.trace $(BUILD)/decode-many.trace
	@rm -f $(BUILD)/decode.trace $(BUILD)/decode-many.trace

bench: deps-check all guests decode-bench $(BUILD)/checkpoint_cost
	tools/fetch-guest --out $(BUILD)/guest
	tests/bench/bench --build $(BUILD) --guest $(BUILD)/guest --json $(BUILD)/bench.json
	tests/bench/bench-gdb --build $(BUILD) --guest $(BUILD)/guest --json $(BUILD)/bench-gdb.json
	tests/bench/bench-smp --build $(BUILD) --guest $(BUILD)/guest --json $(BUILD)/bench-smp.json
	tests/bench/bench-sql --build $(BUILD)

# ---- how the code must look ----

format:
	@clang-format -i $(C_FILES)

format-check:
	@clang-format --dry-run -Werror $(C_FILES)
	@wc -l $(filter-out tests/%,$(C_FILES)) | \
		awk '$$1 > 400 && $$2 != "total" { print $$2 ": " $$1 " lines, more than 400"; bad = 1 } END { exit bad }'

# The whole of it with clang too, for both sides; nothing of it is linked. Files are given out JOBS at a time.
CLANG_HV_FLAGS = $(filter-out -fno-pic -no-pie,$(HV_CFLAGS)) --target=aarch64-none-elf -Wno-unused-command-line-argument
FEW_FILES := xargs --no-run-if-empty --max-procs $(JOBS) --max-args 12
clang:
	@printf '%s\n' $(HOST_SOURCES) tools/sql/sql_extension.c | $(FEW_FILES) clang $(HOST_CFLAGS) -fsyntax-only
	@printf '%s\n' $(HV_SOURCES) | $(FEW_FILES) clang $(CLANG_HV_FLAGS) -fsyntax-only

headers-check:
	@tests/headers "$(CC) $(HOST_CFLAGS)" "$(CROSS)gcc $(HV_CFLAGS)"

circles-check: all debug-build
	@tests/circles $(filter $(BUILD)/host/replay/%,$(HOST_OBJECTS))
	@tests/circles $(HV_OBJECTS:$(BUILD)/%=$(BUILD)/debug/%)

lint:
	@cppcheck -j $(JOBS) --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. --enable=warning,portability \
		--suppressions-list=tests/cppcheck-suppressions.txt $(HOST_SOURCES) tools/sql/sql_extension.c \
		$(filter hv/core/% hv/dev/%,$(HV_SOURCES))
	@printf '%s\n' $(HOST_SOURCES) tools/sql/sql_extension.c | \
		$(FEW_FILES) tests/clang-tidy "$(HOST_CFLAGS)"
	@printf '%s\n' $(HV_SOURCES) | $(FEW_FILES) tests/clang-tidy "$(CLANG_HV_FLAGS)"

# ---- for people ----

deps:
	tools/install-deps run

deps-check:
	tools/install-deps check

demo: deps
	$(MAKE) --quiet all guests
	BUILD=$(BUILD) tools/demo

# An hv in pieces: compiled as one, most of its functions have no address to break at.
debug-build: all
	@$(MAKE) --quiet BUILD=$(BUILD)/debug HV_LTO=-fno-lto $(BUILD)/debug/hv.elf
	@cp $(BUILD)/hvrec $(BUILD)/debug/hvrec

debug: debug-build guests
	BUILD=$(BUILD)/debug tools/debug-hv $(PAYLOAD)

install: all
	install -D -m 755 $(BUILD)/hvrec $(DESTDIR)$(PREFIX)/bin/hvrec
	install -D -m 644 $(BUILD)/hv.elf $(DESTDIR)$(PREFIX)/lib/hvrec/hv.elf
	install -D -m 644 $(BUILD)/hvrec_sqlite.so $(DESTDIR)$(PREFIX)/lib/hvrec/hvrec_sqlite.so
	install -D -m 644 tools/gdb/hvrec.py $(DESTDIR)$(PREFIX)/share/hvrec/hvrec.py
	install -D -m 644 tools/hvrec.1 $(DESTDIR)$(PREFIX)/share/man/man1/hvrec.1
	install -D -m 644 tools/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/hvrec

# The Debian package and its -dbgsym, in BUILD/deb.
deb: deps-check
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/hvrec
	git ls-files -z | xargs -0 cp --parents -t $(BUILD)/deb/hvrec
	cp -r tools/debian $(BUILD)/deb/hvrec/debian
	cd $(BUILD)/deb/hvrec && env -u MAKEFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage --build=binary --no-sign --jobs=$(JOBS) \
		>../build.log 2>&1 || { tail -n 20 ../build.log; exit 1; }
	rm -rf $(BUILD)/deb/hvrec

deb-check: deb guests
	BUILD=$(BUILD) tests/install/deb-check

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
