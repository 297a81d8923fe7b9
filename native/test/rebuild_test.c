// SPDX-License-Identifier: Apache-2.0

// A forwarder that dies between any two stores to its records: what the next one rebuilds is exactly
// what the records say, and forwarding continues.
//
// A script makes, revives, revokes and expires sessions; the store hook counts its marked stores. Then
// the script runs once for each of them and is abandoned right there.
#include "memory_gateway.h"
#include "tap.h"

#include <setjmp.h>
#include <sys/resource.h>

static struct gateway *g;
static jmp_buf death;
static int marks, dies_at;
static uint8_t seen[MARK_COUNT];

// What the records say now.
struct tally {
	uint32_t sessions, bindings, occupied;
};

static struct tally tally_records(void)
{
	const struct session_table *t = g->worker->sessions;
	struct tally tally = {0};
	for (uint32_t i = 0; i < t->session_max; i++)
		tally.sessions += session_record_is_live(&t->sessions[i]) != 0;
	for (uint32_t i = 0; i < t->binding_max; i++) {
		tally.bindings += t->bindings[i].state == BINDING_LIVE;
		tally.occupied += t->bindings[i].state != BINDING_EMPTY;
	}
	return tally;
}

// Are the stores in the order on which the next instance relies? The gauges count what is in the tables:
// a record is released as live after all else of it, and marked empty before all else.
static const char *disorder(int mark)
{
	const uint64_t *counters = g->worker->counters;
	struct tally now = tally_records();
	int64_t sessions = (int64_t)counters[EGRET_WORKER_COUNTER_SESSIONS] - now.sessions;
	int64_t bindings = (int64_t)counters[EGRET_WORKER_COUNTER_BINDINGS] - now.bindings;
	int64_t taken = (int64_t)0 - now.occupied;
	for (uint16_t slot = 0; slot < 3; slot++) {
		struct egret_pool_row row;
		egret_pool_read(g->arena, slot, &row);
		taken += (int64_t)row.tcp_used + row.udp_used + row.icmp_used + row.quarantined;
	}
	switch ((enum session_store_mark)mark) {
	case MARK_PORT_TAKEN:
	case MARK_BINDING_FIELDS:
		return taken == 1 ? NULL : "a binding lives before its fields are written";
	case MARK_SESSION_FIELDS:
		return sessions == 0 ? NULL : "a session lives before its fields are written";
	case MARK_SESSION_ATTACHED:
		return sessions == 1 ? NULL : "a session lives before it can be found";
	case MARK_BINDING_UNTIL:
		return sessions == 0 ? NULL : "a session ends before its port is kept";
	case MARK_SESSION_EMPTY:
		return sessions == 1 ? NULL : "a session is dismantled before it ends";
	case MARK_BINDING_QUARANTINED:
		return bindings == 1 ? NULL : "a port is in quarantine before its binding";
	case MARK_BINDING_EMPTY:
		return taken == 1 ? NULL : "a binding is dismantled before it ends";
	case MARK_PORT_REVIVED:
		return bindings == 0 ? NULL : "a binding lives before its port counts";
	case MARK_BINDING_LIVE:
	case MARK_SESSION_LIVE:
	case MARK_BINDING_SETTLED:
	case MARK_SESSION_DETACHED:
	case MARK_PORT_QUARANTINED:
	case MARK_PORT_GIVEN:
	case MARK_BINDING_REVIVED:
		return sessions == 0 ? NULL : "the sessions are not what they count";
	case MARK_COUNT:
		break;
	}
	return "no such mark";
}

static const char *first_disorder;
static int last_mark;

static void count_mark(int mark)
{
	seen[mark] = 1;
	last_mark = mark;
	if (!first_disorder)
		first_disorder = disorder(mark);
	if (marks++ == dies_at)
		longjmp(death, 1);
}

static struct frame *udp(const char *source, uint16_t from, const char *destination)
{
	return frame_udp(frame_ipv4(source, destination), from, 53, 16);
}

static void run_script(void)
{
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10"));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.11")); // the same binding
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10"));
	gateway_send(g, CLIENT_PORT,
		frame_tcp(frame_ipv4("10.1.0.3", "192.0.2.10"), 5000, 80, TCP_SYN, 0));
	gateway_wait(g, 200000000000ull);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.11"));
	gateway_wait(g, 150000000000ull); // all but the last one end
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.12")); // out of quarantine
	gateway_wait(g, 100000000000ull);
	g->plan.rules[1].first_address = 2; // red's client moves to another address
	gateway_publish(g);
	gateway_wait(g, 100000000);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.11"));
	gateway_wait(g, 130000000000ull); // quarantines end
	g->plan.plan.quarantine_ns = 0;
	gateway_publish(g);
	gateway_wait(g, 400000000000ull);
}

