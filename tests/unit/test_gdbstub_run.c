/* The stub while its target runs: every resume packet, every reason to stop, conditions, interrupts, and clients that
 * leave. */
#include "tests/unit/gdbstub_client.h"

static struct toy toy;

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 1000);
	client_ask(&toy, "qSupported:swbreak+;hwbreak+");
	cr_assert_str_eq(client_ask(&toy, "QStartNoAckMode"), "OK");
}

static void close_toy(void)
{
	toy_close(&toy);
}

TestSuite(gdbstub_run, .init = open_toy, .fini = close_toy);

static uint64_t pc(void)
{
	return toy.regs[0][GDB_REG_pc].low - TOY_VA;
}

#define EXPECT_STOP(packet, start)                                                                                     \
	do {                                                                                                           \
		const char *reply_ = client_run(&toy, packet);                                                         \
		cr_expect(client_stopped_with(reply_, start), "%s: %s", packet, reply_);                               \
	} while (0)

Test(gdbstub_run, steps_in_every_way)
{
	static const char *const packets[] = {"s",
					      "vCont;s",
					      "vCont;s:1;c",
					      "vCont;c:2;s:1",
					      "S05",
					      "vCont;S05:1",
					      "vCont;r40080000,40080000:1",
					      "vCont;s:-1",
					      "vCont;s:1;r40080000,40080100:2",
					      "vCont;c;s:1;c"};

	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
		EXPECT_STOP(packets[i], "T05thread:1;");
		cr_expect_eq(toy.n, i + 1, "%s", packets[i]);
	}
	for (uint64_t n = toy.n; n-- > 0;) {
		EXPECT_STOP("bs", "T05thread:1;");
		cr_expect_eq(toy.n, n);
	}
	EXPECT_STOP("bs", "T05thread:1;replaylog:begin;");
}

/* As QEMU's stub has it. */
Test(gdbstub_run, says_whether_steps_go_into_interrupts)
{
	static const struct {
		const char *packet, *mode;
		bool into;
	} modes[] = {{"Qqemu.sstep=5", "0x5", true},
		     {"Qqemu.sstep=0x7", "0x7", false},
		     {"Qqemu.sstep=0", "0x0", true},
		     {"Qqemu.sstep=0x2", "0x2", false}};

	cr_expect_str_eq(client_ask(&toy, "qqemu.sstepbits"), "ENABLE=1,NOIRQ=2,NOTIMER=4");
	cr_expect_str_eq(client_ask(&toy, "qqemu.sstep"), "0x7");
	EXPECT_STOP("vCont;s", "T05thread:1;");
	cr_expect_not(toy.resume.into_interrupts);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		cr_expect_str_eq(client_ask(&toy, modes[i].packet), "OK");
		cr_expect_str_eq(client_ask(&toy, "qqemu.sstep"), modes[i].mode, "%s", modes[i].packet);
		EXPECT_STOP("s", "T05thread:1;");
		cr_expect_eq(toy.resume.into_interrupts, modes[i].into, "%s", modes[i].packet);
		cr_expect_eq(gdbstub_steps_into_interrupts(toy.stub), modes[i].into);
	}
	static const char *const malformed[] = {"Qqemu.sstep=", "Qqemu.sstep=8", "Qqemu.sstep=1x", "Qqemu.sstep=0x"};
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
		cr_expect_str_eq(client_ask(&toy, malformed[i]), "E22", "%s", malformed[i]);
	gdbstub_set_steps_into_interrupts(toy.stub, true);
	cr_expect_str_eq(client_ask(&toy, "qqemu.sstep"), "0x0");
	gdbstub_disconnect(toy.stub);
	gdbstub_connect(toy.stub);
	cr_expect_not(gdbstub_steps_into_interrupts(toy.stub), "the next client finds the switch of the one before");
}

Test(gdbstub_run, goes_to_both_ends)
{
	static const char *const packets[] = {"c", "vCont;c", "C05", "vCont;C05", "vCont;c:1", "vCont;t:2;c"};

	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
		EXPECT_STOP(packets[i], "T05thread:1;replaylog:end;");
		cr_expect_eq(toy.n, 1000);
		EXPECT_STOP("bc", "T05thread:1;replaylog:begin;");
		cr_expect_eq(toy.n, 0);
	}
}

