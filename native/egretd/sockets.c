// SPDX-License-Identifier: Apache-2.0

// Sockets with the options that Node cannot set: AF_PACKET ports, TCP for BGP, the neighbor socket.
//
// RFC 2385 (TCP-MD5), RFC 5082 (GTSM), RFC 4271 §5.1.1 leaves precedence to RFC 791: BGP is sent with
// CS6. TCP-AO (RFC 5925) is deliberately absent: the kernels that we run on are built without it.
#include "egret.h"
#include "egretd/route_socket.h"
#include "lib/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	QUEUE_BYTES = 32 << 20, // of a port, each way
	NEIGHBOR_QUEUE_BYTES = 4 << 20,
	LISTEN_BACKLOG = 128,
	TOS_CS6 = 0xc0, // RFC 2474: network control
	TCP_STATE_ESTABLISHED = 1, // enum in the kernel's net/tcp_states.h
	TCP_STATE_SYN_SENT = 2,
	TCP_STATE_CLOSE_WAIT = 8,
};

#ifndef IPV6_MINHOPCOUNT
enum { IPV6_MINHOPCOUNT = 73 };
#endif

struct address {
	struct sockaddr_storage storage;
	socklen_t bytes;
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

// Closes a socket that could not be set up, and says why.
static int fail(int fd)
{
	int status = error_system();
	close(fd);
	return status;
}

// -- Ports ----------------------------------------------------------------------------------------

int egret_packet_socket(uint32_t ifindex)
{
	// Protocol 0: it hears nothing until it is bound, so no frame of another interface slips in.
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_system();
	if (set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
		set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
		set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
		set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES) ||
		set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_BYTES))
		return fail(fd);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex,
	};
	if (ifindex == 0) {
		errno = ENODEV; // bound to no interface it would hear all of them
		return fail(fd);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof address))
		return fail(fd);
	return fd;
}

int egret_neighbor_socket(void)
{
	static const uint32_t groups[] = {RTNLGRP_NEIGH, RTNLGRP_LINK};
	int fd = route_socket_open(SOCK_NONBLOCK, NEIGHBOR_QUEUE_BYTES);
	if (fd < 0)
		return error_system();
	return route_socket_join(fd, groups, sizeof groups / sizeof *groups) ? fail(fd) : fd;
}

// -- TCP ------------------------------------------------------------------------------------------

// An IPv4 or IPv6 address as text. NULL or "": any address of `family`. Returns 0 when it is neither.
static int parse_address(const char *text, uint16_t port, int family, struct address *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&address->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->storage;
	memset(address, 0, sizeof *address);
	int is_any = !text || !*text;
	if (is_any ? family == AF_INET : inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		address->bytes = sizeof *in;
		return 1;
	}
	if (is_any || inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		address->bytes = sizeof *in6;
		return 1;
	}
	return 0;
}

static int set_ttl(int fd, int family, uint8_t min_ttl, uint8_t ttl)
{
	int is_v4 = family == AF_INET;
	int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	if (ttl != 0 && set_int(fd, level, is_v4 ? IP_TTL : IPV6_UNICAST_HOPS, ttl))
		return -1;
	return set_int(fd, level, is_v4 ? IP_MINTTL : IPV6_MINHOPCOUNT, min_ttl);
}

static int set_md5(int fd, const struct address *remote, const char *key, uint32_t key_bytes)
{
	struct tcp_md5sig signature = {.tcpm_keylen = (uint16_t)key_bytes};
	memcpy(&signature.tcpm_addr, &remote->storage, remote->bytes);
	if (key_bytes > 0)
		memcpy(signature.tcpm_key, key, key_bytes);
	int result = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature);
	explicit_bzero(&signature, sizeof signature);
	return result;
}

