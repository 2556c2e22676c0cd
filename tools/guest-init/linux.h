/* What a program needs of Linux on arm64 where there is no C library: system calls, processes and threads. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { /* include/uapi/asm-generic/unistd.h */
       SYS_OPENAT = 56,
       SYS_PIPE2 = 59,
       SYS_READ = 63,
       SYS_WRITE = 64,
       SYS_PREAD64 = 67,
       SYS_PWRITE64 = 68,
       SYS_FSYNC = 82,
       SYS_EXIT = 93,
       SYS_EXIT_GROUP = 94,
       SYS_UNSHARE = 97,
       SYS_FUTEX = 98,
       SYS_SCHED_SETAFFINITY = 122,
       SYS_SCHED_GETAFFINITY = 123,
       SYS_SCHED_YIELD = 124,
       SYS_GETCPU = 168,
       SYS_MUNMAP = 215,
       SYS_CLONE = 220,
       SYS_EXECVE = 221,
       SYS_MMAP = 222,
       SYS_MPROTECT = 226,
       SYS_WAIT4 = 260,
       SYS_MEMBARRIER = 283,
};

enum { PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, PAGE_BYTES = 4096 };
enum { SIGCHLD = 17, CLONE_NEWNET = 0x40000000 };

/* Returns what the kernel does: below 0 is an error. */
long linux_call(long number, long a, long b, long c, long d, long e, long f);
#define CALL(number, a, b, c) linux_call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL6(number, a, b, c, d, e, f)                                                                                \
	linux_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Zeroed memory, shared with children or not. Ends the process if there is none. */
void *linux_map(size_t bytes, long shared);

/* 0 in the child, its id in the parent. */
long linux_fork(void);

/* Waits for one child: its wait status, or below 0. */
long linux_wait(long pid);

/* Runs run(argument) in a new thread. *running is 1 until it has ended, and is woken then. */
void linux_thread(void (*run)(uint64_t argument), uint64_t argument, uint32_t *running);
void linux_join(uint32_t *running);

/* A mutex that waits in the kernel: 0 free, 1 held, 2 held and waited for. */
void linux_lock(uint32_t *mutex);
void linux_unlock(uint32_t *mutex);

/* Only on the CPU of this index among those that are online when it is called. */
void linux_pin(uint64_t index);

/* The program's own: its name in what linux_fail says. */
extern const char linux_program[];
/* Ends the process: says on standard error where, with status 1. */
_Noreturn void linux_fail(const char *why);
#define CHECK(condition, why) ((condition) ? (void)0 : linux_fail(why))

/* The program's own: what _start calls with the process's arguments; its result is the status. */
int linux_main(int count, char **arguments);
