// One thread, one poll over everything: signals, control, neighbor events, ports.
//
// The thread spins only while traffic comes: SPIN_NS after the last packet it sleeps until something
// is ready or the next tick is due, ten times a second while there are sessions or packets that
// wait, once a second otherwise. Nothing waits for a batch to fill.
//
// Plan and FIB are taken up by worker_process and worker_housekeep, and never held while asleep
// (epoch.h). A new plan is met at the next round: egretd wakes the loop up after publishing.
#include "forwarder/loop.h"

#include "control/control.h"
#include "egret.h"
#include "arena/epoch.h"
#include "neighbor/neighbor.h"
#include "packet/worker.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

enum { FIXED_POLLS = 2, POLLS_MAX = FIXED_POLLS + CONTROL_POLLS_MAX + EGRET_PORT_MAX };

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

	// What to poll: signals, netlink, control, ports.
	struct pollfd polls[POLLS_MAX];
	uint32_t control_count, poll_count;
	uint16_t slots[EGRET_PORT_MAX]; // of the ports' entries
};

static void count_lost(struct worker *worker, uint16_t slot)
{
	struct port *port = &worker->ports[slot];
	uint64_t frames = port->driver->lost(port);
	if (frames > 0)
		worker_count(worker, slot, EGRET_PORT_COUNTER_KERNEL_LOST, frames);
}

void loop_discard(struct worker *worker, struct port *port)
{
	uint64_t bytes = 0, frames = port->driver->discard(port, &bytes);
	worker_count(worker, port->slot, EGRET_PORT_COUNTER_RECEIVED, frames);
	worker_count(worker, port->slot, EGRET_PORT_COUNTER_RECEIVED_BYTES, bytes);
	worker->drop_counters[port->slot * EGRET_DROP_COUNT + EGRET_DROP_STALE] += frames;
}

void loop_close_port(struct worker *worker, uint16_t slot)
{
	struct port *port = &worker->ports[slot];
	if (!port->driver)
		return;
	loop_discard(worker, port);
	count_lost(worker, slot);
	port->driver->close(port);
	neighbor_forget_port(worker->neighbors, slot);
}

void loop_set_port(struct worker *worker, const struct port *port)
{
	struct port *old = &worker->ports[port->slot];
	if (old->driver && old->ifindex == port->ifindex) {
		count_lost(worker, port->slot);
		old->driver->close(old);
	} else {
		loop_close_port(worker, port->slot);
	}
	*old = *port;
}

// Closes ports whose interface is gone. A link that is only down keeps its port.
static void close_gone_ports(struct worker *worker)
{
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		if (worker->ports[slot].driver && !port_packet_is_bound(&worker->ports[slot]))
			loop_close_port(worker, slot);
}

static void set_time(struct worker *worker)
{
	worker->now_ns = egret_now_ns();
	worker->now_tick = (uint32_t)(worker->now_ns / EGRET_TICK_NS);
}

static void gather_polls(struct loop *loop, int signal_fd)
{
	struct worker *worker = loop->worker;
	struct pollfd *polls = loop->polls;
	polls[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
	polls[1] = (struct pollfd){
		.fd = neighbor_netlink(worker->neighbors)->fd, .events = POLLIN}; // -1: ignored
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
	uint64_t now_ns = egret_now_ns();
	uint64_t due_ns = loop->tick_ns + tick_interval_ns(loop->worker);
	int must_return = loop->has_more || now_ns >= due_ns || now_ns - loop->packet_ns < SPIN_NS;
	uint64_t wait_ns = must_return ? 0 : due_ns - now_ns;
	struct timespec wait = {
		.tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000)};
	if (ppoll(loop->polls, loop->poll_count, &wait, NULL) < 0)
		for (uint32_t i = 0; i < loop->poll_count; i++)
			loop->polls[i].revents = 0;
}

// One batch from each port that is ready.
static void run_ports(struct loop *loop)
{
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
			neighbor_netlink(worker->neighbors)->is_link_gone = 1;
		if (batch->count == 0)
			continue;
		set_time(worker);
		loop->packet_ns = worker->now_ns;
		worker_process(worker);
	}
}

static void tick(struct loop *loop)
{
	struct worker *worker = loop->worker;
	for (uint16_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		if (worker->ports[slot].driver)
			count_lost(worker, slot);
	loop->tick_ns = worker->now_ns;
	if (worker->now_ns - loop->check_ns < IDLE_TICK_NS)
		return;
	loop->check_ns = worker->now_ns;
	// Events can be lost, or nobody handed over a netlink socket yet.
	close_gone_ports(worker);
	if (neighbor_netlink(worker->neighbors)->is_dump_refused)
		neighbor_netlink_refresh(worker);
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
	struct neighbor_netlink *netlink = neighbor_netlink(worker->neighbors);
	int must_housekeep = loop->has_more || is_plan_new(loop);
	if (loop->polls[1].revents) {
		neighbor_netlink_read(worker);
		must_housekeep = 1; // what waited may go
	}
	run_ports(loop);
	if (netlink->is_link_gone) {
		netlink->is_link_gone = 0;
		close_gone_ports(worker);
	}
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
	epoch_online(worker->arena, 0, egret_now_ns());
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