// What listening and connecting sockets have in common. Returns the descriptor, bound.
static int open_tcp(const struct egret_tcp_options *options, int family, int is_listening)
{
	struct address local;
	if (!parse_address(options->local_address, options->local_port, family, &local))
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (local.storage.ss_family != family)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_system();
	const char *interface = options->interface;
	int is_v4 = family == AF_INET;
	if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
		(is_listening && set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
		(!is_v4 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
		(interface && *interface &&
			setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
				(socklen_t)strlen(interface) + 1)) ||
		(options->mark && set_int(fd, SOL_SOCKET, SO_MARK, (int)options->mark)) ||
		set_int(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_TOS : IPV6_TCLASS,
			TOS_CS6) ||
		set_ttl(fd, family, options->min_ttl, options->ttl))
		return fail(fd);
	int has_local = options->local_port || (options->local_address && *options->local_address);
	if (has_local && bind(fd, (struct sockaddr *)&local.storage, local.bytes))
		return fail(fd);
	return fd;
}

int egret_tcp_listen(const struct egret_tcp_options *options)
{
	struct address local;
	if (!options ||
		!parse_address(options->local_address, options->local_port, AF_INET, &local))
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open_tcp(options, local.storage.ss_family, 1);
	if (fd < 0)
		return fd;
	return listen(fd, LISTEN_BACKLOG) ? fail(fd) : fd;
}

int egret_tcp_connect(
	const struct egret_tcp_options *options, const char *md5_key, uint32_t md5_bytes)
{
	struct address remote;
	if (!options || !options->remote_address || !*options->remote_address ||
		!parse_address(options->remote_address, options->remote_port, AF_INET, &remote) ||
		md5_bytes > TCP_MD5SIG_MAXKEYLEN || (md5_bytes > 0 && !md5_key))
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open_tcp(options, remote.storage.ss_family, 0);
	if (fd < 0)
		return fd;
	if (md5_bytes > 0 && set_md5(fd, &remote, md5_key, md5_bytes))
		return fail(fd);
	if (connect(fd, (struct sockaddr *)&remote.storage, remote.bytes) && errno != EINPROGRESS)
		return fail(fd);
	return fd;
}

int egret_tcp_md5(int fd, const char *remote_address, const char *md5_key, uint32_t md5_bytes)
{
	struct address remote;
	if (!remote_address || !*remote_address ||
		!parse_address(remote_address, 0, AF_INET, &remote) ||
		md5_bytes > TCP_MD5SIG_MAXKEYLEN || (md5_bytes > 0 && !md5_key))
		return -EGRET_STATUS_BAD_ARGUMENT;
	if (set_md5(fd, &remote, md5_key, md5_bytes) == 0)
		return 0;
	// Removing a key that is not there is no failure.
	return md5_bytes == 0 && errno == ENOENT ? 0 : error_system();
}

int egret_tcp_state(int fd)
{
	int error = 0;
	socklen_t bytes = sizeof error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes))
		return error_system();
	if (error != 0) {
		errno = error;
		return error_system();
	}
	struct tcp_info info = {0};
	bytes = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		return error_system();
	if (info.tcpi_state == TCP_STATE_SYN_SENT)
		return 0;
	// CLOSE_WAIT: connected, and the other side has already said all it has to say.
	if (info.tcpi_state == TCP_STATE_ESTABLISHED || info.tcpi_state == TCP_STATE_CLOSE_WAIT)
		return 1;
	errno = ENOTCONN;
	return error_system();
}

int egret_tcp_min_ttl(int fd, uint8_t min_ttl, uint8_t ttl)
{
	int family = 0;
	socklen_t bytes = sizeof family;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) ||
		set_ttl(fd, family, min_ttl, ttl))
		return error_system();
	return 0;
}

// -- Descriptors ----------------------------------------------------------------------------------

int egret_close(int fd)
{
	return close(fd) ? error_system() : 0;
}

int egret_peer_credentials(int fd, uint32_t *pid, uint32_t *uid)
{
	struct ucred peer;
	socklen_t bytes = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return error_system();
	*pid = (uint32_t)peer.pid;
	*uid = (uint32_t)peer.uid;
	return 0;
}

int egret_lock(const char *path)
{
	if (!path)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system();
	return flock(fd, LOCK_EX | LOCK_NB) ? fail(fd) : fd;
}
