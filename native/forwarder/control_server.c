// SPDX-License-Identifier: Apache-2.0

// The forwarder's side of the control socket. The protocol stands in control/control.h.
//
// Several connections are ordinary: an egretd that dies keeps its own until the kernel closes it,
// while the next one connects. A process that can open the socket may do everything; a malformed
// message costs the connection and nothing else. No call here waits.
#include "forwarder/control_server.h"

#include "control/control.h"
#include "egret.h"
#include "forwarder/ports.h"
#include "forwarder/worker_run.h"
#include "lib/abi_hash.h"
#include "lib/error.h"
#include "nat/session.h"
#include "neighbor/neighbor.h"
#include "pipeline/trial.h"
#include "port/port_packet.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLEAR_RECORDS = 16384 }; // a slice

struct peer {
	int fd; // -1: free
	uint32_t age; // number of its connection
	uint64_t abi_hash; // 0: no HELLO yet
	struct control_inbox inbox;
};

struct control_server {
	struct worker *worker;
	int fd;
	uint64_t arena_inode;
	uint32_t connections;
	int is_stopping;
	struct peer peers[CONTROL_PEERS_MAX];
};

int control_server_open(const char *path, struct worker *worker, struct control_server **made)
{
	struct control_server *server = calloc(1, sizeof *server);
	if (!server)
		return -EGRET_STATUS_NO_SPACE;
	server->worker = worker;
	struct stat file;
	if (fstat(worker->arena->fd, &file) == 0)
		server->arena_inode = file.st_ino;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	for (uint32_t i = 0; i < CONTROL_PEERS_MAX; i++)
		server->peers[i] = (struct peer){.fd = -1, .inbox.fd = -1};
	size_t room = sizeof address.sun_path;
	if ((size_t)snprintf(address.sun_path, room, "%s", path) >= room) {
		free(server);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	mode_t before = umask(0177);
	int failed = server->fd < 0 ||
		bind(server->fd, (struct sockaddr *)&address, sizeof address) ||
		listen(server->fd, CONTROL_PEERS_MAX);
	int status = failed ? error_system() : 0;
	umask(before);
	if (failed) {
		if (server->fd >= 0)
			close(server->fd);
		free(server);
		return status;
	}
	*made = server;
	return 0;
}

static void close_peer(struct peer *peer)
{
	control_inbox_reset(&peer->inbox);
	close(peer->fd);
	*peer = (struct peer){.fd = -1, .inbox.fd = -1};
}

void control_server_close(struct control_server *server)
{
	for (uint32_t i = 0; i < CONTROL_PEERS_MAX; i++)
		if (server->peers[i].fd >= 0)
			close_peer(&server->peers[i]);
	close(server->fd); // its file stays: the forwarder may remove none by now
	free(server);
}

uint32_t control_server_polls(const struct control_server *server, struct pollfd *polls)
{
	uint32_t count = 0;
	polls[count++] = (struct pollfd){.fd = server->fd, .events = POLLIN};
	for (uint32_t i = 0; i < CONTROL_PEERS_MAX; i++)
		if (server->peers[i].fd >= 0)
			polls[count++] = (struct pollfd){
				.fd = server->peers[i].fd, .events = POLLIN};
	return count;
}

int control_server_is_stopping(const struct control_server *server)
{
	return server->is_stopping;
}

// -- Requests -------------------------------------------------------------------------------------

static uint32_t open_ports(const struct worker *worker)
{
	uint32_t count = 0;
	for (uint32_t slot = 0; slot < EGRET_PORT_MAX; slot++)
		count += worker->ports[slot].driver != NULL;
	return count;
}

static uint32_t sessions(const struct worker *worker)
{
	uint64_t count = worker->counters[EGRET_WORKER_COUNTER_SESSIONS];
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static int add_port(struct worker *worker, const struct control_message *request, int fd)
{
	if (fd < 0)
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (request->slot >= EGRET_PORT_MAX) {
		close(fd);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	uint16_t slot = (uint16_t)request->slot;
	struct port port;
	int status = port_packet_open(&port, slot, request->ifindex, fd);
	if (status < 0)
		return status;
	if (!port_packet_is_bound(&port)) {
		port.driver->close(&port);
		return -EGRET_STATUS_NOT_FOUND;
	}
	if (request->flags & CONTROL_DISCARD)
		ports_discard(worker, &port);
	ports_set(worker, &port);
	neighbor_netlink_refresh(worker);
	return 0;
}

// Takes over the socket of neighbor events. A descriptor of another kind is refused: it might always be
// readable, and keep the loop busy.
static int set_netlink(struct worker *worker, int fd)
{
	int family = 0, protocol = -1;
	socklen_t bytes = sizeof family;
	if (fd < 0)
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) ||
		getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) ||
		family != AF_NETLINK || protocol != NETLINK_ROUTE) {
		close(fd);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	neighbor_netlink_set(worker, fd);
	return 0;
}

// Takes over the stream of trials. A descriptor of another kind is refused, as above.
static int set_trials(struct worker *worker, int fd)
{
	int family = 0, type = 0;
	socklen_t bytes = sizeof family;
	if (fd < 0)
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) || family != AF_UNIX ||
		type != SOCK_STREAM) {
		close(fd);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	trials_set_socket(worker->trials, fd);
	return 0;
}

