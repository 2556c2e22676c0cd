/* The rows of the packet table, and the handlers that they name. PACKET(name, form, when, handler):
 * form EXACT: nothing follows; ARGUMENTS: they do. when STOPPED: ignored while something is under way (gdb sends none
 * then, but for an interrupt); ANYTIME. Those with hvrec in their names are ours (packet_query.c). The first row that
 * fits is taken. Source: GDB manual, "Packets", "General Query Packets"; QEMU's gdbstub for PhyMemMode and sstep; LLDB,
 * "Extensions to the GDB Remote Protocol", for qHostInfo and qWatchpointSupportInfo. */
#pragma once
#include "gdbstub/packet.h"

#define PACKET_ROWS(PACKET)                                                                                            \
	PACKET("?", EXACT, STOPPED, packet_stop_reason)                                                                \
	PACKET("!", EXACT, STOPPED, packet_extended)                                                                   \
	PACKET("bc", EXACT, STOPPED, packet_reverse_continue)                                                          \
	PACKET("bs", EXACT, STOPPED, packet_reverse_step)                                                              \
	PACKET("c", ARGUMENTS, STOPPED, packet_continue)                                                               \
	PACKET("C", ARGUMENTS, STOPPED, packet_continue_signal)                                                        \
	PACKET("D", ARGUMENTS, ANYTIME, packet_detach)                                                                 \
	PACKET("g", EXACT, STOPPED, packet_read_registers)                                                             \
	PACKET("G", ARGUMENTS, STOPPED, packet_write_registers)                                                        \
	PACKET("H", ARGUMENTS, STOPPED, packet_select_thread)                                                          \
	PACKET("k", EXACT, ANYTIME, packet_kill)                                                                       \
	PACKET("m", ARGUMENTS, STOPPED, packet_read_memory)                                                            \
	PACKET("M", ARGUMENTS, STOPPED, packet_write_memory)                                                           \
	PACKET("p", ARGUMENTS, STOPPED, packet_read_register)                                                          \
	PACKET("P", ARGUMENTS, STOPPED, packet_write_register)                                                         \
	PACKET("qAttached", ARGUMENTS, STOPPED, packet_attached)                                                       \
	PACKET("qC", EXACT, STOPPED, packet_current_thread)                                                            \
	PACKET("qfThreadInfo", EXACT, STOPPED, packet_threads_first)                                                   \
	PACKET("qOffsets", EXACT, STOPPED, packet_offsets)                                                             \
	PACKET("qqemu.PhyMemMode", EXACT, STOPPED, packet_physical)                                                    \
	PACKET("Qqemu.PhyMemMode:", ARGUMENTS, STOPPED, packet_set_physical)                                           \
	PACKET("qqemu.sstepbits", EXACT, STOPPED, packet_step_bits)                                                    \
	PACKET("qqemu.sstep", EXACT, STOPPED, packet_step_mode)                                                        \
	PACKET("Qqemu.sstep=", ARGUMENTS, STOPPED, packet_set_step_mode)                                               \
	PACKET("Qhvrec.Interrupt", EXACT, ANYTIME, packet_interrupt)                                                   \
	PACKET("qCRC:", ARGUMENTS, STOPPED, packet_checksum)                                                           \
	PACKET("qHostInfo", EXACT, STOPPED, packet_host)                                                               \
	PACKET("qSearch:memory:", ARGUMENTS, STOPPED, packet_search)                                                   \
	PACKET("qWatchpointSupportInfo:", EXACT, STOPPED, packet_watchpoints)                                          \
	PACKET("qWatchpointSupportInfo", EXACT, STOPPED, packet_watchpoints)                                           \
	PACKET("vRun;", ARGUMENTS, STOPPED, packet_run)                                                                \
	PACKET("qhvrec.Refused", EXACT, STOPPED, packet_refused)                                                       \
	PACKET("qhvrec.Notice", EXACT, STOPPED, packet_notice)                                                         \
	PACKET("qhvrec.Moved", EXACT, STOPPED, packet_moved)                                                           \
	PACKET("qRcmd,", ARGUMENTS, STOPPED, packet_monitor)                                                           \
	PACKET("qsThreadInfo", EXACT, STOPPED, packet_threads_next)                                                    \
	PACKET("QStartNoAckMode", EXACT, STOPPED, packet_no_ack)                                                       \
	PACKET("qSupported", ARGUMENTS, STOPPED, packet_supported)                                                     \
	PACKET("qThreadExtraInfo,", ARGUMENTS, STOPPED, packet_thread_text)                                            \
	PACKET("qXfer:", ARGUMENTS, STOPPED, packet_xfer)                                                              \
	PACKET("R", ARGUMENTS, STOPPED, packet_restart)                                                                \
	PACKET("s", ARGUMENTS, STOPPED, packet_step)                                                                   \
	PACKET("S", ARGUMENTS, STOPPED, packet_step_signal)                                                            \
	PACKET("T", ARGUMENTS, STOPPED, packet_thread_alive)                                                           \
	PACKET("vCont?", EXACT, STOPPED, packet_vcont_query)                                                           \
	PACKET("vCont;", ARGUMENTS, STOPPED, packet_vcont)                                                             \
	PACKET("vKill;", ARGUMENTS, ANYTIME, packet_vkill)                                                             \
	PACKET("vMustReplyEmpty", EXACT, STOPPED, packet_unknown)                                                      \
	PACKET("x", ARGUMENTS, STOPPED, packet_read_binary)                                                            \
	PACKET("X", ARGUMENTS, STOPPED, packet_write_binary)                                                           \
	PACKET("z", ARGUMENTS, STOPPED, packet_remove_breakpoint)                                                      \
	PACKET("Z", ARGUMENTS, STOPPED, packet_insert_breakpoint)

#define PACKET(name, form, when, handler) enum packet_reply handler(struct gdbstub *stub, struct args *args);
PACKET_ROWS(PACKET)
#undef PACKET
