// SPDX-License-Identifier: Apache-2.0

// What fuzzers have in common: numbers out of the input's bytes, zeros when they have run out, and the
// end when something that must hold does not.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *bytes;
	size_t left;
};

static inline uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->bytes++;
}

static inline uint16_t take16(struct input *input)
{
	uint16_t high = take(input);
	return (uint16_t)(high << 8 | take(input));
}

static inline uint32_t take32(struct input *input)
{
	uint32_t high = take16(input);
	return high << 16 | take16(input);
}

static inline void check(int is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "violated: %s\n", what);
	abort();
}
