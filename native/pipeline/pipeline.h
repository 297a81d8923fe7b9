// SPDX-License-Identifier: Apache-2.0

// The order of the stages: see pipeline.c.
#pragma once
#include "packet/worker.h"

// Runs worker->batch through all stages and counts every verdict.
void pipeline_run(struct worker *worker);
// Runs packets that waited for a neighbor through the last stage and counts their verdicts: live ones
// are sent; those dropped with NO_NEIGHBOR are answered with host unreachable.
void pipeline_release(struct worker *worker);
