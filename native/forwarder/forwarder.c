// SPDX-License-Identifier: Apache-2.0

// egret-forwarder: maps the arena, takes ports from egretd over a Unix socket, forwards.
//
//   egret-forwarder [--wait] --arena PATH --socket PATH [--pid-file PATH]
//
// It opens no port itself and may outlive any egretd. Sessions live in the arena: the next forwarder
// rebuilds its tables from them. With --wait, for a supervisor that starts it before egretd, it waits
// until there is an arena. A supervisor is notified of readiness, and of each second that the loop runs
// (sd_notify). Once it listens it gives up its privileges (confine.h); its socket and its pid file stay
// when it exits, for the next forwarder to replace. Exit status: 0 stopped in order, 1 could not start, 2 usage, 3 built
// from another abi.h than the arena, 4 another one runs on it. Log lines are JSON on stderr.
#include "arena/arena.h"
#include "arena/epoch.h"
#include "egret.h"
#include "forwarder/confine.h"
#include "forwarder/control_server.h"
#include "forwarder/loop.h"
#include "forwarder/ports.h"
#include "forwarder/worker_run.h"
#include "lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_START = 1, EXIT_USAGE = 2, EXIT_ABI = 3, EXIT_CLAIMED = 4 };
enum { LOG_INFO = 30, LOG_ERROR = 50 }; // pino's numbers, as in egretd's log

#define CLAIM_WAIT_NS 1000000000ull
#define REPORT_NS 1000000000ull
#define ARENA_POLL_NS 20000000

struct options {
	const char *arena, *socket, *pid_file;
	int must_wait;
};

static const char *const status_texts[] = {
#define STATUS_TEXT(sym, code, text) text,
	EGRET_STATUSES(STATUS_TEXT)};

// The wall clock as egretd's log has it: 2026-01-31T23:59:59.123Z. Not by strftime, which asks the file
// system for the time zone each time.
static void format_time(char *text, size_t room)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	snprintf(text, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
		utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		(int)(now.tv_nsec / 1000000));
}

// Writes one line. `fields` is a format for JSON members that follow, each with a comma in front.
__attribute__((format(printf, 3, 4))) static void log_line(
	int level, const char *message, const char *fields, ...)
{
	char time[96], text[1024], line[1280];
	format_time(time, sizeof time);
	va_list arguments;
	va_start(arguments, fields);
	vsnprintf(text, sizeof text, fields, arguments);
	va_end(arguments);
	int n = snprintf(line, sizeof line,
		"{\"level\":%d,\"time\":\"%s\",\"pid\":%d,\"name\":\"egret-forwarder\","
		"\"msg\":\"%s\"%s}\n",
		level, time, (int)getpid(), message, text);
	if (n > 0 && n < (int)sizeof line)
		egret_log_write(STDERR_FILENO, line, (uint32_t)n);
}

static void log_failure(const char *message, int status)
{
	int is_system = status == -EGRET_STATUS_SYSTEM;
	log_line(LOG_ERROR, message, ",\"reason\":\"%s\"",
		is_system ? strerror(egret_errno()) : status_texts[-status]);
}

// Returns 0 when the command line is not one.
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"arena", required_argument, NULL, 'a'},
		{"socket", required_argument, NULL, 's'},
		{"pid-file", required_argument, NULL, 'p'},
		{"wait", no_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'a':
			options->arena = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'p':
			options->pid_file = optarg;
			break;
		case 'w':
			options->must_wait = 1;
			break;
		default:
			return 0;
		}
	}
	return options->arena && options->socket && optind == argc;
}

// Signals come by the loop's poll, so that traffic cannot starve them.
static int open_signals(void)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int write_pid(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	int failed = dprintf(fd, "%d\n", (int)getpid()) < 0;
	close(fd);
	return failed ? -1 : 0;
}

