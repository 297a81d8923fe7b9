// SPDX-License-Identifier: Apache-2.0

// A port over AF_PACKET with virtio-net headers: works on every interface.
//
// Each frame travels with a struct virtio_net_hdr in front (PACKET_VNET_HDR), both ways: it says
// whether the transport checksum is still to be completed and, for a superframe, how to cut it. So a
// superframe of 64 KB is one packet here, and nothing is ever summed twice. recvmmsg and sendmmsg
// move BATCH_PACKETS frames a call.
//
// Rings (TPACKET) are deliberately absent: V3 delays frames until a block fills, and V2 needs a slot
// of 68 KB for every frame. So is PACKET_QDISC_BYPASS: that path drops whatever the interface cannot
// segment or complete in hardware, has no back-pressure, and was no faster when measured on veth.
#include "port/port_packet.h"

#include "egret.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
enum { VIRTIO_NET_HDR_GSO_UDP_L4 = 5 }; // Linux 6.2
#endif

enum {
	SEND_WAIT_NS = 200000, // once a batch, when the interface's queue is full
	DISCARD_PACKETS_MAX = 1 << 20,
	VLAN_TAG_BYTES = 4,
	VLAN_ID_MASK = 0xfff,
	MAC_PAIR_BYTES = 12,
};

struct auxiliary {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

// Everything that the two system calls point at, so that a batch sets only lengths and addresses.
struct packet_port {
	struct virtio_net_hdr offload[BATCH_PACKETS];
	struct iovec parts[BATCH_PACKETS][2];
	struct mmsghdr messages[BATCH_PACKETS];
	struct auxiliary auxiliary[BATCH_PACKETS];
};

// Puts back the tag that the kernel took out of the frame, so that the parse stage sees what was on
// the wire: a tagged frame belongs to another interface. The tag of VLAN 0 says only a priority
// (IEEE 802.1Q §9.6): such a frame is an untagged one, and stays without, as the kernel has it.
static void restore_vlan_tag(struct msghdr *message, struct packet *packet)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	if (!control || control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA)
		return;
	struct tpacket_auxdata aux;
	memcpy(&aux, CMSG_DATA(control), sizeof aux);
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || !(aux.tp_vlan_tci & VLAN_ID_MASK) ||
		packet->bytes < MAC_PAIR_BYTES || packet->bytes + VLAN_TAG_BYTES > PACKET_BYTES_MAX)
		return;
	uint16_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
	uint8_t *at = packet->data + MAC_PAIR_BYTES;
	memmove(at + VLAN_TAG_BYTES, at, packet->bytes - MAC_PAIR_BYTES);
	at[0] = (uint8_t)(tpid >> 8);
	at[1] = (uint8_t)tpid;
	at[2] = (uint8_t)(aux.tp_vlan_tci >> 8);
	at[3] = (uint8_t)aux.tp_vlan_tci;
	packet->bytes += VLAN_TAG_BYTES;
	packet->checksum_start = (uint16_t)(packet->checksum_start + VLAN_TAG_BYTES);
}

static void take_offload(struct packet *packet, const struct virtio_net_hdr *offload)
{
	// DATA_VALID: the NIC or the sender verified the checksum. It is complete as well.
	int is_partial = (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	packet->checksum = is_partial ? CHECKSUM_PARTIAL : CHECKSUM_COMPLETE;
	packet->checksum_start = is_partial ? offload->csum_start : 0;
	packet->checksum_offset = is_partial ? offload->csum_offset : 0;
	packet->gso_type = offload->gso_type;
	packet->gso_bytes = offload->gso_type ? offload->gso_size : 0;
	packet->gso_header_bytes = offload->gso_type ? offload->hdr_len : 0;
}

static uint32_t receive(struct port *port, struct packet *packets, uint32_t n)
{
	struct packet_port *state = port->state;
	if (n > BATCH_PACKETS)
		n = BATCH_PACKETS;
	for (uint32_t i = 0; i < n; i++) {
		state->parts[i][1].iov_base = packets[i].data;
		state->parts[i][1].iov_len = PACKET_BYTES_MAX;
		state->messages[i].msg_hdr.msg_control = &state->auxiliary[i];
		state->messages[i].msg_hdr.msg_controllen = sizeof state->auxiliary[i];
	}
	int got = recvmmsg(port->fd, state->messages, n, MSG_DONTWAIT, NULL);
	if (got < 0 && errno == EINVAL) {
		// A kind of superframe that a virtio-net header cannot describe. The kernel threw it away;
		// an empty frame stands for it, so that it is counted and dropped by name.
		packets[0].bytes = 0;
		take_offload(&packets[0], &(struct virtio_net_hdr){0});
		return 1;
	}
	if (got < 0)
		return 0;
	for (int i = 0; i < got; i++) {
		uint32_t bytes = state->messages[i].msg_len;
		packets[i].bytes = bytes > sizeof state->offload[i]
			? bytes - (uint32_t)sizeof state->offload[i]
			: 0;
		take_offload(&packets[i], &state->offload[i]);
		restore_vlan_tag(&state->messages[i].msg_hdr, &packets[i]);
	}
	return (uint32_t)got;
}

// Bytes of all headers of a superframe: what each segment repeats.
static uint16_t header_bytes(const struct packet *packet)
{
	uint32_t at = packet->checksum == CHECKSUM_PARTIAL ? packet->checksum_start : packet->l4;
	if (packet->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		return (uint16_t)(at + 8);
	if (at + 13 > packet->bytes)
		return (uint16_t)at;
	return (uint16_t)(at + (packet->data[at + 12] >> 4) * 4u); // TCP data offset
}

static void put_offload(struct virtio_net_hdr *offload, const struct packet *packet)
{
	memset(offload, 0, sizeof *offload);
	if (packet->checksum == CHECKSUM_PARTIAL) {
		offload->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		offload->csum_start = packet->checksum_start;
		offload->csum_offset = packet->checksum_offset;
	}
	if (packet->gso_type) {
		offload->gso_type = packet->gso_type;
		offload->gso_size = packet->gso_bytes;
		offload->hdr_len = header_bytes(packet);
	}
}

static void mark_failed(struct packet *packet)
{
	packet->verdict = PACKET_DROP;
	packet->drop = EGRET_DROP_TX_FAILED;
}

// The interface's queue is full: gives it a moment, so that a short burst is not lost.
static void wait_for_room(int fd)
{
	struct timespec moment = {0, SEND_WAIT_NS};
	if (errno == EAGAIN) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};
		ppoll(&wait, 1, &moment, NULL);
	} else {
		nanosleep(&moment, NULL); // ENOBUFS: poll would say writable
	}
}

