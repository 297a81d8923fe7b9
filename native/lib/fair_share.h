// SPDX-License-Identifier: Apache-2.0

// Shares of a small resource that many take from: as long as half is free everyone gets more; then each
// that takes has an equal part of half, but one at least. Counts only; that not more is taken than there is
// is the caller's to see to. Who takes is a number below FAIR_SHARE_TAKERS.
#pragma once
#include <stdint.h>

enum { FAIR_SHARE_TAKERS = 1024 };

struct fair_share {
	uint32_t max, used;
	uint32_t active; // takers that have some
	uint16_t counts[FAIR_SHARE_TAKERS];
};

// May it take one more?
static inline int fair_share_allows(const struct fair_share *share, uint32_t taker)
{
	uint32_t count = share->counts[taker];
	return share->used < share->max / 2 || count == 0 ||
		(count + 1) * 2 * share->active <= share->max;
}

static inline void fair_share_take(struct fair_share *share, uint32_t taker)
{
	share->active += share->counts[taker]++ == 0;
	share->used++;
}

static inline void fair_share_give(struct fair_share *share, uint32_t taker)
{
	share->active -= --share->counts[taker] == 0;
	share->used--;
}
