// SPDX-License-Identifier: Apache-2.0

// Where each table of the arena lies, for given limits. Pure: no memory is touched.
#pragma once

#include "arena/arena.h"

// Fills in limits, lists, offsets and sizes of a header. Returns 0 when the limits are out of range.
int tables_layout(struct arena_header *header, const struct egret_limits *limits);
