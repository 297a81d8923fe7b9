// What the library says about itself: the last system error, its ABI hash, its clock.
#include "egret.h"
#include "lib/error.h"

#include <errno.h>
#include <time.h>

// A hash of abi.h's text, given by the build; 1 where nothing is compared.
#ifndef EGRET_ABI_HASH
#define EGRET_ABI_HASH 1ull
#endif

static _Thread_local int system_errno;

int error_system(void)
{
	system_errno = errno;
	return -EGRET_STATUS_SYSTEM;
}

int egret_errno(void)
{
	return system_errno;
}

uint64_t egret_abi_hash(void)
{
	return EGRET_ABI_HASH;
}

uint64_t egret_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}
