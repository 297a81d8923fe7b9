// Which build a process is of, as far as the other one must know.
#pragma once
#include <stdint.h>

// A hash of what both processes share (Makefile: ABI_SHARED), the same in every binary of one build.
uint64_t abi_hash(void);