static uint32_t list_length(const struct session_table *t, uint32_t head, int which)
{
	uint32_t n = 0;
	for (; head != EGRET_NONE && n <= t->session_max + t->binding_max; n++)
		head = which == 0    ? t->session_links[head].next
			: which == 1 ? t->binding_links[head].first_session
				     : t->clients[head].next_free;
	return n;
}

static const char *sessions_differ(const struct session_table *t, uint32_t *live)
{
	for (uint32_t i = 0; i < t->session_max; i++) {
		const struct session_record *s = &t->sessions[i];
		if (!session_record_is_live(s))
			continue;
		++*live;
		for (int side = 0; side < 2; side++) {
			struct index_key key = session_key(s, (enum session_direction)side);
			if (session_find(t, index_hash(&t->session_index, key), key,
				    (enum session_direction)side) != i)
				return "a live session is not found by its key";
		}
		if (t->bindings[s->binding].state != BINDING_LIVE)
			return "a session's binding is not live";
		if (!timer_is_set(&t->timers, i))
			return "a session without timer";
		uint32_t of_client = 0;
		for (uint32_t j = 0; j < t->session_max; j++)
			of_client += session_record_is_live(&t->sessions[j]) &&
				t->sessions[j].inside_addr == s->inside_addr;
		if (session_client_count(t, s->inside_addr) != of_client)
			return "the client's count";
	}
	return NULL;
}

// What the private tables say, compared with the records. NULL, or what differs.
static const char *difference(void)
{
	const struct session_table *t = g->worker->sessions;
	uint32_t live = 0, bindings = 0, occupied = 0;
	const char *differ = sessions_differ(t, &live);
	if (differ)
		return differ;
	struct egret_pool_row want[3] = {0};
	for (uint32_t i = 0; i < t->binding_max; i++) {
		const struct binding_record *b = &t->bindings[i];
		if (b->state == BINDING_EMPTY)
			continue;
		occupied++;
		if (!port_pool_is_taken(t->pools, b->address_slot, port_pool_kind(b->protocol),
			    b->outside_port))
			return "a binding's port is free";
		if (b->state == BINDING_QUARANTINED) {
			want[b->address_slot].quarantined++;
			if (!timer_is_set(&t->timers, t->session_max + i))
				return "a quarantine without timer";
			continue;
		}
		bindings++;
		if (t->binding_links[i].session_count == 0)
			return "a live binding without session";
		if (b->protocol == IPPROTO_TCP)
			want[b->address_slot].tcp_used++;
		else
			want[b->address_slot].udp_used++;
	}
	uint32_t taken = 0;
	for (uint16_t slot = 0; slot < 3; slot++) {
		struct egret_pool_row row;
		egret_pool_read(g->arena, slot, &row);
		if (memcmp(&row, &want[slot], sizeof row) != 0)
			return "a pool's counts";
		for (int kind = 0; kind < PORT_POOL_KINDS; kind++)
			for (uint32_t port = 0; port < 65536; port++)
				taken += (uint32_t)port_pool_is_taken(
					t->pools, slot, (enum port_pool_kind)kind, (uint16_t)port);
	}
	if (taken != occupied)
		return "ports that are taken without a binding";
	if (g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS] != live ||
		g->worker->counters[EGRET_WORKER_COUNTER_BINDINGS] != bindings)
		return "the gauges";
	if (list_length(t, t->free_session, 0) != *t->sessions_used - live ||
		list_length(t, t->free_binding, 1) != *t->bindings_used - occupied)
		return "the free lists";
	return NULL;
}

