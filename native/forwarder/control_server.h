// SPDX-License-Identifier: Apache-2.0

// The forwarder's side of the control socket (control/control.h): listens, and does what it is asked.
#pragma once
#include <stdint.h>

struct pollfd;
struct worker;

enum {
	CONTROL_PEERS_MAX = 8, // connections; the oldest gives way
	CONTROL_POLLS_MAX = CONTROL_PEERS_MAX + 1,
};

struct control_server;

// Listens at a path (0600; a stale socket there is replaced).
int control_server_open(const char *path, struct worker *worker, struct control_server **server);
// Writes what to poll, at most CONTROL_POLLS_MAX entries, and returns how many.
uint32_t control_server_polls(const struct control_server *server, struct pollfd *polls);
// Serves what became ready of the same entries. Bounded: one message of each connection.
void control_server_serve(
	struct control_server *server, const struct pollfd *polls, uint32_t poll_count);
// 1 once it was asked to stop.
int control_server_is_stopping(const struct control_server *server);
// Closes everything and removes the path.
void control_server_close(struct control_server *server);