/* Backwards gdb names no thread: it means the one that it looks at. While it continues, whoever comes next. */
Test(gdbstub_run, a_step_is_of_the_thread_that_is_meant)
{
	static const struct {
		const char *select, *packet;
		uint32_t thread;
	} steps[] = {
		{"Hg2", "bs", 1},
		{"Hg1", "bs", 0},
		{"Hg2", "s", 1},
		{"Hg2", "bc", TARGET_THREAD_ANY},
		{"Hg2", "vCont;s:1;c", 0},
		{"Hg1", "vCont;c:1;s:2", 1},
		{"Hg2", "vCont;c", TARGET_THREAD_ANY},
		{"Hg1", "vCont;r0,8:2;c", 1},
	};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		cr_expect_str_eq(client_ask(&toy, "Hc0"), "OK");
		cr_expect_str_eq(client_ask(&toy, steps[i].select), "OK");
		client_run(&toy, steps[i].packet);
		cr_expect_eq(toy.resume.thread, steps[i].thread, "%s %s: %u", steps[i].select, steps[i].packet,
			     toy.resume.thread);
	}
	cr_expect_str_eq(client_ask(&toy, "Hc2"), "OK");
	cr_expect_str_eq(client_ask(&toy, "Hg1"), "OK");
	client_run(&toy, "bs");
	cr_expect_eq(toy.resume.thread, 1);
}

Test(gdbstub_run, a_range_ends_outside_of_it)
{
	EXPECT_STOP("vCont;r40080000,4008000c:1;c", "T05thread:1;");
	cr_expect_eq(toy.n, 3);
	EXPECT_STOP("vCont;r4008000c,4008001c:1", "T05thread:1;");
	cr_expect_eq(pc(), 0x1c);
	EXPECT_STOP("vCont;r4008000c,40080020:1", "T05thread:1;replaylog:end;");
}

Test(gdbstub_run, goes_on_at_an_address)
{
	EXPECT_STOP("s40080018", "T05thread:1;");
	cr_expect_eq(pc(), 0x1c);
	EXPECT_STOP("S05;40080018", "T05thread:1;");
	cr_expect_eq(pc(), 0x1c);
	cr_expect(client_stopped_with(client_run(&toy, "c4008000"), "T04thread:1;"));
}

Test(gdbstub_run, malformed_resumptions_do_not_run)
{
	static const char *const packets[] = {"sx",         "c1g",      "C",        "Cx",          "C05;",
					      "S05;x",      "vCont;",   "vCont;x",  "vCont;c:3",   "vCont;cc",
					      "vCont;s:1x", "vCont;r",  "vCont;r1", "vCont;r1,",   "vCont;s;;c",
					      "vCont;C",    "vCont;s:", "C05,",     "vCont;c:p1.1"};

	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++)
		cr_expect_str_eq(client_ask(&toy, packets[i]), "E22", "%s", packets[i]);
	cr_expect(client_stopped_with(client_ask(&toy, "vCont;t"), "T05thread:1;"));
	cr_expect_not(gdbstub_is_busy(toy.stub));
}

Test(gdbstub_run, breakpoints_in_both_directions)
{
	client_ask(&toy, "Z0,40080010,4");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.n, 4 + TOY_LOOP_INSNS);
	client_ask(&toy, "z0,40080010,4");
	client_ask(&toy, "Z1,4008000c,4");
	EXPECT_STOP("bc", "T05thread:1;hwbreak:;");
	cr_expect_eq(toy.n, 3 + TOY_LOOP_INSNS);
	EXPECT_STOP("bc", "T05thread:1;hwbreak:;");
	cr_expect_eq(toy.n, 3);
	EXPECT_STOP("bc", "T05thread:1;replaylog:begin;");
}

Test(gdbstub_run, breakpoint_reasons_only_for_a_client_that_knows_them)
{
	gdbstub_disconnect(toy.stub);
	gdbstub_connect(toy.stub);
	client_ask(&toy, "qSupported:xmlRegisters=i386");
	client_ask(&toy, "Z0,40080010,4");
	client_ask(&toy, "Z1,40080014,4");
	EXPECT_STOP("vCont;c", "T05thread:1;");
	EXPECT_STOP("vCont;c", "T05thread:1;");
	cr_expect_eq(pc(), 0x14);
}

