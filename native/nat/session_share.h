// SPDX-License-Identifier: Apache-2.0

// Who may have a new session while the table fills up.
//
//   half free or more   everyone who asks
//   less than half      sessions that a remote begins are refused first
//   less than a quarter a network or a client that has more than its part of all records is refused;
//                       parts are equal, among the networks and the clients of the plan
//
// So the last quarter is for networks and clients that have few sessions, whatever others do. A remote
// begins at most an eighth of all sessions through any one network. Live sessions are never evicted.
#pragma once

#include "nat/session.h"
#include "plan/plan.h"

// Makes the counts, all 0. Returns 0, or -1 without memory.
int session_shares_make(struct session_shares *shares, uint16_t network_max);
void session_shares_free(struct session_shares *shares);
// Takes the parts from a plan.
void session_shares_follow(struct session_table *table, const struct plan_view *plan);
// The count that a client's sessions go to. Clients are many: by chance, two may have one.
uint16_t session_share_of(
	const struct session_table *table, const struct egret_plan_client *client);
// May there be another session of this client with this network?
int session_share_allows(const struct session_table *table, uint16_t network, uint16_t client,
	enum session_direction begun);

// Counts a session to its network (attach) or for nothing any more (detach). Used by session.c.
void session_share_attach(struct session_table *table, uint32_t session);
void session_share_detach(struct session_table *table, uint32_t session);
// Counts it to its client, and to no other.
void session_share_settle(struct session_table *table, uint32_t session, uint16_t client);
// Counts it as begun by the remote. After a restart of the forwarder it counts as any other.
void session_share_from_outside(struct session_table *table, uint32_t session);