// Builds the worker, and says what became of the sessions.
static int make_worker(struct arena *arena, struct worker **worker)
{
	uint64_t begin_ns = clock_now_ns();
	int status = worker_make(arena, worker);
	if (status < 0)
		return status;
	const uint64_t *counters = (*worker)->counters;
	log_line(LOG_INFO, "forwarder started",
		",\"sessions\":%" PRIu64 ",\"bindings\":%" PRIu64 ",\"durationMs\":%.3f",
		counters[EGRET_WORKER_COUNTER_SESSIONS], counters[EGRET_WORKER_COUNTER_BINDINGS],
		(double)(clock_now_ns() - begin_ns) / 1e6);
	return 0;
}

static int give_up_privileges(void)
{
#ifdef EGRET_COVERAGE
	return 0; // what counts lines writes its files at the end
#else
	return confine_identity() || confine_calls();
#endif
}

static int run(const struct options *options, struct arena *arena)
{
	struct worker *worker = NULL;
	struct control_server *control = NULL;
	int status = epoch_claim_wait(arena, CLAIM_WAIT_NS);
	if (status < 0) {
		log_failure("another forwarder runs on this arena", status);
		return EXIT_CLAIMED;
	}
	int signal_fd = open_signals();
	if (signal_fd < 0) {
		log_line(
			LOG_ERROR, "cannot receive signals", ",\"reason\":\"%s\"", strerror(errno));
		return EXIT_START;
	}
	status = make_worker(arena, &worker);
	if (status < 0) {
		log_failure("cannot make the worker", status);
		return EXIT_START;
	}
	status = control_server_open(options->socket, worker, &control);
	if (status < 0) {
		log_failure("cannot listen", status);
		worker_free(worker);
		return EXIT_START;
	}
	if (options->pid_file && write_pid(options->pid_file))
		log_line(LOG_ERROR, "cannot write the pid file", ",\"reason\":\"%s\"",
			strerror(errno));
	egret_notify("READY=1\nSTATUS=forwards");
	if (give_up_privileges()) {
		log_line(LOG_ERROR, "cannot give up privileges", ",\"reason\":\"%s\"",
			strerror(errno));
		return EXIT_START;
	}
	loop_run(worker, control, signal_fd);
	egret_notify("STOPPING=1");
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		ports_close(worker, slot);
	control_server_close(control);
	worker_free(worker);
	log_line(LOG_INFO, "forwarder stopped", "%s", "");
	return EXIT_OK;
}

// Maps the arena. One that is not there yet is waited for: egretd is started when we say that we are
// ready, and makes it. One of another build is not: the supervisor may have a forwarder of that build.
static int open_arena(const struct options *options, void **arena)
{
	uint64_t report_ns = 0;
	for (;;) {
		int status = egret_arena_open(options->arena, NULL, arena);
		int is_missing = status == -EGRET_STATUS_SYSTEM && egret_errno() == ENOENT;
		if (!options->must_wait || !is_missing)
			return status;
		if (report_ns == 0)
			log_line(LOG_INFO, "forwarder waits for the arena", "%s", "");
		uint64_t now_ns = clock_now_ns();
		if (now_ns - report_ns >= REPORT_NS) {
			egret_notify("READY=1\nSTATUS=waits for the arena of egretd\nWATCHDOG=1");
			report_ns = now_ns;
		}
		nanosleep(&(struct timespec){.tv_nsec = ARENA_POLL_NS}, NULL);
	}
}

int main(int argc, char **argv)
{
	struct options options = {0};
	if (!parse_options(argc, argv, &options)) {
		fprintf(stderr,
			"usage: egret-forwarder [--wait] --arena PATH --socket PATH "
			"[--pid-file PATH]\n");
		return EXIT_USAGE;
	}
	prctl(PR_SET_NAME, "egret-forwarder", 0, 0, 0);
	void *arena = NULL;
	int status = open_arena(&options, &arena);
	if (status < 0) {
		log_failure("cannot map the arena", status);
		return status == -EGRET_STATUS_ABI_MISMATCH ? EXIT_ABI : EXIT_START;
	}
	int result = run(&options, arena);
	egret_arena_close(arena);
	return result;
}
