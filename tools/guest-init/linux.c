/* No C library for the guest is among the packages that hvrec needs, so this is it. */
#include "tools/guest-init/linux.h"

enum { STACK_BYTES = 65536, FUTEX_WAIT = 0, FUTEX_WAKE = 1, CPUS_MAX = 64 };
/* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_CLEARTID */
#define CLONE_THREAD_FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000)

__asm__(".text\n"
	".global _start\n"
	"_start:\n"
	"	ldr	x0, [sp]\n"
	"	add	x1, sp, #8\n"
	"	bl	linux_main\n"
	"	mov	x8, #94\n" /* exit_group */
	"	svc	#0\n"
	/* linux_clone(flags, stack, cleared): the new thread finds argument and function on its stack */
	"linux_clone:\n"
	"	mov	x4, x2\n"
	"	mov	x2, #0\n"
	"	mov	x3, #0\n"
	"	mov	x8, #220\n"
	"	svc	#0\n"
	"	cbz	x0, 1f\n"
	"	ret\n"
	"1:	ldp	x0, x1, [sp]\n"
	"	blr	x1\n"
	"	mov	x0, #0\n"
	"	mov	x8, #93\n" /* exit */
	"	svc	#0\n");
long linux_clone(long flags, void *stack, uint32_t *cleared);

long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

static void say(const char *text)
{
	size_t length = 0;
	while (text[length])
		length++;
	CALL(SYS_WRITE, 2, text, length);
}

_Noreturn void linux_fail(const char *why)
{
	say(linux_program);
	say(": ");
	say(why);
	say("\n");
	for (;;)
		CALL(SYS_EXIT_GROUP, 1, 0, 0);
}

void *linux_map(size_t bytes, long shared)
{
	long at = CALL6(SYS_MMAP, 0, bytes, PROT_READ | PROT_WRITE, shared | MAP_ANONYMOUS, -1, 0);
	CHECK(at > 0, "no memory");
	return (void *)at;
}

long linux_fork(void)
{
	long pid = CALL(SYS_CLONE, SIGCHLD, 0, 0);
	CHECK(pid >= 0, "no process");
	return pid;
}

long linux_wait(long pid)
{
	int32_t status = -1;
	long waited = CALL(SYS_WAIT4, pid, &status, 0);
	return waited < 0 ? waited : status;
}

void linux_thread(void (*run)(uint64_t argument), uint64_t argument, uint32_t *running)
{
	uint64_t *stack = (uint64_t *)((uint64_t)linux_map(STACK_BYTES, MAP_PRIVATE) + STACK_BYTES - 16);
	stack[0] = argument;
	stack[1] = (uint64_t)run;
	*running = 1;
	CHECK(linux_clone(CLONE_THREAD_FLAGS, stack, running) > 0, "no thread");
}

void linux_join(uint32_t *running)
{
	while (__atomic_load_n(running, __ATOMIC_ACQUIRE) != 0)
		CALL6(SYS_FUTEX, running, FUTEX_WAIT, 1, 0, 0, 0);
}

void linux_lock(uint32_t *mutex)
{
	uint32_t free = 0;
	if (__atomic_compare_exchange_n(mutex, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(mutex, 2, __ATOMIC_ACQUIRE) != 0)
		CALL6(SYS_FUTEX, mutex, FUTEX_WAIT, 2, 0, 0, 0);
}

void linux_unlock(uint32_t *mutex)
{
	if (__atomic_exchange_n(mutex, 0, __ATOMIC_RELEASE) == 2)
		CALL6(SYS_FUTEX, mutex, FUTEX_WAKE, 1, 0, 0, 0);
}

/* The mask of the process that was started says which there are; one of them may be gone by now. */
void linux_pin(uint64_t index)
{
	uint64_t all = 0, count = 0;
	CHECK(CALL(SYS_SCHED_GETAFFINITY, 1, sizeof(all), &all) > 0, "no affinity of process 1");
	for (uint64_t cpu = 0; cpu < CPUS_MAX; cpu++)
		count += all >> cpu & 1;
	uint64_t left = index % count, cpu = 0;
	for (;; cpu++)
		if ((all >> cpu & 1) != 0 && left-- == 0)
			break;
	uint64_t mask = UINT64_C(1) << cpu;
	CALL(SYS_SCHED_SETAFFINITY, 0, sizeof(mask), &mask);
}
