// SPDX-License-Identifier: Apache-2.0

// What a supervisor receives: at a path, at an abstract address, and when it does not read or is not there.
#include "egret.h"
#include "tap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// A supervisor's socket at an address: "/path" or "@name".
static int listen_at(const char *address)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	memcpy(local.sun_path, address, strlen(address));
	if (address[0] == '@')
		local.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	bind(fd, (struct sockaddr *)&local,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address)));
	return fd;
}

// Notifies n times from a process of its own, which knows this supervisor. Returns how many were sent.
static int notify_from_child(const char *address, const char *state, int n)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		if (address)
			setenv("NOTIFY_SOCKET", address, 1);
		else
			unsetenv("NOTIFY_SOCKET");
		int sent = 0;
		for (int i = 0; i < n; i++)
			sent += egret_notify(state);
		_exit(sent < 200 ? sent : 200);
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_address(const char *address)
{
	char got[64] = "";
	int fd = listen_at(address);
	tap_ok(notify_from_child(address, "READY=1\nSTATUS=x", 1) == 1, "sent to %s", address);
	tap_ok(recv(fd, got, sizeof got - 1, 0) == 16 && strcmp(got, "READY=1\nSTATUS=x") == 0,
		"and received whole");
	tap_ok(notify_from_child(address, "WATCHDOG=1", 150) < 150,
		"one that does not read is not waited for");
	close(fd);
}

int main(void)
{
	char path[64], name[64];
	snprintf(path, sizeof path, "/tmp/egret-notify-%d", (int)getpid());
	snprintf(name, sizeof name, "@egret-notify-%d", (int)getpid());
	// A queue that is full after some datagrams (net.unix.max_dgram_qlen).
	test_address(path);
	test_address(name);
	tap_ok(notify_from_child(path, "READY=1", 3) == 0,
		"no process listens there: nothing is sent");
	tap_ok(notify_from_child(NULL, "READY=1", 3) == 0, "no supervisor: nothing is sent");
	tap_ok(notify_from_child("relative", "READY=1", 1) == 0, "an address that is none");
	unlink(path);
	return tap_done();
}
