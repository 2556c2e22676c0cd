# hvrec: time travel for ARM64 systems. `make` builds, `make check` is what CI runs, `make demo` shows it all.
BUILD ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
CROSS ?= aarch64-linux-gnu-

WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wswitch-enum
HOST_CFLAGS := -std=c11 -O2 -g -D_GNU_SOURCE $(WARNINGS) -I.
HOST_LIBS := -lsqlite3 -llz4 -lxxhash -lfdt -lz -lpthread
HV_CFLAGS := -std=c11 -O2 -g -ffreestanding -nostdlib -mgeneral-regs-only -mstrict-align -fno-pic -no-pie \
	-march=armv8.2-a -fno-stack-protector -ffunction-sections $(WARNINGS) -I.
HV_LDFLAGS := -static -Wl,-T,hv/arch/hv.ld -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,--no-warn-rwx-segments

# hv's own machine: a file of hv/board.
BOARD ?= qemu_virt
HV_SOURCES := $(wildcard hv/arch/*.c hv/core/*.c hv/dev/*.c) hv/board/$(BOARD).c
HV_OBJECTS := $(HV_SOURCES:%.c=$(BUILD)/hv/%.o) $(BUILD)/hv/hv/arch/entry.o $(BUILD)/hv/hv/arch/simd.o

HOST_SOURCES := $(wildcard hv/host/*.c recorder/*.c replay/*.c storage/*.c tools/*.c)
HOST_OBJECTS := $(HOST_SOURCES:%.c=$(BUILD)/host/%.o)

.DELETE_ON_ERROR:
.PHONY: all clean
all: $(BUILD)/hvrec $(BUILD)/hv.elf

$(BUILD)/hv.elf: $(HV_OBJECTS) hv/arch/hv.ld
	$(CROSS)gcc $(HV_CFLAGS) $(HV_LDFLAGS) $(HV_OBJECTS) -o $@

$(BUILD)/hvrec: $(HOST_OBJECTS)
	$(CC) $(HOST_CFLAGS) $(LDFLAGS) $(HOST_OBJECTS) $(HOST_LIBS) -o $@

$(BUILD)/hv/%.o: %.c
	@mkdir -p $(@D)
	$(CROSS)gcc $(HV_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/hv/%.o: %.S
	@mkdir -p $(@D)
	$(CROSS)gcc $(HV_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
