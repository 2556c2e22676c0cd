/* The guest's PL011 UART: registers, receive FIFO and interrupt line, as a pure function of its state.
 *
 * Called by hv's device dispatch with offsets below GUEST_UART_BYTES; compiled for EL2 and for the host's tests. It
 * behaves like QEMU's model (hw/char/pl011.c, 7.2), because that is what guests for the virt board were written
 * against; the register names are those of the manual (ARM DDI 0183, chapter 3).
 *
 * Registers are 32 bits wide. An access of another width is the caller's to shape: 1 and 2 bytes are truncated, 8 bytes
 * are two accesses of 4, the lower offset first. Transmitted bytes go nowhere: every write of UARTDR is an event, and
 * the console is made from those. No function here can fail. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Offsets and bits that others look at too. */
enum { PL011_DR = 0x00, PL011_FR = 0x18, PL011_CR = 0x30, PL011_RIS = 0x3c, PL011_MIS = 0x40 };
enum { PL011_CR_UARTEN = 1u << 0, PL011_CR_RXE = 1u << 9 };
enum { PL011_INT_RX = 1u << 4, PL011_INT_RT = 1u << 6 };

/* Puts the UART into its state after power-on: disabled interrupts, empty FIFO, CR = 0x300, IFLS = 0x12. */
void pl011_reset(struct pl011_state *state);

/* Reads the register at `offset` (bytes). Reading UARTDR takes a byte out of the receive FIFO; when it is empty, the
 * result is what the slot last held. Offsets without a readable register give 0. */
uint64_t pl011_read(struct pl011_state *state, uint32_t offset);

/* UARTFR, which drivers poll; reading it changes nothing. */
uint32_t pl011_flags(const struct pl011_state *state);

/* Writes the low 32 bits of `value` to the register at `offset` (bytes). Offsets without a writable register are
 * ignored. A write of UARTDR is transmitted at once, whether or not the UART is enabled, and raises TXRIS. */
void pl011_write(struct pl011_state *state, uint32_t offset, uint64_t value);

/* Whether pl011_receive has room for one more byte: 16 with LCR_H.FEN, else 1. */
bool pl011_can_receive(const struct pl011_state *state);

/* A byte arrives on the line. Ask pl011_can_receive first: a byte without room is lost. */
void pl011_receive(struct pl011_state *state, uint8_t byte);

/* The level of UARTINTR, the combined interrupt: true if UARTMIS is not 0. */
bool pl011_line(const struct pl011_state *state);
