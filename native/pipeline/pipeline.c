// The pipeline: start reading here.
//
//   parse ─▶ session ─▶ classify ─▶ route ─▶ allocate ─▶ rewrite ─▶ transmit ─▶ count
//                │          ▲         ▲          ▲
//                └─ a hit needs none of these three decisions again
//
// Each stage takes the whole batch and touches only packets that are still live. A stage that drops a
// packet names the reason; one that must tell the sender adds an ICMP error to the batch, which passes
// straight to stage_transmit. Verdicts are counted in one place, pipeline_count, so that for each port
//   received + generated = sent + kernel + dropped + absorbed + held
// holds whenever no batch is in flight.
#include "pipeline/pipeline.h"

#include "wire/header.h"
#include "pipeline/icmp.h"
#include "pipeline/stage.h"

static void count_all(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch.count; i++)
		pipeline_count(worker, &worker->batch.packets[i]);
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
	stage_transmit(worker, batch);
	count_all(worker);
}

static void count_drops(struct worker *worker, uint16_t port, enum egret_drop drop, uint64_t frames)
{
	worker->drop_counters[(uint32_t)port * EGRET_DROP_COUNT + drop] += frames;
}

void pipeline_count(struct worker *worker, struct packet *packet)
{
	switch ((enum packet_verdict)packet->verdict) {
	case PACKET_SENT:
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_SENT, 1);
		worker_count(worker, packet->out_port, EGRET_PORT_COUNTER_TRANSMITTED, 1);
		worker_count(worker, packet->out_port, EGRET_PORT_COUNTER_TRANSMITTED_BYTES,
			packet->bytes);
		break;
	case PACKET_KERNEL:
		worker_count(worker, packet->port, EGRET_PORT_COUNTER_KERNEL, 1);
		break;
	case PACKET_LIVE: // a port's driver gave it no verdict
		count_drops(worker, packet->port, EGRET_DROP_TX_FAILED, 1);
		break;
	case PACKET_DROP:
		count_drops(worker, packet->port, (enum egret_drop)packet->drop, 1);
		break;
	case PACKET_HELD: // whoever holds it counts, up and down
	case PACKET_ABSORBED:
	case PACKET_COUNTED:
		break;
	}
	packet->verdict = PACKET_COUNTED;
}

void pipeline_count_held_drops(
	struct worker *worker, uint16_t port, enum egret_drop drop, uint32_t frames)
{
	worker_count(worker, port, EGRET_PORT_COUNTER_HELD, (uint64_t)0 - frames);
	count_drops(worker, port, drop, frames);
}