Test(gdbstub_run, watchpoints_tell_the_address)
{
	client_ask(&toy, "Z2,40080804,2");
	EXPECT_STOP("vCont;c", "T05thread:1;watch:40080804;");
	cr_expect_eq(pc(), 0x10);
	client_ask(&toy, "z2,40080804,2");
	client_ask(&toy, "Z3,40080800,1");
	EXPECT_STOP("vCont;c", "T05thread:1;rwatch:40080800;");
	cr_expect_eq(pc(), 0x14);
	client_ask(&toy, "z3,40080800,1");
	client_ask(&toy, "Z4,400807fc,8");
	EXPECT_STOP("bc", "T05thread:1;awatch:40080800;");
	cr_expect_eq(pc(), 0x14); /* after the store, as we come from there */
	client_ask(&toy, "z4,400807fc,8");
	EXPECT_STOP("bs", "T05thread:1;");
	cr_expect_eq(pc(), 0x10);
}

Test(gdbstub_run, stop_replies_carry_three_registers)
{
	cr_expect_str_eq(client_run(&toy, "s"),
			 "T05thread:1;1d:1d1d000000000000;1f:0020084000000000;20:0400084000000000;");
	cr_expect_str_eq(client_ask(&toy, "?"),
			 "T05thread:1;1d:1d1d000000000000;1f:0020084000000000;20:0400084000000000;");
}

Test(gdbstub_run, an_exit_and_a_signal)
{
	client_ask(&toy, "M40080004,4:00000000");
	EXPECT_STOP("vCont;c", "T04thread:1;");
	client_ask(&toy, "vCont;c");
	gdbstub_stopped(toy.stub, &(struct target_stop){.reason = TARGET_STOP_EXITED, .code = 0x2a});
	cr_expect_str_eq(client_reply(&toy), "W2a");
	cr_expect_str_eq(client_ask(&toy, "?"), "W2a");
	toy.is_running = false;
}

Test(gdbstub_run, the_thread_that_stopped_is_selected)
{
	client_ask(&toy, "vCont;c");
	toy.is_running = false;
	gdbstub_stopped(toy.stub, &(struct target_stop){.reason = TARGET_STOP_STEP, .thread = 1});
	cr_expect_eq(strncmp(client_reply(&toy), "T05thread:2;", 12), 0);
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC2");
	/* But not when a monitor command moves the target: gdb has selected this one. */
	client_ask(&toy, "qRcmd,6c61746572");
	gdbstub_stopped(toy.stub, &(struct target_stop){.reason = TARGET_STOP_STEP, .thread = 0});
	toy_run(&toy, 0);
	size_t count;
	client_take(&toy, &count);
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC2");
	cr_expect_eq(strncmp(client_ask(&toy, "?"), "T05thread:1;", 12), 0);
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC1");
}

Test(gdbstub_run, an_interrupt_stops_both_directions)
{
	client_ask(&toy, "vCont;c");
	toy_run(&toy, 100);
	client_raw(&toy, "\x03", 1);
	toy_run(&toy, 100);
	cr_expect(client_stopped_with(client_reply(&toy), "T02thread:1;"));
	cr_expect_eq(toy.n, 100);
	client_ask(&toy, "bc");
	toy_run(&toy, 50);
	client_raw(&toy, "\x03", 1);
	toy_run(&toy, 100);
	cr_expect(client_stopped_with(client_reply(&toy), "T02thread:1;"));
	cr_expect_eq(toy.n, 50);
}

