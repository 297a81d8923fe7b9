// SPDX-License-Identifier: Apache-2.0

// What the forwarder gives up: its user, its capabilities, and every system call that its loop does not
// make, each of which ends the process.
#include "forwarder/confine.h"
#include "tap.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs `act` in a process that has given up everything. Returns its exit status, or minus the signal.
static int run_confined(int (*act)(void))
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) // not by _exit, which the sanitizer follows with calls of its own
		syscall(SYS_exit_group, confine_identity() || confine_calls() ? 100 : act());
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int packets[2]; // a socket pair that stands for a port

static int forward(void)
{
	struct timespec moment = {.tv_nsec = 1};
	struct pollfd wait = {.fd = packets[0], .events = POLLIN};
	char byte = 'x';
	int is_sent = send(packets[1], &byte, 1, 0) == 1 && ppoll(&wait, 1, &moment, NULL) >= 0 &&
		recv(packets[0], &byte, 1, 0) == 1;
	void *memory = malloc(1 << 20), *more = realloc(memory, 4 << 20);
	free(more ? more : memory);
	return is_sent && more && getpid() > 1 ? 0 : 1;
}

static int open_file(void)
{
	return open("/dev/null", O_RDONLY) < 0;
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

static int start_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED;
}

static int call_as_x32(void)
{
	return (int)syscall(0x40000000 | 39); // getpid, which is allowed by its own number
}

static int become_root(void)
{
	return setuid(0);
}

// The value of a line of /proc/self/status.
static unsigned long long own_status(const char *name, int base)
{
	char line[256];
	unsigned long long value = ~0ull;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, base);
	if (status)
		fclose(status);
	return value;
}

static void test_identity(void)
{
	fflush(stdout);
	int is_root = geteuid() == 0;
	pid_t child = fork();
	if (child == 0) {
		int failures = confine_identity() != 0;
		failures |= (own_status("CapEff:", 16) & ~(1ull << 12)) ? 2 : 0; // CAP_NET_ADMIN
		failures |= (own_status("CapPrm:", 16) & ~(1ull << 12)) ? 4 : 0;
		failures |= own_status("NoNewPrivs:", 10) != 1 ? 8 : 0;
		failures |= own_status("Uid:", 10) == 0 ? 16 : 0;
		failures |= own_status("Gid:", 10) == 0 && is_root ? 32 : 0;
		failures |= setuid(0) == 0 ? 64 : 0;
		_exit(failures);
	}
	int status = 0;
	waitpid(child, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"no user but its own, no capability but CAP_NET_ADMIN, nothing to gain: %d",
		WEXITSTATUS(status));
}

int main(void)
{
	static const struct {
		const char *what;
		int (*act)(void);
	} forbidden[] = {
		{"opening a file", open_file},
		{"opening a socket", open_socket},
		{"starting a program", start_program},
		{"mapping memory to execute", map_code},
		{"a call by the numbers of x32", call_as_x32},
		{"changing its user", become_root},
	};
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, packets))
		return 1;
	test_identity();
	tap_ok(run_confined(forward) == 0, "what the loop does is allowed");
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		tap_ok(run_confined(forbidden[i].act) == -SIGSYS, "%s ends the process",
			forbidden[i].what);
	return tap_done();
}
