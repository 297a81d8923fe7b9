// SPDX-License-Identifier: Apache-2.0

// A session in time: what each packet does to its state, and when it ends.
//
// RFC 4787 REQ-5 and REQ-6 (both directions refresh), RFC 5382 REQ-5, RFC 5508 REQ-2, RFC 6888 REQ-8,
// RFC 7857 §2 (a RST leads to the transitory timer; data after it back to where the session was), RFC 5961
// §3.2 (which RST counts).
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

enum { TCP_WINDOW_MAX = 1 << 30 }; // RFC 7323 §2.3: no window is as large

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

// What a RST is.
enum rst {
	RST_COUNTS,
	RST_PASSES, // its receiver decides
	RST_REFUSED,
};

// RFC 5961 §3.2 as far as one on the way can follow it: a RST that names the very byte its receiver
// expects, which is what that side acknowledged last, counts. One that may be in the window passes and
// changes nothing: its receiver answers with a challenge, and the answer to that is exact. What is in no
// window is dropped, as Linux (nf_conntrack) and pf do, but from outside alone: what the remote
// acknowledged is known from packets that anyone may have forged, and must not stop a client's RST.
// What a RST from outside is compared with can be set by a client only.
//
// The short timer has nothing to lose, so that before the handshake is through any RST counts.
static enum rst judge_rst(const struct session_record *s, int is_outbound, uint32_t sequence)
{
	if (s->phase != EGRET_SESSION_STATE_TCP_ESTABLISHED &&
		s->phase != EGRET_SESSION_STATE_TCP_CLOSING)
		return RST_COUNTS;
	uint32_t expected = is_outbound ? s->ack_in : s->ack_out;
	if (expected == 0)
		return RST_PASSES;
	if (sequence == expected)
		return RST_COUNTS;
	return is_outbound || sequence - expected < TCP_WINDOW_MAX ? RST_PASSES : RST_REFUSED;
}

// Keeps where each side stands: what it acknowledged, and behind a SYN what is to be acknowledged.
static void track_acknowledgments(
	struct session_record *s, int is_outbound, uint8_t flags, const uint8_t *tcp)
{
	uint32_t *own = is_outbound ? &s->ack_out : &s->ack_in;
	uint32_t *other = is_outbound ? &s->ack_in : &s->ack_out;
	if (flags & TCP_ACK)
		*own = read32(tcp + TCP_ACKNOWLEDGMENT);
	if ((flags & TCP_SYN) && *other == 0)
		*other = read32(tcp + TCP_SEQUENCE) + 1;
}

// What a packet did to a session.
enum touch {
	TOUCH_REFRESHES,
	TOUCH_PASSES, // the timer stays as it is
	TOUCH_REFUSED,
};

static enum touch track_tcp(
	struct session_record *s, enum session_direction direction, const uint8_t *tcp)
{
	int is_outbound = direction == SESSION_OUTBOUND;
	uint8_t seen = s->tcp_seen, flags = tcp[TCP_FLAGS];
	enum touch touch = TOUCH_REFRESHES;
	if (flags & TCP_RST) {
		enum rst rst = judge_rst(s, is_outbound, read32(tcp + TCP_SEQUENCE));
		if (rst != RST_COUNTS)
			return rst == RST_PASSES ? TOUCH_PASSES : TOUCH_REFUSED;
		if (seen & SESSION_RST)
			touch = TOUCH_PASSES;
		seen |= SESSION_RST;
	} else if ((flags & TCP_SYN) && !(flags & TCP_ACK) && is_outbound &&
		s->phase == EGRET_SESSION_STATE_TCP_CLOSED) {
		seen = SESSION_SYN_OUT;
		s->ack_out = s->ack_in = 0;
	} else {
		if (flags & TCP_SYN)
			seen |= is_outbound ? SESSION_SYN_OUT : SESSION_SYN_IN;
		else
			seen &= (uint8_t)~SESSION_RST;
		if (flags & TCP_FIN)
			seen |= is_outbound ? SESSION_FIN_OUT : SESSION_FIN_IN;
	}
	if (!(flags & TCP_RST))
		track_acknowledgments(s, is_outbound, flags, tcp);
	s->tcp_seen = seen;
	s->phase = tcp_phase(seen);
	return touch;
}

int session_touch(struct session_table *table, const struct egret_plan *plan, uint32_t session,
	enum session_direction direction, const uint8_t *tcp, uint32_t now_tick)
{
	struct session_record *s = &table->sessions[session];
	if (s->protocol != IPPROTO_TCP) {
		if (s->last_tick != now_tick)
			s->last_tick = now_tick;
		if (!timer_is_set(&table->timers, session))
			timer_set(&table->timers, session, deadline_tick(plan, s));
		return 0;
	}
	uint8_t phase = s->phase;
	enum touch touch = track_tcp(s, direction, tcp);
	if (touch == TOUCH_REFUSED)
		return -1;
	if (touch == TOUCH_REFRESHES && s->last_tick != now_tick)
		s->last_tick = now_tick;
	if (s->phase != phase || !timer_is_set(&table->timers, session))
		timer_set_sooner(&table->timers, session, deadline_tick(plan, s));
	return 0;
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
