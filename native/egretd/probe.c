// SPDX-License-Identifier: Apache-2.0

// ICMP echo requests for failure detection (src/health), one raw socket for each.
//
// A socket is bound to the interface and mark of a network, so that two networks may have the same
// target, and connected, so that the kernel delivers only echo replies of that target which arrive by
// that interface. RFC 792 (Echo or Echo Reply Message).
//
// Absent: IPv6; ICMP errors, which say no more than that nothing answers.
#include "egret.h"
#include "lib/error.h"
#include "wire/checksum.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ECHO_DATA_BYTES = 16, // RFC 792 asks for none; middleboxes are used to some
	DATAGRAM_BYTES_MAX = 256, // more is cut off; what is compared comes first
	DATAGRAMS_MAX = 64, // that one call reads
};

struct echo {
	struct icmphdr header;
	uint8_t data[ECHO_DATA_BYTES];
};

static int fail(int fd)
{
	int status = error_system();
	close(fd);
	return status;
}

int egret_echo_open(const char *remote_address, const char *interface, uint32_t mark)
{
	struct sockaddr_in remote = {.sin_family = AF_INET};
	if (!remote_address || inet_pton(AF_INET, remote_address, &remote.sin_addr) != 1)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		return error_system();
	struct icmp_filter replies_only = {.data = ~(1u << ICMP_ECHOREPLY)};
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &replies_only, sizeof replies_only) ||
		(interface && *interface &&
			setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
				(socklen_t)strlen(interface) + 1)) ||
		(mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark)) ||
		connect(fd, (struct sockaddr *)&remote, sizeof remote))
		return fail(fd);
	return fd;
}

int egret_echo_send(int fd, uint16_t id, uint16_t sequence)
{
	struct echo echo = {.header = {.type = ICMP_ECHO}, .data = "egret probe"};
	echo.header.un.echo.id = htons(id);
	echo.header.un.echo.sequence = htons(sequence);
	echo.header.checksum = htons((uint16_t)~checksum_sum((uint8_t *)&echo, sizeof echo));
	return send(fd, &echo, sizeof echo, 0) == (ssize_t)sizeof echo ? 0 : error_system();
}

// Whether a datagram, with its IP header, is the reply to one request. The kernel has checked that
// header, the ICMP checksum, the type and the source.
static int is_reply(const uint8_t *datagram, size_t bytes, uint16_t id, uint16_t sequence)
{
	struct icmphdr header;
	if (bytes < sizeof(struct iphdr))
		return 0;
	size_t offset = (datagram[0] & 0x0fu) * 4u;
	if (bytes < offset + sizeof header)
		return 0;
	memcpy(&header, datagram + offset, sizeof header);
	return header.type == ICMP_ECHOREPLY && header.un.echo.id == htons(id) &&
		header.un.echo.sequence == htons(sequence);
}

int egret_echo_receive(int fd, uint16_t id, uint16_t sequence)
{
	// Replies to others' requests come here too; a flood of them must not keep the caller.
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		uint8_t datagram[DATAGRAM_BYTES_MAX];
		ssize_t bytes = recv(fd, datagram, sizeof datagram, 0);
		if (bytes < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : error_system();
		if (is_reply(datagram, (size_t)bytes, id, sequence))
			return 1;
	}
	return 0;
}
