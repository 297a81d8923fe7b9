// SPDX-License-Identifier: Apache-2.0

#include "lib/abi_hash.h"

#include <abi_hash_values.h> // in build/

uint64_t abi_hash(void)
{
	return EGRET_ABI_HASH;
}

uint64_t abi_record_hash(void)
{
	return EGRET_RECORD_HASH;
}
