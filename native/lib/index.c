// SPDX-License-Identifier: Apache-2.0

// The hash index's slow half: making, insertion, removal. See index.h.
#include "lib/index.h"

#include "lib/pages.h"

#include <stddef.h>

enum { BUCKETS_MIN = 16 };

int index_make(struct index *index, uint32_t keys, const uint64_t secret[2])
{
	uint64_t buckets = BUCKETS_MIN;
	while (buckets * INDEX_BUCKET_ENTRIES < (uint64_t)keys * 2)
		buckets *= 2;
	index->buckets = pages_make(buckets * sizeof(struct index_bucket));
	if (!index->buckets)
		return -1;
	index->mask = (uint32_t)(buckets - 1);
	index->secret[0] = secret[0];
	index->secret[1] = secret[1];
	return 0;
}

static uint64_t buckets_bytes(const struct index *index)
{
	return ((uint64_t)index->mask + 1) * sizeof(struct index_bucket);
}

void index_will_fill(struct index *index)
{
	pages_will_fill(index->buckets, buckets_bytes(index));
}

void index_free(struct index *index)
{
	pages_free(index->buckets, buckets_bytes(index));
	index->buckets = NULL;
}

static uint32_t bucket_used(const struct index_bucket *bucket)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < INDEX_BUCKET_ENTRIES; i++)
		used += bucket->entries[i].tag != 0;
	return used;
}

int index_insert(struct index *index, uint64_t hash, uint32_t value)
{
	struct index_bucket *bucket = index_bucket(index, hash, 0);
	uint32_t used = bucket_used(bucket);
	// The emptier of the two (Azar et al. 1994, balanced allocations). The second is a cache miss
	// of its own and is read only when the first is half full, which is rare below half load.
	if (used >= INDEX_BUCKET_ENTRIES / 2) {
		struct index_bucket *other = index_bucket(index, hash, 1);
		if (bucket_used(other) < used)
			bucket = other;
	}
	for (uint32_t i = 0; i < INDEX_BUCKET_ENTRIES; i++) {
		if (bucket->entries[i].tag == 0) {
			bucket->entries[i] = (struct index_entry){index_tag(hash), value};
			return 0;
		}
	}
	return -1;
}

void index_remove(struct index *index, uint64_t hash, uint32_t value)
{
	for (int side = 0; side < 2; side++) {
		struct index_bucket *bucket = index_bucket(index, hash, side);
		for (uint32_t i = 0; i < INDEX_BUCKET_ENTRIES; i++) {
			struct index_entry *entry = &bucket->entries[i];
			if (entry->tag == index_tag(hash) && entry->value == value) {
				*entry = (struct index_entry){0, 0};
				return;
			}
		}
	}
}
