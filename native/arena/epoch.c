// SPDX-License-Identifier: Apache-2.0

#include "arena/epoch.h"
#include "egret.h"
#include "lib/clock.h"
#include "lib/error.h"

#include <fcntl.h>
#include <sched.h>
#include <time.h>

// The byte of the arena file that stands for "a process runs the workers". The lock belongs to the
// open file, so that it also keeps two handles of one process apart (Linux, F_OFD_SETLK).
static struct flock claim_range(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

int epoch_claim(struct arena *arena)
{
	struct flock range = claim_range();
	return fcntl(arena->fd, F_OFD_SETLK, &range) == 0 ? 0 : error_system();
}

int epoch_claim_wait(struct arena *arena, uint64_t wait_ns)
{
	uint64_t give_up_ns = clock_now_ns() + wait_ns;
	int status;
	while ((status = epoch_claim(arena)) < 0 && clock_now_ns() < give_up_ns)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	return status;
}

int epoch_is_claimed(const struct arena *arena)
{
	struct flock range = claim_range();
	return fcntl(arena->fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

void epoch_mark(const struct arena *arena, struct epoch_mark *mark)
{
	// What was unlinked is visible before the epochs are read (epoch_enter is the other half).
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++)
		mark->epochs[i] = __atomic_load_n(
			&arena->header->workers[i].epoch, __ATOMIC_SEQ_CST);
}

// 1 when the worker will not come back: its process has exited.
static int worker_is_dead(const struct arena *arena, uint32_t worker)
{
	uint64_t heartbeat = __atomic_load_n(
		&arena->header->workers[worker].heartbeat_ns, __ATOMIC_ACQUIRE);
	// A heartbeat may be a moment ahead of this process's clock; one of the far future is none.
	int64_t age_ns = (int64_t)(clock_now_ns() - heartbeat);
	if (age_ns > -(int64_t)EPOCH_SILENCE_NS && age_ns < (int64_t)EPOCH_SILENCE_NS)
		return 0;
	return !epoch_is_claimed(arena);
}

int epoch_has_passed(const struct arena *arena, const struct epoch_mark *mark)
{
	for (uint32_t i = 0; i < EGRET_WORKER_MAX; i++) {
		if (mark->epochs[i] % 2 == 0)
			continue;
		if (__atomic_load_n(&arena->header->workers[i].epoch, __ATOMIC_ACQUIRE) !=
			mark->epochs[i])
			continue;
		if (!__atomic_load_n(&arena->header->workers[i].is_online, __ATOMIC_ACQUIRE))
			continue;
		if (!worker_is_dead(arena, i))
			return 0;
	}
	return 1;
}

int epoch_wait(const struct arena *arena, const struct epoch_mark *mark, uint64_t wait_ns)
{
	enum { SPINS = 256, STEP_NS_MIN = 20000, STEP_NS_MAX = 1000000 };
	for (int i = 0; i < SPINS; i++) {
		if (epoch_has_passed(arena, mark))
			return 1;
		sched_yield();
	}
	uint64_t end = clock_now_ns() + wait_ns;
	struct timespec step = {.tv_nsec = STEP_NS_MIN};
	while (clock_now_ns() < end) {
		nanosleep(&step, NULL);
		if (epoch_has_passed(arena, mark))
			return 1;
		if (step.tv_nsec < STEP_NS_MAX)
			step.tv_nsec *= 2;
	}
	return 0;
}
