// A session in time: what each packet does to its state, and when it ends.
//
// RFC 4787 REQ-5 and REQ-6 (both directions refresh), RFC 5382 REQ-5, RFC 5508 REQ-2, RFC 6888 REQ-8,
// RFC 7857 §2 (a RST leads to the transitory timer; data after it back to where the session was).
//
//   opening ──SYN from both──▶ established ──FIN──▶ closing ──FIN from the other──▶ closed
//      ▲                          │  ▲                                               │
//      │                         RST data                                            │
//      │                          ▼  │                                               │
//      └────SYN from inside──── closed ◀─────────────────────────────────────────────┘
#include "nat/session.h"

#include "wire/header.h"
#include "nat/session_private.h"

#include <netinet/in.h>

static uint64_t timeout_ns(const struct egret_plan *plan, const struct session_record *s)
{
	if (s->protocol == IPPROTO_UDP)
		return plan->udp_timeout_ns;
	if (s->protocol == IPPROTO_ICMP)
		return plan->icmp_timeout_ns;
	if (s->phase == EGRET_SESSION_STATE_TCP_ESTABLISHED ||
		s->phase == EGRET_SESSION_STATE_TCP_CLOSING)
		return plan->tcp_established_timeout_ns;
	return plan->tcp_transitory_timeout_ns;
}

// The first tick at which the session has been idle for its timeout: never early, one tick late.
static uint32_t deadline_tick(const struct egret_plan *plan, const struct session_record *s)
{
	uint64_t ticks = timeout_ns(plan, s) / EGRET_TICK_NS;
	if (ticks > INT32_MAX / 2)
		ticks = INT32_MAX / 2;
	return s->last_tick + (uint32_t)ticks + 1;
}

uint32_t session_quarantine_ticks(const struct egret_plan *plan)
{
	uint64_t ticks = (plan->quarantine_ns + EGRET_TICK_NS - 1) / EGRET_TICK_NS;
	return ticks > INT32_MAX / 2 ? INT32_MAX / 2 : (uint32_t)ticks;
}

static uint8_t tcp_phase(uint8_t seen)
{
	const uint8_t both_fin = SESSION_FIN_OUT | SESSION_FIN_IN;
	const uint8_t both_syn = SESSION_SYN_OUT | SESSION_SYN_IN;
	if ((seen & SESSION_RST) || (seen & both_fin) == both_fin)
		return EGRET_SESSION_STATE_TCP_CLOSED;
	if (seen & both_fin)
		return EGRET_SESSION_STATE_TCP_CLOSING;
	if ((seen & both_syn) == both_syn)
		return EGRET_SESSION_STATE_TCP_ESTABLISHED;
	return EGRET_SESSION_STATE_TCP_OPENING;
}

// Returns 1 when the packet refreshes the timer.
static int track_tcp(struct session_record *s, enum session_direction direction, uint8_t flags)
{
	int is_outbound = direction == SESSION_OUTBOUND;
	uint8_t seen = s->tcp_seen;
	int refreshes = 1;
	if (flags & TCP_RST) {
		refreshes = !(seen & SESSION_RST);
		seen |= SESSION_RST;
	} else if ((flags & TCP_SYN) && !(flags & TCP_ACK) && is_outbound &&
		s->phase == EGRET_SESSION_STATE_TCP_CLOSED) {
		seen = SESSION_SYN_OUT;
	} else {
		if (flags & TCP_SYN)
			seen |= is_outbound ? SESSION_SYN_OUT : SESSION_SYN_IN;
		else
			seen &= (uint8_t)~SESSION_RST;
		if (flags & TCP_FIN)
			seen |= is_outbound ? SESSION_FIN_OUT : SESSION_FIN_IN;
	}
	s->tcp_seen = seen;
	s->phase = tcp_phase(seen);
	return refreshes;
}

void session_touch(struct session_table *table, const struct egret_plan *plan, uint32_t session,
	enum session_direction direction, uint8_t tcp_flags, uint32_t now_tick)
{
	struct session_record *s = &table->sessions[session];
	if (s->protocol != IPPROTO_TCP) {
		if (s->last_tick != now_tick)
			s->last_tick = now_tick;
		if (!timer_is_set(&table->timers, session))
			timer_set(&table->timers, session, deadline_tick(plan, s));
		return;
	}
	uint8_t phase = s->phase;
	if (track_tcp(s, direction, tcp_flags) && s->last_tick != now_tick)
		s->last_tick = now_tick;
	if (s->phase != phase || !timer_is_set(&table->timers, session))
		timer_set_sooner(&table->timers, session, deadline_tick(plan, s));
}

void session_retime(struct session_table *table, const struct egret_plan *plan, uint32_t session)
{
	timer_set_sooner(&table->timers, session, deadline_tick(plan, &table->sessions[session]));
}

static void expire_session(
	struct session_table *table, const struct egret_plan *plan, uint32_t at, uint32_t now_tick)
{
	uint32_t deadline = deadline_tick(plan, &table->sessions[at]);
	if ((int32_t)(deadline - now_tick) > 0) {
		timer_set(&table->timers, at, deadline);
		return;
	}
	table->counters[EGRET_WORKER_COUNTER_SESSIONS_EXPIRED]++;
	session_remove(table, at, now_tick, session_quarantine_ticks(plan));
}

static void expire_binding(struct session_table *table, uint32_t at, uint32_t now_tick)
{
	uint32_t deadline = table->bindings[at].until_tick;
	if ((int32_t)(deadline - now_tick) > 0)
		timer_set(&table->timers, table->session_max + at, deadline);
	else
		binding_free(table, at);
}

int session_expire(struct session_table *table, const struct egret_plan *plan, uint32_t now_tick,
	uint32_t budget)
{
	for (uint32_t done = 0; done < budget; done++) {
		uint32_t number = timer_take(&table->timers, now_tick);
		if (number == EGRET_NONE)
			return 0;
		if (number < table->session_max)
			expire_session(table, plan, number, now_tick);
		else
			expire_binding(table, number - table->session_max, now_tick);
	}
	return 1;
}
