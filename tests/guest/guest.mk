# Builds the payloads: $(BUILD)/guest/NAME.elf for every NAME in GUESTS, and flat images $(BUILD)/guest/NAME.bin of a few.
# Included by the top Makefile, with BUILD set and rules run from the top. Static ELF at 0x40080000; pie is a static PIE
# linked at 0.

GUESTS := access_forms bad_mmio bootargs brk chaos cntvct_hash console corruption counter_polled counter_wait \
	debug_exclusive debug_full debug_masked echo el0 exclusives flash fp_state gic_many hang hot input_late \
	lost memory mmio_forms pie pmu pmu_user polls psci reset rtc self_modifying sgi sgi_race smp_off spi \
	standstill thumb ticks timer_behind_trap timer_far timer_physical timer_virtual unknown_register \
	unsupported virtio_disk virtio_flush virtio_hostile wfi wfi_doorbell wfi_forever
# For a machine of several CPUs.
GUESTS_SMP := smp_atomics smp_fold smp_litmus smp_pingpong smp_race smp_sequence smp_spi smp_start smp_ticks smp_timers \
	smp_tlb
GUEST_ELFS := $(patsubst %,$(BUILD)/guest/%.elf,$(GUESTS) $(GUESTS_SMP))
GUEST_BINS := $(patsubst %,$(BUILD)/guest/%.bin,bootargs console memory pie)

GUEST_CC ?= aarch64-linux-gnu-gcc
GUEST_OBJCOPY ?= aarch64-linux-gnu-objcopy
GUEST_CFLAGS := -std=c11 -O2 -g -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables \
	-mgeneral-regs-only -mstrict-align -mno-outline-atomics -march=armv8.2-a -fvisibility=hidden -I. -Wall -Wextra \
	-Wpedantic -Werror -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wswitch-enum
GUEST_LDFLAGS := -nostdlib -Wl,-T,tests/guest/lib/guest.ld -Wl,--build-id=none -Wl,-n -Wl,--no-warn-rwx-segments
guest_exec := -fno-pic -no-pie
guest_pie := -fpie -static-pie
guest_exec_base := 0x40080000
guest_pie_base := 0
chaos_parts := cpu devices gic memory smp time user
guest_lib := arguments dtb exception gic guest mmu print psci smp smp_entry start timer user user_entry vectors virtio

# $(1): exec or pie. Sets how a payload of that kind is compiled and linked.
define guest_kind
$(BUILD)/guest/$(1)/%.o: tests/guest/%.c tests/guest/guest.mk
	@mkdir -p $$(@D)
	@echo "  GUEST $$<"
	@$$(GUEST_CC) $$(GUEST_CFLAGS) $$(guest_$(1)) -MMD -MP -c -o $$@ $$<
$(BUILD)/guest/$(1)/%.o: tests/guest/%.S tests/guest/guest.mk
	@mkdir -p $$(@D)
	@echo "  GUEST $$<"
	@$$(GUEST_CC) $$(GUEST_CFLAGS) $$(guest_$(1)) -DLINK_BASE=$$(guest_$(1)_base) -MMD -MP -c -o $$@ $$<
guest_$(1)_link = $$(GUEST_CC) $$(guest_$(1)) $$(GUEST_LDFLAGS) -Wl,--defsym=LINK_BASE=$$(guest_$(1)_base) -o $$@ \
	$$(filter %.o,$$^)
guest_$(1)_lib := $(guest_lib:%=$(BUILD)/guest/$(1)/lib/%.o)
-include $$(wildcard $(BUILD)/guest/$(1)/*.d $(BUILD)/guest/$(1)/*/*.d)
endef
# Some are for reading in gdb, line by line.
$(BUILD)/guest/exec/corruption.o: private GUEST_CFLAGS += -Og
$(BUILD)/guest/exec/smp_race.o: private GUEST_CFLAGS += -Og
$(BUILD)/guest/exec/lines.o: private GUEST_CFLAGS += -O0
GUEST_ELFS += $(BUILD)/guest/lines.elf
.SECONDARY: $(BUILD)/guest/exec/lines.o
$(eval $(call guest_kind,exec))
$(eval $(call guest_kind,pie))
.SECONDARY: $(guest_exec_lib) $(guest_pie_lib) $(patsubst %,$(BUILD)/guest/exec/%.o,$(GUESTS) $(GUESTS_SMP))

$(BUILD)/guest/%.elf: $(BUILD)/guest/exec/%.o $(guest_exec_lib) tests/guest/lib/guest.ld
	@$(guest_exec_link)
$(BUILD)/guest/chaos.elf: $(chaos_parts:%=$(BUILD)/guest/exec/chaos/chaos_%.o)
$(BUILD)/guest/pie.elf: $(BUILD)/guest/pie/pie.o $(guest_pie_lib) tests/guest/lib/guest.ld
	@$(guest_pie_link)
$(BUILD)/guest/%.bin: $(BUILD)/guest/%.elf
	@$(GUEST_OBJCOPY) -O binary $< $@

.PHONY: guests
guests: $(GUEST_ELFS) $(GUEST_BINS)
