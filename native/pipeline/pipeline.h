// The order of the stages: see pipeline.c.
#pragma once

#include "packet/worker.h"

// Runs worker->batch through all stages and counts every verdict.
void pipeline_run(struct worker *worker);
// Runs packets that waited for a neighbor through the last stage and counts their verdicts: live ones
// are sent; those dropped with NO_NEIGHBOR are answered with host unreachable.
void pipeline_release(struct worker *worker);
// Counts one packet's verdict; its slot may then be used again.
void pipeline_count(struct worker *worker, struct packet *packet);
// Counts frames that were held and are given up.
void pipeline_count_held_drops(
	struct worker *worker, uint16_t port, enum egret_drop drop, uint32_t frames);
