// SPDX-License-Identifier: Apache-2.0

// Small arenas for the C tests: created under a name of their own, unlinked at once.
#pragma once
#include "arena/arena.h"
#include "arena/epoch.h"
#include "egret.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct egret_limits fixture_limits = {
	.sessions = 4,
	.bindings = 4,
	.networks = 4,
	.plies = 64,
	.groups = 64,
	.neighbors = 4,
	.clients = 64,
	.rules = 64,
	.rule_addresses = 256,
};

// A path in a directory that exists, different in every process.
static inline const char *fixture_path(void)
{
	static char path[64];
	snprintf(path, sizeof path, "/dev/shm/egret-test.%d.arena", (int)getpid());
	return path;
}

// An arena that only this process sees. Ends the test program when it cannot be made.
static inline struct arena *fixture_arena(const struct egret_limits *limits)
{
	void *arena = NULL;
	int status = egret_arena_create(fixture_path(), "", limits, &arena);
	if (status < 0) {
		printf("Bail out! no arena: status %d, errno %d\n", -status, egret_errno());
		exit(1);
	}
	unlink(fixture_path());
	return arena;
}

// Claims an arena as a forwarder that lives does, so that a reader that was held up counts as alive
// however long that takes. Returns what fixture_unclaim takes.
static inline int fixture_claim(const struct arena *arena)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", arena->fd);
	struct arena claimant = {.fd = open(path, O_RDWR | O_CLOEXEC)};
	if (claimant.fd < 0 || epoch_claim(&claimant) != 0) {
		printf("Bail out! no claim: errno %d\n", egret_errno());
		exit(1);
	}
	return claimant.fd;
}

static inline void fixture_unclaim(int claim)
{
	close(claim);
}

// xorshift64*: the same numbers in every run.
static inline uint32_t fixture_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * 0x2545f4914f6cdd1dull >> 32);
}
