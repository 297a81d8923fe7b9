// SPDX-License-Identifier: Apache-2.0

// Does a session still lead where it did? Asked again when the plan or a FIB chunk has changed, by the
// session's next packet or by the sweep after a plan change, whichever comes first.
//
// The answer is no when the client is none any more, when its rule, gateway or address would be
// another today, or when the destination is reached through another network. A destination without a
// route, or a gateway whose only address is not ready, keeps its sessions: their packets are dropped
// with an unreachable and go on when it is back.
#include "nat/session_share.h"
#include "pipeline/stage.h"
#include "plan/decide.h"

#include <stddef.h>

// Version of all that decides both routes: to the client, and to the remote in each network that the
// gateway uses. Each version only grows, so that the sum is the same when none has changed.
static uint32_t route_version(const struct worker *worker, const struct session_record *session,
	const struct egret_plan_address *address)
{
	uint32_t sum = fib_version(&worker->fib, 0, session->inside_addr);
	if (!address || address->network_count <= 1)
		return sum + fib_version(&worker->fib, session->network, session->remote_addr);
	for (uint32_t i = 0; i < address->network_count; i++)
		sum += fib_version(&worker->fib, address->networks[i], session->remote_addr);
	return sum;
}

int session_is_current(const struct worker *worker, const struct session_record *session)
{
	const struct egret_plan_address *address = session->is_multihomed
		? plan_address(&worker->plan, session->outside_addr)
		: NULL;
	return session->plan_number == worker->plan.number &&
		session->generation_number == worker->fib.generation_number &&
		session->route_version == route_version(worker, session, address);
}

// The part that depends on the plan alone. Returns 1 when the session may go on.
static int plan_allows(const struct worker *worker, const struct session_record *session,
	const struct egret_plan_address **address)
{
	struct decide_source found;
	enum egret_drop drop = decide_source(
		&worker->plan, session->inside_addr, session->remote_addr, &found);
	int is_own = session->inside_addr == session->outside_addr; // trial.h: of no client
	*address = plan_address(&worker->plan, session->outside_addr);
	if (!*address)
		return 0;
	int is_home = (*address)->network_count == 0
		? session->network == 0
		: plan_address_in_network(*address, session->network);
	if (!is_home || is_own)
		return is_home;
	if (drop == EGRET_DROP_NO_GATEWAY)
		return found.rule && found.rule->action == EGRET_ACTION_GATEWAY &&
			!(*address)->is_ready;
	return drop == 0 && found.address && found.address->address == session->outside_addr;
}

enum session_verdict session_decide(struct worker *worker, struct session_record *session)
{
	const struct egret_plan_address *address;
	if (!plan_allows(worker, session, &address))
		return SESSION_REVOKED;
	// Versions are read before the lookups whose results are kept with them.
	uint32_t version = route_version(worker, session, address);
	uint16_t network;
	uint32_t group;
	if (!address->is_ready) {
		group = EGRET_GROUP_NONE;
	} else if (decide_route(&worker->fib, address, session->remote_addr, &network, &group)) {
		if (group >= EGRET_GROUP_FIRST && network != session->network)
			return SESSION_REVOKED;
	} else {
		group = EGRET_GROUP_NONE;
	}
	session->is_multihomed = address->network_count > 1;
	session->network_group = group;
	session->route_version = version;
	session->client_group = fib_lookup(&worker->fib, 0, session->inside_addr);
	session->generation_number = worker->fib.generation_number;
	session->plan_number = worker->plan.number;
	return SESSION_KEPT;
}

// Another plan may have other clients.
static void settle_share(struct worker *worker, uint32_t at)
{
	struct session_table *table = worker->sessions;
	const struct egret_plan_client *client = plan_client(
		&worker->plan, table->sessions[at].inside_addr);
	if (client)
		session_share_settle(table, at, session_share_of(table, client));
}

int session_sweep(struct worker *worker, uint32_t budget)
{
	struct session_table *table = worker->sessions;
	if (worker->plan.number == 0)
		return 0;
	if (table->sweep_plan != worker->plan.number) {
		table->sweep_plan = worker->plan.number;
		table->sweep_next = 0;
		session_shares_follow(table, &worker->plan);
		table->keeps_remotes = worker->plan.plan->filtering == FILTER_ADDRESS;
	}
	uint32_t quarantine_ticks = session_quarantine_ticks(worker->plan.plan);
	for (; budget > 0 && table->sweep_next < *table->sessions_used; budget--) {
		uint32_t at = table->sweep_next++;
		struct session_record *session = &table->sessions[at];
		if (!session_record_is_live(session))
			continue;
		if (session->plan_number == worker->plan.number ||
			session_decide(worker, session) == SESSION_KEPT) {
			session_retime(table, worker->plan.plan, at);
			session_remote_settle(table, at);
			settle_share(worker, at);
			continue;
		}
		table->counters[EGRET_WORKER_COUNTER_SESSIONS_REVOKED]++;
		session_remove(table, at, worker->now_tick, quarantine_ticks);
	}
	return table->sweep_next < *table->sessions_used;
}
