// SPDX-License-Identifier: Apache-2.0

// Large tables that begin as zeros: address space at once, memory page by page as it is used.
//
// A table is made for as much as the limits allow; what a start costs and what a process takes then
// follow what is in it. Every table made here reads "empty" as all zeros.
#pragma once

#include <stdint.h>

// Returns `bytes` zeros, aligned to a page, or NULL without address space. 0 bytes are a page.
void *pages_make(uint64_t bytes);
// Says that most of a table will be written soon: then large pages come sooner than small ones.
void pages_will_fill(void *pages, uint64_t bytes);
// Gives back what pages_make made. NULL is nothing.
void pages_free(void *pages, uint64_t bytes);
