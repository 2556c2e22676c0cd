/* The guest's machine as both sides see it: the addresses of QEMU's virt board, so that stock kernels boot.
 * Source: QEMU hw/arm/virt.c (base_memmap, a15irqmap). */
#pragma once
#include <stdint.h>

/* Two banks of flash. The first begins with the firmware's image, if there is one (from version 4 on); the rest reads
 * as zero, as on QEMU's board without an image, and nothing takes what is written. In version 1 there was nothing here.
 */
#define GUEST_FLASH_IPA           UINT64_C(0x00000000)
#define GUEST_FLASH_BYTES         UINT64_C(0x08000000)
#define GUEST_FLASH_BANK_BYTES    UINT64_C(0x04000000)
#define GUEST_GICD_IPA            UINT64_C(0x08000000)
#define GUEST_GICD_BYTES          UINT64_C(0x10000)
#define GUEST_GICR_IPA            UINT64_C(0x080a0000)
#define GUEST_GICR_BYTES_PER_VCPU UINT64_C(0x20000)
#define GUEST_UART_IPA            UINT64_C(0x09000000)
#define GUEST_UART_BYTES          UINT64_C(0x1000)
#define GUEST_RTC_IPA             UINT64_C(0x09010000)
#define GUEST_RTC_BYTES           UINT64_C(0x1000)
#define GUEST_VIRTIO_IPA          UINT64_C(0x0a000000)
#define GUEST_VIRTIO_BYTES        UINT64_C(0x200)
#define GUEST_VIRTIO_COUNT        32
#define GUEST_RAM_IPA             UINT64_C(0x40000000)
#define GUEST_RAM_BYTES_MAX       (UINT64_C(255) << 30) /* up to the next device of QEMU's board */

/* Interrupt numbers (INTID). PPIs are 16 to 31, SPIs from 32. */
enum {
	GUEST_INTID_VTIMER = 27,
	GUEST_INTID_PTIMER = 30,
	GUEST_INTID_UART = 33,
	GUEST_INTID_RTC = 34,
	GUEST_INTID_VIRTIO = 48,
	GUEST_INTID_COUNT = 288,
};

/* The generic timer's frequency: one tick is 16 ns of guest time. */
#define GUEST_COUNTER_HZ  62500000
#define GUEST_NS_PER_TICK 16
/* What the guest's counters read at guest time 0: as on a board that has been on for 16 s. Room for hv itself: see
 * hv/arch/clock.c. */
#define GUEST_COUNTER_START UINT64_C(1000000000)

enum { GUEST_VCPU_MAX = 8 };

/* What is at a virtio transport (VIRTIO 1.2, 5: device types). */
enum virtio_type { VIRTIO_TYPE_NONE = 0, VIRTIO_TYPE_NET = 1, VIRTIO_TYPE_BLOCK = 2, VIRTIO_TYPE_ENTROPY = 4 };
enum { VIRTIO_READ_ONLY = 1, VIRTIO_SERIAL_BYTES = 20, VIRTIO_SECTOR_BYTES = 512 };
