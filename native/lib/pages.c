// SPDX-License-Identifier: Apache-2.0

// Zeros from the kernel. See pages.h.
#include "lib/pages.h"

#include <stddef.h>
#include <sys/mman.h>

static uint64_t at_least_one(uint64_t bytes)
{
	return bytes ? bytes : 1;
}

void *pages_make(uint64_t bytes)
{
	void *pages = mmap(NULL, at_least_one(bytes), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return pages == MAP_FAILED ? NULL : pages;
}

void pages_will_fill(void *pages, uint64_t bytes)
{
	madvise(pages, at_least_one(bytes), MADV_HUGEPAGE); // a kernel without them uses small ones
}

void pages_free(void *pages, uint64_t bytes)
{
	if (pages)
		munmap(pages, at_least_one(bytes));
}
