// SPDX-License-Identifier: Apache-2.0

// See session_share.h.
#include "nat/session_share.h"

#include <stdlib.h>

enum { NO_CLIENT = UINT16_MAX, CLIENTS = UINT16_MAX };

int session_shares_make(struct session_shares *shares, uint16_t network_max)
{
	shares->of_network = calloc(network_max, sizeof *shares->of_network);
	shares->from_outside = calloc(network_max, sizeof *shares->from_outside);
	shares->of_client = calloc(CLIENTS, sizeof *shares->of_client);
	shares->networks = shares->clients = 1;
	return shares->of_network && shares->from_outside && shares->of_client ? 0 : -1;
}

void session_shares_free(struct session_shares *shares)
{
	free(shares->of_network);
	free(shares->from_outside);
	free(shares->of_client);
}

void session_shares_follow(struct session_table *table, const struct plan_view *plan)
{
	uint64_t has[EGRET_NETWORK_MAX / 64] = {0};
	uint32_t networks = 0;
	for (uint32_t i = 0; i < plan->plan->address_count; i++) {
		const struct egret_plan_address *address = &plan->addresses[i];
		for (uint32_t k = 0; k == 0 || k < address->network_count; k++) {
			uint16_t network = address->network_count ? address->networks[k] : 0;
			networks += !(has[network / 64] >> network % 64 & 1);
			has[network / 64] |= 1ull << network % 64;
		}
	}
	table->shares.networks = networks ? networks : 1;
	table->shares.clients = plan->plan->client_count ? plan->plan->client_count : 1;
}

uint16_t session_share_of(const struct session_table *table, const struct egret_plan_client *client)
{
	struct index_key key = {client->prefix, client->prefix_length + 1u};
	return (uint16_t)(index_hash(&table->client_index, key) % CLIENTS);
}

int session_share_allows(const struct session_table *table, uint16_t network, uint16_t client,
	enum session_direction begun)
{
	const struct session_shares *shares = &table->shares;
	uint32_t max = table->session_max;
	uint64_t used = table->counters[EGRET_WORKER_COUNTER_SESSIONS];
	if (begun == SESSION_INBOUND && (used * 2 > max || shares->from_outside[network] > max / 8))
		return 0;
	if (used * 4 <= (uint64_t)max * 3)
		return 1;
	return (uint64_t)shares->of_network[network] * shares->networks < max &&
		(uint64_t)shares->of_client[client] * shares->clients < max;
}

void session_share_attach(struct session_table *table, uint32_t session)
{
	table->session_links[session].share = NO_CLIENT;
	table->session_links[session].is_from_outside = 0;
	table->shares.of_network[table->sessions[session].network]++;
}

void session_share_detach(struct session_table *table, uint32_t session)
{
	const struct session_link *link = &table->session_links[session];
	uint16_t network = table->sessions[session].network;
	table->shares.of_network[network]--;
	table->shares.from_outside[network] -= link->is_from_outside;
	if (link->share != NO_CLIENT)
		table->shares.of_client[link->share]--;
}

void session_share_settle(struct session_table *table, uint32_t session, uint16_t client)
{
	struct session_link *link = &table->session_links[session];
	if (link->share != NO_CLIENT)
		table->shares.of_client[link->share]--;
	link->share = client;
	table->shares.of_client[client]++;
}

void session_share_from_outside(struct session_table *table, uint32_t session)
{
	table->session_links[session].is_from_outside = 1;
	table->shares.from_outside[table->sessions[session].network]++;
}
