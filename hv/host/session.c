/* Signals, progress and console bytes of a run. */
#include "hv/host/session.h"
#include "hv/abi/types.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_INTERVAL_NS ((int64_t)NS_PER_S / 4)

int session_signals(struct error *error)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		error_set(error, STATUS_FAILED, "cannot watch for signals: %s", strerror(errno));
	return fd;
}

int session_signal_take(int signal_fd)
{
	struct signalfd_siginfo info;
	return read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

int64_t session_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
}

void progress_start(struct progress *progress, bool wanted, uint64_t total_n)
{
	*progress = (struct progress){.shown = wanted && isatty(STDERR_FILENO), .total_n = total_n};
	progress->start_ns = progress->last_ns = session_now_ns();
}

void progress_update(struct progress *progress, const struct machine *machine)
{
	int64_t now = session_now_ns();
	double interval_s = (double)(now - progress->last_ns) / (double)NS_PER_S;
	if (!progress->shown || now - progress->last_ns < PROGRESS_INTERVAL_NS)
		return;
	uint64_t n = machine_index_load(&machine->mailbox->now_n);
	double rate = (double)(n - progress->last_n) / interval_s;
	fprintf(stderr, "\r%.3f G instructions, guest time %.3f s, %.0f M/s", (double)n / 1e9,
		(double)machine->mailbox->now_ns / 1e9, rate / 1e6);
	if (progress->total_n != 0 && n <= progress->total_n) {
		double mean = (double)n * (double)NS_PER_S / (double)(now - progress->start_ns);
		fprintf(stderr, ", %.0f %%, %.0f s left", 100.0 * (double)n / (double)progress->total_n,
			mean > 0 ? (double)(progress->total_n - n) / mean : 0.0);
	}
	fputs("\033[K", stderr);
	progress->last_n = n;
	progress->last_ns = now;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
