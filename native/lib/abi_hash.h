// SPDX-License-Identifier: Apache-2.0

// Which build a process is of, as far as the other process must know. Both hashes are of
// native/abi.layout; the Makefile writes them into a header of its own, so that a change of them
// compiles only abi_hash.c again.
#pragma once

#include <stdint.h>

// A hash of all that both processes share, the same in every binary of one build.
uint64_t abi_hash(void);
// A hash of what the values of session and binding records mean.
uint64_t abi_record_hash(void);
