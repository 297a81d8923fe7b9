#include "lib/abi_hash.h"

// Given by the build; 1 where nothing is compared.
#ifndef EGRET_ABI_HASH
#define EGRET_ABI_HASH 1ull
#endif

uint64_t abi_hash(void)
{
	return EGRET_ABI_HASH;
}
