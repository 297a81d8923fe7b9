// SPDX-License-Identifier: Apache-2.0

// One thread, one poll over everything: signals, control, neighbor events, ports.
//
// The thread spins only while traffic comes: SPIN_NS after the last packet it sleeps until something
// is ready or the next tick is due, ten times a second while there are sessions or packets that
// wait, once a second otherwise. Nothing waits for a batch to fill.
//
// Plan and FIB are taken up by worker_process and worker_housekeep, and never held while asleep
// (epoch.h). A new plan is met at the next round: egretd wakes the loop up after publishing.
#include "forwarder/loop.h"

#include "arena/epoch.h"
#include "egret.h"
#include "forwarder/control_server.h"
#include "forwarder/ports.h"
#include "forwarder/worker_run.h"
#include "lib/clock.h"
#include "neighbor/neighbor.h"
#include "pipeline/trial.h"
#include "port/port_packet.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

enum { FIXED_POLLS = 3, POLLS_MAX = FIXED_POLLS + CONTROL_POLLS_MAX + EGRET_PORT_MAX };

#define SPIN_NS 50000ull
#define TICK_NS ((uint64_t)EGRET_TICK_NS)
#define IDLE_TICK_NS 1000000000ull

struct loop {
	struct worker *worker;
	struct control_server *control;
	uint64_t packet_ns; // when the last packet came
	uint64_t tick_ns; // when the last tick was
	uint64_t check_ns; // when the ports were last looked after
	uint32_t plan_number; // that housekeeping met last
	int has_more; // housekeeping did not finish

	// What to poll: signals, netlink, trials, control, ports.
	struct pollfd polls[POLLS_MAX];
	uint32_t control_count, poll_count;
	uint16_t slots[EGRET_PORT_MAX]; // of the ports' entries
};

static void set_time(struct worker *worker)
{
	worker->now_ns = clock_now_ns();
	worker->now_tick = (uint32_t)(worker->now_ns / EGRET_TICK_NS);
}

static void gather_polls(struct loop *loop, int signal_fd)
{
	struct worker *worker = loop->worker;
	struct pollfd *polls = loop->polls;
	polls[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
	polls[1] = (struct pollfd){
		.fd = neighbor_netlink_fd(worker->neighbors), .events = POLLIN}; // -1: ignored
	polls[2] = (struct pollfd){
		.fd = trials_socket(worker->trials), .events = POLLIN}; // -1: ignored
	loop->control_count = control_server_polls(loop->control, polls + FIXED_POLLS);
	loop->poll_count = FIXED_POLLS + loop->control_count;
	uint32_t ports = 0;
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++) {
		if (!worker->ports[slot].driver)
			continue;
		polls[loop->poll_count++] = (struct pollfd){
			.fd = worker->ports[slot].fd, .events = POLLIN};
		loop->slots[ports++] = slot;
	}
}

// 1 when time matters: sessions expire, packets wait, neighbors are asked.
static int has_timers(const struct worker *worker)
{
	return worker->counters[EGRET_WORKER_COUNTER_SESSIONS] > 0 ||
		worker->counters[EGRET_WORKER_COUNTER_BINDINGS] > 0 ||
		neighbor_held(worker->neighbors) > 0 || neighbor_is_polling(worker->neighbors);
}

static uint64_t tick_interval_ns(const struct worker *worker)
{
	return has_timers(worker) ? TICK_NS : IDLE_TICK_NS;
}

static void wait_for_work(struct loop *loop)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t due_ns = loop->tick_ns + tick_interval_ns(loop->worker);
	int must_return = loop->has_more || now_ns >= due_ns || now_ns - loop->packet_ns < SPIN_NS;
	uint64_t wait_ns = must_return ? 0 : due_ns - now_ns;
	struct timespec wait = {
		.tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000)};
	if (ppoll(loop->polls, loop->poll_count, &wait, NULL) < 0)
		for (uint32_t i = 0; i < loop->poll_count; i++)
			loop->polls[i].revents = 0;
}

// One batch from each port that is ready. Returns 1 when the interface of one was removed.
static int run_ports(struct loop *loop)
{
	int is_removed = 0;
	struct worker *worker = loop->worker;
	struct batch *batch = &worker->batch;
	uint32_t first = FIXED_POLLS + loop->control_count;
	for (uint32_t i = first; i < loop->poll_count; i++) {
		uint16_t slot = loop->slots[i - first];
		struct port *port = &worker->ports[slot];
		// The port may have been closed or replaced since it was polled.
		if (!loop->polls[i].revents || !port->driver || port->fd != loop->polls[i].fd)
			continue;
		for (uint32_t p = 0; p < BATCH_PACKETS; p++) {
			batch->packets[p].data = worker_buffer(worker, p);
			batch->packets[p].port = slot;
		}
		batch->count = port->driver->receive(port, batch->packets, BATCH_PACKETS);
		if (loop->polls[i].revents & (POLLERR | POLLHUP) && !port_packet_is_bound(port))
			is_removed = 1;
		if (batch->count == 0)
			continue;
		set_time(worker);
		loop->packet_ns = worker->now_ns;
		worker_process(worker);
	}
	return is_removed;
}

// A packet that egretd sends, at most one a round.
static void run_trial(struct worker *worker)
{
	const struct egret_trial *request;
	const uint8_t *ip;
	if (trials_next(worker->trials, &request, &ip))
		worker_try(worker, request, ip);
}

static void tick(struct loop *loop)
{
	struct worker *worker = loop->worker;
	ports_count_lost(worker);
	loop->tick_ns = worker->now_ns;
	if (worker->now_ns - loop->check_ns < IDLE_TICK_NS)
		return;
	loop->check_ns = worker->now_ns;
	// Events can be lost, or there is no netlink socket yet.
	ports_close_removed(worker);
	neighbor_netlink_retry(worker);
	egret_notify("WATCHDOG=1");
}

// 1 when egretd has published a plan that housekeeping has not met yet.
static int is_plan_new(const struct loop *loop)
{
	return __atomic_load_n(&loop->worker->arena->header->plan_number, __ATOMIC_ACQUIRE) !=
		loop->plan_number;
}

static void run_round(struct loop *loop)
{
	struct worker *worker = loop->worker;
	int must_housekeep = loop->has_more || is_plan_new(loop), is_removed = 0;
	if (loop->polls[1].revents) {
		is_removed = neighbor_netlink_read(worker);
		must_housekeep = 1; // what waited may go
	}
	if (loop->polls[2].revents)
		run_trial(worker);
	if (run_ports(loop) || is_removed)
		ports_close_removed(worker);
	set_time(worker);
	if (worker->now_ns - loop->tick_ns >= tick_interval_ns(worker)) {
		tick(loop);
		must_housekeep = 1;
	}
	if (must_housekeep) {
		// It takes the current plan up, also when there is no packet.
		loop->has_more = worker_housekeep(worker);
		loop->plan_number = worker->plan.number;
	}
}

void loop_run(struct worker *worker, struct control_server *control, int signal_fd)
{
	struct loop loop = {.worker = worker, .control = control};
	epoch_online(worker->arena, 0, clock_now_ns());
	while (!control_server_is_stopping(control)) {
		gather_polls(&loop, signal_fd);
		wait_for_work(&loop);
		if (loop.polls[0].revents)
			break;
		set_time(worker);
		control_server_serve(control, loop.polls + FIXED_POLLS, loop.control_count);
		run_round(&loop);
	}
	epoch_offline(worker->arena, 0);
}