/* gdb, which watches or decides a condition by itself, goes on after a stop that crossed the user's Ctrl-C. */
Test(gdbstub_run, an_interrupt_that_crosses_a_stop_is_kept_for_the_next_resume)
{
	client_raw(&toy, "\x03", 1);
	cr_expect_not(toy.is_interrupted);
	client_ask(&toy, "g");
	EXPECT_STOP("vCont;s:1;c", "T02thread:1;");
	cr_expect_eq(toy.n, 0);
	EXPECT_STOP("vCont;s:1;c", "T05thread:1;");
	client_raw(&toy, "\x03", 1);
	gdbstub_disconnect(toy.stub);
	gdbstub_connect(toy.stub);
	EXPECT_STOP("s", "T05thread:1;");
	cr_expect_str_eq(client_ask(&toy, "QStartNoAckMode"), "OK");
	client_raw(&toy, "$vCont;c#a8\x03", 12);
	cr_expect(toy.is_interrupted);
	toy_run(&toy, 1);
	cr_expect(client_stopped_with(client_reply(&toy), "T02thread:1;"));
}

Test(gdbstub_run, packets_while_running_are_ignored)
{
	client_ask(&toy, "vCont;c");
	cr_expect_str_eq(client_ask(&toy, "g"), "(nothing)");
	cr_expect_str_eq(client_ask(&toy, "unknown"), "(nothing)");
	cr_expect_str_eq(client_ask(&toy, "vCont;c"), "(nothing)");
	toy_run(&toy, 10000);
	cr_expect(client_stopped_with(client_reply(&toy), "T05thread:1;replaylog:end;"));
}

/* x0 is the loop's turn: stops where it is 5, at most once, in both directions, and asks gdb nothing meanwhile. */
Test(gdbstub_run, conditions_are_evaluated_in_the_stub)
{
	client_ask(&toy, "Z0,40080018,4;X8,260000220516132727"); /* too long by one: */
	cr_expect_eq(toy.break_count, 0);
	cr_expect_str_eq(client_ask(&toy, "Z0,40080018,4;X7,26000022051327"), "OK");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 5);
	cr_expect_eq(toy.want_count, 5);
	EXPECT_STOP("vCont;c", "T05thread:1;replaylog:end;");
	EXPECT_STOP("bc", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 5);
	EXPECT_STOP("bc", "T05thread:1;replaylog:begin;");
}

Test(gdbstub_run, one_true_condition_of_several_is_enough)
{
	client_ask(&toy, "Z0,40080018,4;X7,26000022051327X7,26000022031327");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 3);
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 5);
}

Test(gdbstub_run, new_conditions_replace_old_ones)
{
	client_ask(&toy, "Z0,40080018,4;X7,26000022051327");
	client_ask(&toy, "Z0,40080018,4;X7,26000022091327");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 9);
	client_ask(&toy, "Z0,40080018,4");
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 10);
	cr_expect_eq(toy.break_count, 1);
}

