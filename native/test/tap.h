// SPDX-License-Identifier: Apache-2.0

// TAP 13 for the C tests: tap_ok for each fact, tap_done at the end of main.
//
//   tap_ok(count == 3, "three rows, not %u", count);
//   return tap_done();
//
// A failed test prints its file and line and continues; tap_done prints the plan and gives main's result.
#pragma once
#include <stdio.h>

// How long anything is waited for, in milliseconds. A wait ends on its event; the bound only makes a
// test that hangs stop, on a machine that does much else at the same time.
enum { TAP_PATIENCE_MS = 120000 };

static int tap_count, tap_failed;

#define tap_ok(condition, ...) \
	tap_result(!!(condition), #condition, __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 5, 6))) static inline int tap_result(
	int is_ok, const char *condition, const char *file, int line, const char *format, ...)
{
	tap_count++;
	printf("%sok %d - ", is_ok ? "" : "not ", tap_count);
	__builtin_va_list arguments;
	__builtin_va_start(arguments, format);
	vprintf(format, arguments);
	__builtin_va_end(arguments);
	printf("\n");
	if (!is_ok) {
		tap_failed++;
		printf("# %s:%d: %s is false\n", file, line, condition);
	}
	fflush(stdout);
	return is_ok;
}

// Prints the plan. Returns 0 when every test passed, otherwise 1.
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed > 0)
		printf("# %d of %d failed\n", tap_failed, tap_count);
	return tap_failed > 0 || tap_count == 0;
}