// The next instance: compares, serves, and lets all sessions expire.
static const char *next_instance(void)
{
	session_store_hook = NULL;
	struct tally left = tally_records();
	worker_free(g->worker);
	gateway_start_worker(g);
	g->worker->now_ns = g->now_ns;
	const char *differ = difference();
	if (differ)
		return differ;
	if (tally_records().sessions != left.sessions)
		return "a session is lost";
	if (last_mark >= MARK_BINDING_UNTIL && last_mark <= MARK_PORT_QUARANTINED &&
		g->plan.plan.quarantine_ns > 0 && tally_records().occupied != left.occupied)
		return "a port is free before its quarantine is over";
	if (!gateway_is_balanced(g))
		return "frames of the dead forwarder are not accounted for";
	if (!gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10")) || g->problem)
		return "no service";
	if ((differ = difference()))
		return differ;
	gateway_wait(g, 8000000000000ull);
	gateway_wait(g, 200000000000ull);
	struct egret_pool_row none = {0}, row;
	for (uint16_t slot = 0; slot < 3; slot++) {
		egret_pool_read(g->arena, slot, &row);
		if (memcmp(&row, &none, sizeof row) != 0)
			return "ports that never come back";
	}
	return difference();
}

static void test_every_store(void)
{
	g = gateway_make_with(16, 16);
	dies_at = -1;
	session_store_hook = count_mark;
	run_script();
	session_store_hook = NULL;
	int all = 1;
	for (int mark = 0; mark < MARK_COUNT; mark++)
		all &= seen[mark];
	int total = marks;
	tap_ok(all && total > 20, "the script passes every marked store, %d in all", total);
	tap_ok(!first_disorder, "in the right order: %s", first_disorder ? first_disorder : "yes");
	tap_ok(!difference(), "a whole run: %s",
		difference() ? difference() : "as the records say");
	gateway_free(g);
	for (volatile int at = 0; at < total; at++) {
		g = gateway_make_with(16, 16);
		marks = 0;
		dies_at = at;
		session_store_hook = count_mark;
		if (setjmp(death) == 0)
			run_script();
		const char *differ = next_instance();
		tap_ok(!differ, "death after store %d: %s", at, differ ? differ : "rebuilt");
		gateway_free(g);
	}
}

// Records that no forwarder wrote are emptied, not believed.
static void test_unsound_records(void)
{
	g = gateway_make_with(16, 16);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10"));
	gateway_send(g, CLIENT_PORT, udp("10.1.0.3", 4000, "192.0.2.10"));
	struct session_table *t = g->worker->sessions;
	t->sessions[0].outside_port ^= 1; // not its binding's
	t->sessions[5] = t->sessions[1];
	t->sessions[5].binding = 9999;
	t->bindings[7] = t->bindings[1]; // two owners of one port
	*t->sessions_used = 6;
	*t->bindings_used = 8;
	worker_free(g->worker);
	gateway_start_worker(g);
	tap_ok(g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS] <= 1 && !difference(),
		"unsound records: %s", difference() ? difference() : "emptied");
	gateway_free(g);
	g = gateway_make_with(16, 16);
	gateway_send(g, CLIENT_PORT, udp("10.1.0.2", 4000, "192.0.2.10"));
	g->worker->sessions->sessions[0].network = (uint16_t)fixture_limits.networks;
	worker_free(g->worker);
	gateway_start_worker(g);
	tap_ok(g->worker->counters[EGRET_WORKER_COUNTER_SESSIONS] == 0 && !difference(),
		"a session of a network for which the arena has no room: %s",
		difference() ? difference() : "emptied");
	gateway_free(g);
}

// Pages that a new worker over the gateway's records touches for the first time.
static long pages_of_start(struct gateway *gateway)
{
	struct rusage before, after;
	worker_free(gateway->worker);
	getrusage(RUSAGE_SELF, &before);
	gateway_start_worker(gateway);
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

// A start costs what there is, not what the limits allow.
static void test_costs(void)
{
	long pages[2];
	uint32_t used[3];
	for (int i = 0; i < 2; i++) {
		uint32_t limit = i == 0 ? 16 : 1 << 20;
		g = gateway_make_with(limit, limit);
		for (uint16_t port = 4000; port < 4012; port++)
			gateway_send(g, CLIENT_PORT, udp("10.1.0.2", port, "192.0.2.10"));
		used[0] = *g->worker->sessions->sessions_used;
		pages[i] = pages_of_start(g);
		used[1] = *g->worker->sessions->sessions_used;
		uint32_t rebuilt = (uint32_t)g->worker
					   ->counters[EGRET_WORKER_COUNTER_SESSIONS_REBUILT];
		tap_ok(used[0] == 12 && used[1] == 12 && rebuilt == 12,
			"room for %u: no record past the twelfth was ever used", limit);
		g->worker->now_ns = g->now_ns;
		gateway_wait(g, 8000000000000ull);
		gateway_wait(g, 200000000000ull);
		pages_of_start(g);
		used[2] = *g->worker->sessions->sessions_used + *g->worker->sessions->bindings_used;
		tap_ok(used[2] == 0, "and none is, once they are over and a forwarder starts");
		gateway_free(g);
	}
	tap_ok(pages[1] < pages[0] + 2000,
		"a million records of room cost %ld pages, sixteen cost %ld", pages[1], pages[0]);
}

int main(void)
{
	test_every_store();
	test_costs();
	test_unsound_records();
	return tap_done();
}
