// The hash index's slow half: making, insertion, removal. See index.h.
#include "lib/index.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 16 };

int index_make(struct index *index, uint32_t keys, const uint64_t secret[2])
{
	uint64_t buckets = BUCKETS_MIN;
	while (buckets * INDEX_BUCKET_ENTRIES < (uint64_t)keys * 2)
		buckets *= 2;
	index->buckets = aligned_alloc(
		sizeof(struct index_bucket), buckets * sizeof(struct index_bucket));
	if (!index->buckets)
		return -1;
	memset(index->buckets, 0, buckets * sizeof(struct index_bucket));
	index->mask = (uint32_t)(buckets - 1);
	index->secret[0] = secret[0];
	index->secret[1] = secret[1];
	return 0;
}

void index_free(struct index *index)
{
	free(index->buckets);
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
	struct index_bucket *other = index_bucket(index, hash, 1);
	// The emptier of the two (Azar et al. 1994, balanced allocations).
	if (bucket_used(other) < bucket_used(bucket))
		bucket = other;
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
