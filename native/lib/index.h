// SPDX-License-Identifier: Apache-2.0

// A hash index: which record has this key? Two buckets of eight entries can hold a key, one cache
// line each, so a lookup costs at most two misses of its own, and one more for the record.
//
// Keys are 128 bits, hashed by SipHash-1-3 (Aumasson and Bernstein 2012) under the arena's per-boot
// secret: without it, no sender can fill a bucket on purpose. The index holds a tag of each hash and a
// value; the caller compares the key itself with the record. It is at most half full, so that both
// buckets of a key are practically never full; if they are, insertion fails and evicts nothing.
#pragma once
#include "abi.h"

#include <stdint.h>

enum { INDEX_BUCKET_ENTRIES = 8 };

struct index_key {
	uint64_t high, low;
};

// tag 0: free.
struct index_entry {
	uint32_t tag, value;
};

struct index_bucket {
	struct index_entry entries[INDEX_BUCKET_ENTRIES];
};
_Static_assert(sizeof(struct index_bucket) == 64, "a bucket is one cache line");

struct index {
	struct index_bucket *buckets;
	uint32_t mask; // buckets - 1
	uint64_t secret[2];
};

// Makes an index for up to `keys` keys. Returns 0, or -1 when there is no memory.
int index_make(struct index *index, uint32_t keys, const uint64_t secret[2]);
void index_free(struct index *index);
// Says that it will be filled soon, and not with a few keys.
void index_will_fill(struct index *index);
// Adds a value under a hash. Returns 0, or -1 when both buckets are full.
int index_insert(struct index *index, uint64_t hash, uint32_t value);
// Removes the entry with this hash and value, if there is one.
void index_remove(struct index *index, uint64_t hash, uint32_t value);

#define INDEX_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))
#define INDEX_SIPROUND(a, b, c, d) \
	do { \
		a += b, b = INDEX_ROTATE(b, 13) ^ a, a = INDEX_ROTATE(a, 32); \
		c += d, d = INDEX_ROTATE(d, 16) ^ c; \
		a += d, d = INDEX_ROTATE(d, 21) ^ a; \
		c += b, b = INDEX_ROTATE(b, 17) ^ c, c = INDEX_ROTATE(c, 32); \
	} while (0)

// SipHash-1-3 of the 16 bytes of a key.
static inline uint64_t index_hash(const struct index *index, struct index_key key)
{
	uint64_t a = index->secret[0] ^ 0x736f6d6570736575ull;
	uint64_t b = index->secret[1] ^ 0x646f72616e646f6dull;
	uint64_t c = index->secret[0] ^ 0x6c7967656e657261ull;
	uint64_t d = index->secret[1] ^ 0x7465646279746573ull;
	const uint64_t words[3] = {key.high, key.low, (uint64_t)16 << 56};
	for (int i = 0; i < 3; i++) {
		d ^= words[i];
		INDEX_SIPROUND(a, b, c, d);
		a ^= words[i];
	}
	c ^= 0xff;
	INDEX_SIPROUND(a, b, c, d);
	INDEX_SIPROUND(a, b, c, d);
	INDEX_SIPROUND(a, b, c, d);
	return a ^ b ^ c ^ d;
}

static inline struct index_bucket *index_bucket(
	const struct index *index, uint64_t hash, int is_second)
{
	uint64_t bits = is_second ? (hash >> 29 ^ hash * 0x9e3779b97f4a7c15ull >> 32) : hash;
	return &index->buckets[bits & index->mask];
}

static inline uint32_t index_tag(uint64_t hash)
{
	uint32_t tag = (uint32_t)(hash >> 32);
	return tag ? tag : 1;
}

static inline void index_prefetch(const struct index *index, uint64_t hash)
{
	__builtin_prefetch(index_bucket(index, hash, 0));
	__builtin_prefetch(index_bucket(index, hash, 1));
}

// The same for index_insert, which seldom needs the second one.
static inline void index_prefetch_insert(const struct index *index, uint64_t hash)
{
	__builtin_prefetch(index_bucket(index, hash, 0), 1);
}

// The next value whose tag fits, from position *cursor on (0 first); EGRET_NONE at the end.
// Hot path: two cache lines at most.
static inline uint32_t index_next(const struct index *index, uint64_t hash, uint32_t *cursor)
{
	uint32_t tag = index_tag(hash);
	for (uint32_t at = *cursor; at < 2 * INDEX_BUCKET_ENTRIES; at++) {
		const struct index_bucket *bucket = index_bucket(
			index, hash, at >= INDEX_BUCKET_ENTRIES);
		const struct index_entry *entry = &bucket->entries[at % INDEX_BUCKET_ENTRIES];
		if (entry->tag == tag) {
			*cursor = at + 1;
			return entry->value;
		}
	}
	return EGRET_NONE;
}