static void send_batch(struct port *port, struct packet **packets, uint32_t n)
{
	struct packet_port *state = port->state;
	for (uint32_t i = 0; i < n; i++) {
		put_offload(&state->offload[i], packets[i]);
		state->parts[i][1].iov_base = packets[i]->data;
		state->parts[i][1].iov_len = packets[i]->bytes;
		state->messages[i].msg_hdr.msg_control = NULL;
		state->messages[i].msg_hdr.msg_controllen = 0;
	}
	int may_wait = 1;
	for (uint32_t i = 0; i < n;) {
		int sent = sendmmsg(port->fd, state->messages + i, n - i, MSG_DONTWAIT);
		if (sent > 0) {
			for (uint32_t end = i + (uint32_t)sent; i < end; i++)
				packets[i]->verdict = PACKET_SENT;
		} else if (sent < 0 && errno == EINTR) {
			continue;
		} else if (may_wait && (errno == EAGAIN || errno == ENOBUFS)) {
			may_wait = 0;
			wait_for_room(port->fd);
		} else {
			mark_failed(packets[i++]); // of this frame only; the next one may fit
		}
	}
}

static void transmit(struct port *port, struct packet **packets, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += BATCH_PACKETS)
		send_batch(port, packets + i, n - i < BATCH_PACKETS ? n - i : BATCH_PACKETS);
}

static uint64_t discard(struct port *port, uint64_t *bytes)
{
	struct packet_port *state = port->state;
	uint64_t frames = 0;
	*bytes = 0;
	for (uint32_t i = 0; i < BATCH_PACKETS; i++) {
		// The header alone is copied; MSG_TRUNC tells how long the frame was.
		state->messages[i].msg_hdr.msg_iovlen = 1;
		state->messages[i].msg_hdr.msg_control = NULL;
		state->messages[i].msg_hdr.msg_controllen = 0;
	}
	while (frames < DISCARD_PACKETS_MAX) {
		int got = recvmmsg(
			port->fd, state->messages, BATCH_PACKETS, MSG_DONTWAIT | MSG_TRUNC, NULL);
		if (got < 0 && errno == EINVAL) {
			frames++; // see receive
			continue;
		}
		if (got < 0 && errno == ENETDOWN)
			continue; // said once, when the interface went
		if (got <= 0)
			break;
		for (int i = 0; i < got; i++)
			*bytes += state->messages[i].msg_len - sizeof state->offload[i];
		frames += (uint64_t)got;
	}
	for (uint32_t i = 0; i < BATCH_PACKETS; i++)
		state->messages[i].msg_hdr.msg_iovlen = 2;
	return frames;
}

static uint64_t lost(struct port *port)
{
	// Reading resets it. tp_packets includes tp_drops.
	struct tpacket_stats stats = {0};
	socklen_t bytes = sizeof stats;
	if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes))
		return 0;
	return stats.tp_drops;
}

static void close_port(struct port *port)
{
	close(port->fd);
	free(port->state);
	memset(port, 0, sizeof *port);
	port->fd = -1;
}

static const struct port_driver packet_driver = {
	.name = "packet",
	.receive = receive,
	.transmit = transmit,
	.discard = discard,
	.lost = lost,
	.close = close_port,
};

int port_packet_open(struct port *port, uint16_t slot, uint32_t ifindex, int fd)
{
	int family = 0, has_header = 0;
	socklen_t bytes = sizeof family;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) || family != AF_PACKET) {
		close(fd);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	bytes = sizeof has_header;
	if (getsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &has_header, &bytes) || !has_header) {
		close(fd);
		return -EGRET_STATUS_BAD_ARGUMENT;
	}
	struct packet_port *state = calloc(1, sizeof *state);
	if (!state) {
		close(fd);
		return -EGRET_STATUS_NO_SPACE;
	}
	for (uint32_t i = 0; i < BATCH_PACKETS; i++) {
		state->parts[i][0].iov_base = &state->offload[i];
		state->parts[i][0].iov_len = sizeof state->offload[i];
		state->messages[i].msg_hdr.msg_iov = state->parts[i];
		state->messages[i].msg_hdr.msg_iovlen = 2;
	}
	*port = (struct port){.driver = &packet_driver,
		.slot = slot,
		.ifindex = ifindex,
		.fd = fd,
		.state = state};
	return 0;
}

int port_packet_is_bound(const struct port *port)
{
	struct sockaddr_ll address;
	socklen_t bytes = sizeof address;
	return getsockname(port->fd, (struct sockaddr *)&address, &bytes) == 0 &&
		(uint32_t)address.sll_ifindex == port->ifindex;
}
