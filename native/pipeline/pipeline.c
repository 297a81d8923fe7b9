// SPDX-License-Identifier: Apache-2.0

// The pipeline: start reading here.
//
//   parse ─▶ session ─▶ classify ─▶ route ─▶ allocate ─▶ rewrite ─▶ transmit ─▶ count
//                │          ▲         ▲          ▲
//                └─ a hit needs none of these three decisions again
//
// Each stage takes the whole batch and touches only packets that are still live. A stage that drops a
// packet names the reason; one that must tell the sender adds an ICMP error to the batch, which passes
// straight to stage_transmit. What answers a packet of egretd's leaves in front of it (trial.h). Verdicts are counted in one place, packet/verdict.c.
#include "pipeline/pipeline.h"

#include "packet/verdict.h"
#include "pipeline/icmp.h"
#include "pipeline/stage.h"
#include "pipeline/trial.h"
#include "wire/header.h"

static void count_all(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch.count; i++)
		verdict_count(worker, &worker->batch.packets[i]);
}

void pipeline_run(struct worker *worker)
{
	struct batch *batch = &worker->batch;
	stage_parse(worker, batch);
	stage_session(worker, batch);
	stage_classify(worker, batch);
	stage_route(worker, batch);
	stage_allocate(worker, batch);
	stage_rewrite(worker, batch);
	trial_divert(worker, batch);
	stage_transmit(worker, batch);
	count_all(worker);
}

void pipeline_release(struct worker *worker)
{
	struct batch *batch = &worker->batch;
	uint32_t count = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		struct packet *packet = &batch->packets[i];
		if (packet->verdict == PACKET_DROP && packet->drop == EGRET_DROP_NO_NEIGHBOR)
			icmp_send_error(worker, packet, ICMP_IS_UNREACHABLE, UNREACHABLE_HOST, 0);
	}
	trial_divert(worker, batch);
	stage_transmit(worker, batch);
	count_all(worker);
}