Test(gdbstub_run, a_condition_that_cannot_be_evaluated_stops)
{
	client_ask(&toy, "Z0,40080018,4;X4,22001727"); /* *(char *)0 */
	EXPECT_STOP("vCont;c", "T05thread:1;swbreak:;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 1);
}

Test(gdbstub_run, conditions_of_watchpoints)
{
	client_ask(&toy, "Z2,40080800,8;X7,26000022041327");
	EXPECT_STOP("vCont;c", "T05thread:1;watch:40080800;");
	cr_expect_eq(toy.regs[0][GDB_REG_x0].low, 4);
	cr_expect(gdbstub_wants_stop(toy.stub, &(struct target_stop){.reason = TARGET_STOP_STEP}));
}

Test(gdbstub_run, restart)
{
	client_ask(&toy, "!");
	client_run(&toy, "vCont;c");
	cr_expect_str_eq(client_ask(&toy, "R00"), "(nothing)");
	cr_expect(client_stopped_with(client_ask(&toy, "?"), "T05thread:1;"));
	cr_expect_eq(toy.n, 0);
	toy.can_restart = false;
	client_run(&toy, "s");
	cr_expect_str_eq(client_ask(&toy, "R00"), "(nothing)");
	cr_expect_eq(toy.n, 1);
	cr_expect_eq(toy.restart_count, 2);
}

Test(gdbstub_run, run_begins_the_recording_again)
{
	static const char run[] = "vRun;2f62696e2f6c73;61";
	client_run(&toy, "vCont;c");
	cr_expect(client_stopped_with(client_ask(&toy, run), "T05thread:1;"));
	cr_expect_eq(toy.n, 0);
	client_run(&toy, "s");
	toy.can_restart = false;
	cr_expect_str_eq(client_ask(&toy, run), "E01");
	cr_expect_eq(toy.n, 1);
}

Test(gdbstub_run, detach_removes_the_breakpoints)
{
	client_ask(&toy, "Z0,40080018,4");
	client_ask(&toy, "Qqemu.PhyMemMode:1");
	cr_expect_str_eq(client_ask(&toy, "Dx"), "E22");
	cr_expect_str_eq(client_ask(&toy, "D;1"), "OK");
	cr_expect(gdbstub_is_leaving(toy.stub));
	cr_expect_eq(toy.break_count, 0);
	cr_expect_str_eq(client_ask(&toy, "qC"), "(nothing)");
	gdbstub_disconnect(toy.stub);
	cr_expect_eq(toy.detach_count, 1);
	gdbstub_connect(toy.stub);
	cr_expect_not(gdbstub_is_leaving(toy.stub));
	cr_expect_not(gdbstub_physical(toy.stub));
	cr_expect_str_eq(client_ask(&toy, "qC"), "QC1");
}

Test(gdbstub_run, kill)
{
	cr_expect_str_eq(client_ask(&toy, "k"), "(nothing)");
	cr_expect(gdbstub_is_leaving(toy.stub));
	cr_expect_eq(toy.kill_count, 1);
	gdbstub_disconnect(toy.stub);
	cr_expect_eq(toy.detach_count, 0);
	gdbstub_connect(toy.stub);
	cr_expect_str_eq(client_ask(&toy, "vKill;a410"), "OK");
	cr_expect_eq(toy.kill_count, 2);
}

Test(gdbstub_run, a_kill_in_extended_mode_leaves_the_target_for_a_restart)
{
	client_ask(&toy, "!");
	client_ask(&toy, "Z0,40080018,4");
	cr_expect_str_eq(client_ask(&toy, "vKill;1"), "OK");
	cr_expect_not(gdbstub_is_leaving(toy.stub));
	cr_expect_eq(toy.kill_count, 0);
	cr_expect_eq(toy.break_count, 0);
	client_ask(&toy, "R00");
	cr_expect(client_stopped_with(client_ask(&toy, "?"), "T05thread:1;"));
}

Test(gdbstub_run, a_client_that_breaks_off_while_the_target_runs)
{
	size_t count;

	client_ask(&toy, "Z0,40080018,4;X7,260000220f1327");
	client_ask(&toy, "vCont;c");
	gdbstub_disconnect(toy.stub);
	cr_expect(toy.is_interrupted);
	cr_expect_eq(toy.detach_count, 1);
	cr_expect_eq(toy.break_count, 0);
	cr_expect(gdbstub_is_busy(toy.stub));
	toy_run(&toy, 10);
	cr_expect_not(gdbstub_is_busy(toy.stub));
	client_take(&toy, &count);
	cr_expect_eq(count, 0);
	gdbstub_connect(toy.stub);
	cr_expect(client_stopped_with(client_ask(&toy, "?"), "T02thread:1;"));
}

Test(gdbstub_run, a_client_that_breaks_off_during_a_monitor_command)
{
	client_ask(&toy, "qRcmd,6c61746572");
	gdbstub_disconnect(toy.stub);
	gdbstub_stopped(toy.stub, &(struct target_stop){.reason = TARGET_STOP_STEP});
	cr_expect(gdbstub_is_busy(toy.stub));
	toy_run(&toy, 0);
	cr_expect_not(gdbstub_is_busy(toy.stub));
	gdbstub_connect(toy.stub);
	cr_expect_str_eq(client_reply(&toy), "(nothing)");
}

Test(gdbstub_run, detach_and_kill_are_heard_while_running)
{
	client_ask(&toy, "vCont;c");
	cr_expect_str_eq(client_ask(&toy, "D"), "OK");
	cr_expect(toy.is_interrupted);
	toy_run(&toy, 10);
	gdbstub_disconnect(toy.stub);
	gdbstub_connect(toy.stub);
	client_ask(&toy, "vCont;c");
	cr_expect_str_eq(client_ask(&toy, "k"), "(nothing)");
	cr_expect(toy.is_interrupted);
	toy_run(&toy, 10);
	cr_expect_not(gdbstub_is_busy(toy.stub));
}
