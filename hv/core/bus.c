/* The table of devices. After each access the lines that it may have changed are set. */
#include "hv/core/bus.h"
#include "hv/arch/hot.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/timers.h"
#include "hv/core/virtio_bus.h"
#include "hv/dev/pl011.h"
#include "hv/dev/pl031.h"
#include "hv/dev/vgicd.h"
#include "hv/dev/vgicr.h"
#include <stddef.h>

struct bus_device {
	uint64_t start, bytes;
	uint64_t (*read)(uint64_t offset, uint8_t size);
	void (*write)(uint64_t offset, uint8_t size, uint64_t value);
};

static void uart_line_update(void)
{
	interrupts_set_level(GUEST_INTID_UART, pl011_line(&hv.guest.uart));
}

static HV_APART uint64_t uart_read_any(uint64_t offset, uint8_t size)
{
	uint64_t value = pl011_read(&hv.guest.uart, (uint32_t)offset);
	if (size == 8)
		value |= pl011_read(&hv.guest.uart, (uint32_t)offset + 4) << 32;
	uart_line_update();
	return value;
}

static uint64_t uart_read(uint64_t offset, uint8_t size)
{
	return offset == PL011_FR && size < 8 ? pl011_flags(&hv.guest.uart) : uart_read_any(offset, size);
}

static void uart_write(uint64_t offset, uint8_t size, uint64_t value)
{
	pl011_write(&hv.guest.uart, (uint32_t)offset, value);
	if (size == 8)
		pl011_write(&hv.guest.uart, (uint32_t)offset + 4, value >> 32);
	uart_line_update();
}

static void rtc_line_update(void)
{
	interrupts_set_level(GUEST_INTID_RTC, pl031_line(&hv.guest.rtc));
}

static uint64_t rtc_read(uint64_t offset, uint8_t size)
{
	uint64_t value = pl031_read(&hv.guest.rtc, (uint32_t)offset, guest_clock_rtc_s());
	if (size == 8)
		value |= pl031_read(&hv.guest.rtc, (uint32_t)offset + 4, guest_clock_rtc_s()) << 32;
	rtc_line_update();
	return value;
}

static void rtc_write(uint64_t offset, uint8_t size, uint64_t value)
{
	timers_changed();
	pl031_write(&hv.guest.rtc, (uint32_t)offset, value, guest_clock_rtc_s());
	if (size == 8)
		pl031_write(&hv.guest.rtc, (uint32_t)offset + 4, value >> 32, guest_clock_rtc_s());
	rtc_line_update();
}

/* The virtual GIC's registers show lines and what the guest did with its list registers. */
static void gic_refresh(void)
{
	interrupts_fold();
	timers_sample();
}

static uint64_t gicd_read(uint64_t offset, uint8_t size)
{
	uint64_t value = 0;
	gic_refresh();
	return vgicd_read(&hv.guest, (uint32_t)offset, size, &value) ? value : 0;
}

static void gicd_write(uint64_t offset, uint8_t size, uint64_t value)
{
	gic_refresh();
	vgicd_write(&hv.guest, (uint32_t)offset, size, value);
}

static uint64_t gicr_read(uint64_t offset, uint8_t size)
{
	uint64_t value = 0;
	gic_refresh();
	return vgicr_read(&hv.guest, (uint32_t)(offset / GUEST_GICR_BYTES_PER_VCPU),
			  (uint32_t)(offset % GUEST_GICR_BYTES_PER_VCPU), size, &value)
		       ? value
		       : 0;
}

static void gicr_write(uint64_t offset, uint8_t size, uint64_t value)
{
	gic_refresh();
	vgicr_write(&hv.guest, (uint32_t)(offset / GUEST_GICR_BYTES_PER_VCPU),
		    (uint32_t)(offset % GUEST_GICR_BYTES_PER_VCPU), size, value);
}

/* Only of accesses that the machine takes for stores, and of those that begin elsewhere. */
static uint64_t flash_read(uint64_t offset, uint8_t size)
{
	uint64_t value = 0;
	for (uint64_t at = offset; at < offset + size && at < hv.boot->flash_bytes; at++)
		value |= (uint64_t) * (const volatile uint8_t *)(uintptr_t)(hv.boot->flash_pa + at)
			 << 8 * (at - offset);
	return value;
}

static void flash_write(uint64_t offset, uint8_t size, uint64_t value)
{
	(void)offset;
	(void)size;
	(void)value;
}

static const struct bus_device devices[] = {
	{GUEST_FLASH_IPA, GUEST_FLASH_BYTES, flash_read, flash_write},
	{GUEST_UART_IPA, GUEST_UART_BYTES, uart_read, uart_write},
	{GUEST_RTC_IPA, GUEST_RTC_BYTES, rtc_read, rtc_write},
	{GUEST_GICD_IPA, GUEST_GICD_BYTES, gicd_read, gicd_write},
	{GUEST_GICR_IPA, GUEST_GICR_BYTES_PER_VCPU *GUEST_VCPU_MAX, gicr_read, gicr_write},
	{GUEST_VIRTIO_IPA, GUEST_VIRTIO_BYTES *GUEST_VIRTIO_COUNT, virtio_bus_read, virtio_bus_write},
};

bool bus_has_flash(void)
{
	return hv.boot->machine_version >= 2;
}

bool bus_is_flash(ipa_t ipa)
{
	return bus_has_flash() && ipa.v - GUEST_FLASH_IPA < GUEST_FLASH_BYTES;
}

/* The redistributors' frames end with the last vCPU. */
static uint64_t device_bytes(const struct bus_device *device)
{
	if (device->read == flash_read && !bus_has_flash())
		return 0;
	return device->read == gicr_read ? GUEST_GICR_BYTES_PER_VCPU * hv.guest.vcpu_count : device->bytes;
}

/* The last one: devices are accessed many times in a row. */
static struct {
	uint64_t start, bytes;
	const struct bus_device *device;
} found;

static HV_APART const struct bus_device *device_search(ipa_t ipa)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		uint64_t bytes = device_bytes(&devices[i]);
		if (ipa.v < devices[i].start || ipa.v - devices[i].start >= bytes)
			continue;
		found.start = devices[i].start;
		found.bytes = bytes;
		found.device = &devices[i];
		return &devices[i];
	}
	return NULL;
}

const struct bus_device *bus_device(ipa_t ipa)
{
	return ipa.v - found.start < found.bytes ? found.device : device_search(ipa);
}

uint64_t bus_read(const struct bus_device *device, ipa_t ipa, uint8_t size)
{
	return device ? device->read(ipa.v - device->start, size) & bus_size_mask(size) : 0;
}

void bus_write(const struct bus_device *device, ipa_t ipa, uint8_t size, uint64_t value)
{
	if (device)
		device->write(ipa.v - device->start, size, value & bus_size_mask(size));
}
