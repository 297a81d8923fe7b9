// SPDX-License-Identifier: Apache-2.0

// A network namespace of the test's own, removed when the test exits. Needs root and iproute2.
#pragma once
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Runs a command line; returns 1 when it succeeded.
__attribute__((format(printf, 1, 2))) static inline int netns_run(const char *format, ...)
{
	char line[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	return system(line) == 0;
}

// Moves this process into a fresh namespace without IPv6, where no router solicitation disturbs a
// count. Returns 0 when that is not allowed here.
static inline int netns_can_enter(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
		netns_run("ip link set lo up && "
			  "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && "
			  "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
}

// The same for a test that is nothing without it: skips all of it, in TAP.
static inline int netns_enter(void)
{
	if (netns_can_enter())
		return 1;
	printf("ok 1 # SKIP needs root, network namespaces and iproute2\n1..1\n");
	return 0;
}
