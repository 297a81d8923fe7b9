// SPDX-License-Identifier: Apache-2.0

// The FIB as egretd calls it: opens and closes a writer, and checks the arguments of fib_write.h.
#include "fib/fib_apply.h"
#include "egret.h"
#include "fib/fib_write.h"

#include <stdlib.h>
#include <string.h>

int fib_writer_begin(struct arena_handle *handle, uint32_t half)
{
	struct arena *arena = &handle->arena;
	const struct egret_limits *limits = &arena->header->limits;
	fib_writer_free(handle);
	struct fib_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return -EGRET_STATUS_NO_SPACE;
	writer->arena = arena;
	writer->half = half;
	writer->network_max = limits->networks;
	writer->ply_max = limits->plies;
	writer->group_max = fib_group_max(limits);
	writer->tables = calloc(limits->networks, sizeof *writer->tables);
	writer->resume_at = calloc(limits->networks, sizeof *writer->resume_at);
	writer->ply_next = calloc((size_t)limits->plies + 1, sizeof *writer->ply_next);
	writer->ply_network = calloc((size_t)limits->plies + 1, sizeof *writer->ply_network);
	writer->taken = calloc(limits->networks, sizeof *writer->taken);
	writer->reserved = calloc(limits->networks, sizeof *writer->reserved);
	writer->ply_specific = calloc((size_t)limits->plies + 1, sizeof *writer->ply_specific);
	writer->ply_deeper = calloc((size_t)limits->plies + 1, sizeof *writer->ply_deeper);
	handle->writer = writer;
	if (!writer->tables || !writer->resume_at || !writer->ply_next || !writer->ply_network ||
		!writer->taken || !writer->reserved || !writer->ply_specific ||
		!writer->ply_deeper) {
		fib_writer_free(handle);
		return -EGRET_STATUS_NO_SPACE;
	}
	for (uint32_t i = 0; i < limits->networks; i++)
		writer->tables[i].key = arena->header->hash_key[0] ^ arena->header->hash_key[1];
	fib_half_number(arena, half, 0);
	struct fib_view view;
	fib_half_view(arena, half, &view);
	writer->roots = (uint32_t *)view.roots;
	writer->plies = (uint32_t *)view.plies;
	writer->groups = (struct fib_group *)view.groups;
	writer->versions = (uint32_t *)view.versions;
	writer->free_head = writer->limbo_head = writer->waiting_head = EGRET_NONE;
	// Versions go on ascending; plies are filled when they are taken.
	memset(writer->roots, 0,
		(uint64_t)limits->networks * FIB_ROOT_ENTRIES * sizeof *writer->roots);
	for (uint32_t i = 0; i < writer->group_max; i++)
		writer->groups[i].count = 0;
	return 0;
}

void fib_writer_free(struct arena_handle *handle)
{
	struct fib_writer *writer = handle->writer;
	if (!writer)
		return;
	for (uint32_t i = 0; writer->tables && i < writer->network_max; i++)
		prefix_table_clear(&writer->tables[i]);
	free(writer->tables);
	free(writer->resume_at);
	free(writer->ply_next);
	free(writer->ply_network);
	free(writer->taken);
	free(writer->reserved);
	free(writer->ply_specific);
	free(writer->ply_deeper);
	free(writer);
	handle->writer = NULL;
}

static struct fib_writer *writer_of(void *handle)
{
	return ((struct arena_handle *)handle)->writer;
}

static int delta_is_valid(const struct fib_writer *writer, const struct egret_fib_delta *delta)
{
	if (delta->prefix_length > 32 || delta->group >= writer->group_max)
		return 0;
	uint32_t host_bits = delta->prefix_length == 32 ? 0 : UINT32_MAX >> delta->prefix_length;
	return (delta->prefix & host_bits) == 0;
}

int egret_fib_apply(
	void *handle, uint16_t network, const struct egret_fib_delta *deltas, uint32_t n)
{
	struct fib_writer *writer = writer_of(handle);
	if (!writer || network >= writer->network_max || n > INT32_MAX)
		return -EGRET_STATUS_BAD_ARGUMENT;
	writer->status = EGRET_STATUS_OK;
	fib_write_begin_step(writer);
	uint32_t applied = 0;
	for (; applied < n && !fib_write_must_pause(writer); applied++) {
		const struct egret_fib_delta *delta = &deltas[applied];
		if (!delta_is_valid(writer, delta)) {
			writer->status = EGRET_STATUS_BAD_ARGUMENT;
			break;
		}
		if (delta->group == EGRET_GROUP_NONE)
			fib_write_withdraw(writer, network, delta->prefix, delta->prefix_length);
		else if (!fib_write_announce(writer, network, delta)) {
			writer->status = EGRET_STATUS_NO_SPACE;
			break;
		}
		if (fib_write_is_unfinished(writer, network))
			break;
	}
	fib_write_bump(writer, network);
	return (int)applied;
}

int egret_fib_last_status(void *handle)
{
	const struct fib_writer *writer = writer_of(handle);
	return writer ? -(int)writer->status : -EGRET_STATUS_BAD_ARGUMENT;
}

int egret_fib_clear(void *handle, uint16_t network)
{
	struct fib_writer *writer = writer_of(handle);
	if (!writer || network >= writer->network_max)
		return -EGRET_STATUS_BAD_ARGUMENT;
	fib_write_clear(writer, network);
	return 0;
}

int egret_fib_reclaim(void *handle)
{
	struct fib_writer *writer = writer_of(handle);
	return writer ? fib_write_reclaim(writer) : -EGRET_STATUS_BAD_ARGUMENT;
}

int egret_fib_reserve(void *handle, uint16_t network, uint32_t plies)
{
	struct fib_writer *writer = writer_of(handle);
	if (!writer || network >= writer->network_max || plies > writer->ply_max)
		return -EGRET_STATUS_BAD_ARGUMENT;
	fib_write_reserve(writer, network, plies);
	return 0;
}

void egret_fib_usage(void *handle, uint32_t *plies_used, uint32_t *plies_max)
{
	const struct arena *arena = handle;
	const struct fib_writer *writer = writer_of(handle);
	*plies_used = writer ? writer->ply_used : 0;
	*plies_max = arena->header->limits.plies;
}
