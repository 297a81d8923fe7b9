// SPDX-License-Identifier: Apache-2.0

// The clock of everything that is measured: CLOCK_MONOTONIC, the same in both processes.
#pragma once
#include <stdint.h>

// Nanoseconds.
uint64_t clock_now_ns(void);