// Removes sessions in a slice of the table, from *cursor on. Returns how many.
static uint32_t clear_sessions(
	struct worker *worker, const struct control_clear *which, uint32_t *cursor)
{
	uint32_t removed = 0, budget = CLEAR_RECORDS;
	for (; budget > 0 && *cursor < *worker->sessions->sessions_used; budget--, (*cursor)++) {
		const struct session_record *session = &worker->sessions->sessions[*cursor];
		if (!session_record_is_live(session) ||
			(which->network != EGRET_NONE && which->network != session->network) ||
			((session->inside_addr ^ which->inside) & which->inside_mask) ||
			(which->outside != 0 && which->outside != session->outside_addr))
			continue;
		worker_remove_session(worker, *cursor);
		removed++;
	}
	if (*cursor >= *worker->sessions->sessions_used)
		*cursor = EGRET_NONE;
	return removed;
}

// Executes a request; the descriptor that came with it is consumed. Returns the answer's status.
static int execute(struct control_server *server, const struct control_message *request, int fd)
{
	struct worker *worker = server->worker;
	switch (request->kind) {
	case CONTROL_ADD_PORT:
		return add_port(worker, request, fd);
	case CONTROL_SET_NETLINK:
		return set_netlink(worker, fd);
	case CONTROL_SET_TRIALS:
		return set_trials(worker, fd);
	}
	if (fd >= 0)
		close(fd);
	switch (request->kind) {
	case CONTROL_REMOVE_PORT:
		if (request->slot >= EGRET_PORT_MAX)
			return -EGRET_STATUS_BAD_ARGUMENT;
		if (!worker->ports[request->slot].driver)
			return -EGRET_STATUS_NOT_FOUND;
		ports_close(worker, (uint16_t)request->slot);
		return 0;
	case CONTROL_STOP:
		server->is_stopping = 1;
		return 0;
	}
	return 0; // HELLO and TAKE_PORTS: the answer says it all
}

// The descriptors of all ports, each in a message of its own.
static int send_ports(const struct worker *worker, int fd, struct control_message answer)
{
	int status = 0;
	answer.kind = CONTROL_PORT;
	for (uint32_t slot = 0; slot < EGRET_PORT_MAX && status == 0; slot++) {
		const struct port *port = &worker->ports[slot];
		if (!port->driver)
			continue;
		answer.slot = slot;
		answer.ifindex = port->ifindex;
		status = control_send(fd, &answer, port->fd);
	}
	return status;
}

// 1 when a request of this kind may be executed for this peer.
static int is_allowed(const struct peer *peer, uint32_t kind)
{
	return kind == CONTROL_HELLO || kind == CONTROL_TAKE_PORTS || kind == CONTROL_STOP ||
		peer->abi_hash == abi_hash();
}

// Serves one message. Returns a negative status when the connection must end.
static int serve_message(struct control_server *server, struct peer *peer)
{
	struct control_message request = peer->inbox.message;
	int passed_fd = peer->inbox.fd;
	peer->inbox.fd = -1; // ours now
	control_inbox_reset(&peer->inbox);
	if (request.kind == CONTROL_HELLO)
		peer->abi_hash = request.abi_hash;
	int is_known = request.kind >= CONTROL_HELLO && request.kind <= CONTROL_CLEAR_SESSIONS &&
		request.kind != CONTROL_PORT;
	if (!is_known || peer->abi_hash == 0) {
		if (passed_fd >= 0)
			close(passed_fd);
		return -EGRET_STATUS_CLOSED;
	}
	struct control_message answer = {
		.magic = CONTROL_MAGIC,
		.kind = request.kind,
		.abi_hash = abi_hash(),
		.sequence = request.sequence,
		.pid = (uint32_t)getpid(),
	};
	if (is_allowed(peer, request.kind)) {
		answer.status = execute(server, &request, passed_fd);
		answer.system_errno = answer.status == -EGRET_STATUS_SYSTEM ? egret_errno() : 0;
	} else {
		answer.status = -EGRET_STATUS_ABI_MISMATCH;
		if (passed_fd >= 0)
			close(passed_fd);
	}
	if (request.kind == CONTROL_WAKE)
		return 0; // having woken up is all
	if (request.kind == CONTROL_CLEAR_SESSIONS && answer.status == 0) {
		answer.cursor = request.cursor;
		answer.clear.removed = clear_sessions(
			server->worker, &request.clear, &answer.cursor);
	} else {
		answer.count = open_ports(server->worker);
	}
	answer.sessions = sessions(server->worker);
	answer.arena_inode = server->arena_inode;
	int status = control_send(peer->fd, &answer, -1);
	if (status == 0 && request.kind == CONTROL_TAKE_PORTS)
		status = send_ports(server->worker, peer->fd, answer);
	return status;
}

// -- Connections ----------------------------------------------------------------------------------

static void accept_peer(struct control_server *server)
{
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct peer *place = &server->peers[0];
	for (uint32_t i = 1; i < CONTROL_PEERS_MAX && place->fd >= 0; i++) {
		struct peer *peer = &server->peers[i];
		if (peer->fd < 0 || peer->age < place->age)
			place = peer;
	}
	if (place->fd >= 0)
		close_peer(place);
	place->fd = fd;
	place->age = ++server->connections;
}

void control_server_serve(
	struct control_server *server, const struct pollfd *polls, uint32_t poll_count)
{
	for (uint32_t i = 1; i < poll_count; i++) {
		if (!polls[i].revents)
			continue;
		struct peer *peer = server->peers;
		while (peer < server->peers + CONTROL_PEERS_MAX && peer->fd != polls[i].fd)
			peer++;
		if (peer == server->peers + CONTROL_PEERS_MAX)
			continue;
		int status = control_receive(peer->fd, &peer->inbox);
		if (status == 1)
			status = serve_message(server, peer);
		if (status < 0)
			close_peer(peer);
	}
	if (polls[0].revents)
		accept_peer(server); // last, so that the entries above still name their peers
}
