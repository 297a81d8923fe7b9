// SPDX-License-Identifier: Apache-2.0

// The AF_PACKET driver over a veth pair: frames, offload, tags, failures, losses.
#include "egret.h"
#include "netns.h"
#include "port/port_packet.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IP_AT = 14, L4_AT = 34, WAIT_MS = TAP_PATIENCE_MS };

static struct port left, right;
static uint8_t *buffers[2 * BATCH_PACKETS];
static struct packet packets[2 * BATCH_PACKETS];
static struct packet *pointers[2 * BATCH_PACKETS];

static void reset_packets(void)
{
	for (uint32_t i = 0; i < 2 * BATCH_PACKETS; i++) {
		packets[i] = (struct packet){.data = buffers[i] + PACKET_HEADROOM};
		pointers[i] = &packets[i];
	}
}

// An IPv4 frame of this protocol, broadcast so that nothing answers it.
static void build_frame(struct packet *packet, uint8_t protocol, uint32_t bytes, uint8_t fill)
{
	memset(packet->data, fill, bytes);
	memset(packet->data, 0xff, 6);
	memcpy(packet->data + 6, "\x02\0\0\0\0\x01\x08\0\x45\0", 10);
	packet->data[16] = (uint8_t)((bytes - IP_AT) >> 8);
	packet->data[17] = (uint8_t)(bytes - IP_AT);
	packet->data[IP_AT + 8] = 64;
	packet->data[IP_AT + 9] = protocol;
	packet->bytes = bytes;
	packet->l3 = IP_AT;
	packet->l4 = L4_AT;
}

// Receives until `n` frames came.
static uint32_t receive(struct port *port, uint32_t n)
{
	uint32_t got = 0;
	struct pollfd wait = {.fd = port->fd, .events = POLLIN};
	while (got < n && poll(&wait, 1, WAIT_MS) > 0) {
		uint32_t more = port->driver->receive(port, packets + got, n - got);
		if (more == 0)
			break;
		got += more;
	}
	return got;
}

static void open_pair(void)
{
	int fds[2] = {egret_packet_socket(if_nametoindex("v0")),
		egret_packet_socket(if_nametoindex("v1"))};
	tap_ok(fds[0] >= 0 && fds[1] >= 0, "two ports open");
	tap_ok(port_packet_open(&left, 3, if_nametoindex("v0"), fds[0]) == 0 && left.slot == 3,
		"the driver takes one over");
	port_packet_open(&right, 4, if_nametoindex("v1"), fds[1]);
	tap_ok(port_packet_is_bound(&left), "it is bound to its interface");
}

static void test_refusals(void)
{
	struct port port;
	tap_ok(port_packet_open(&port, 0, 1, socket(AF_INET, SOCK_DGRAM, 0)) ==
			-EGRET_STATUS_BAD_ARGUMENT,
		"a UDP socket is no port");
	tap_ok(port_packet_open(&port, 0, 1, socket(AF_PACKET, SOCK_RAW, 0)) ==
			-EGRET_STATUS_BAD_ARGUMENT,
		"nor is one without virtio-net headers");
	tap_ok(egret_packet_socket(0) == -EGRET_STATUS_SYSTEM && egret_errno() == ENODEV,
		"a port of interface 0 would hear all of them: refused");
	tap_ok(egret_packet_socket(9999) == -EGRET_STATUS_SYSTEM && egret_errno() == ENODEV,
		"no such interface: ENODEV");
}

static void test_batch(void)
{
	reset_packets();
	for (uint8_t i = 0; i < 100; i++)
		build_frame(&packets[i], 17, 64u + i, i);
	left.driver->transmit(&left, pointers, 100);
	uint32_t sent = 0;
	for (uint32_t i = 0; i < 100; i++)
		sent += packets[i].verdict == PACKET_SENT;
	tap_ok(sent == 100, "100 frames, more than one call takes, are sent (%u)", sent);
	reset_packets();
	uint32_t got = receive(&right, 100), right_ones = 0;
	for (uint32_t i = 0; i < got; i++)
		right_ones += packets[i].bytes == 64 + i && packets[i].data[40] == (uint8_t)i &&
			packets[i].checksum == CHECKSUM_COMPLETE && packets[i].gso_type == 0;
	tap_ok(got == 100 && right_ones == 100, "and arrive whole and in order (%u)", got);
	tap_ok(left.driver->receive(&left, packets, BATCH_PACKETS) == 0,
		"the sender does not hear itself");
}

static void test_superframe(void)
{
	enum { BYTES = IP_AT + 65000 }; // 64 KB and more would be cut by the kernel
	reset_packets();
	build_frame(&packets[0], 6, BYTES, 0x5a);
	packets[0].data[L4_AT + 12] = 0x50; // TCP header of 20 bytes
	packets[0].checksum = CHECKSUM_PARTIAL;
	packets[0].checksum_start = L4_AT;
	packets[0].checksum_offset = 16;
	packets[0].gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	packets[0].gso_bytes = 1448;
	left.driver->transmit(&left, pointers, 1);
	tap_ok(packets[0].verdict == PACKET_SENT, "a superframe is sent");
	reset_packets();
	uint32_t got = receive(&right, 1);
	tap_ok(got == 1 && packets[0].bytes == BYTES && packets[0].data[BYTES - 1] == 0x5a,
		"and stays one frame of %u bytes", packets[0].bytes);
	tap_ok(packets[0].gso_type == VIRTIO_NET_HDR_GSO_TCPV4 && packets[0].gso_bytes == 1448 &&
			packets[0].gso_header_bytes == L4_AT + 20,
		"with how to cut it");
	tap_ok(packets[0].checksum == CHECKSUM_PARTIAL && packets[0].checksum_start == L4_AT &&
			packets[0].checksum_offset == 16,
		"and its checksum still to be completed");
}

static void test_udp_superframe(void)
{
	reset_packets();
	build_frame(&packets[0], 17, L4_AT + 8 + 3000, 0x11);
	packets[0].data[L4_AT + 4] = 3008 >> 8;
	packets[0].data[L4_AT + 5] = 3008 & 0xff;
	packets[0].checksum = CHECKSUM_PARTIAL;
	packets[0].checksum_start = L4_AT;
	packets[0].checksum_offset = 6;
	packets[0].gso_type = 5; // VIRTIO_NET_HDR_GSO_UDP_L4
	packets[0].gso_bytes = 1000;
	left.driver->transmit(&left, pointers, 1);
	reset_packets();
	uint32_t got = receive(&right, 1);
	tap_ok(got == 1 && packets[0].gso_type == 5 && packets[0].gso_bytes == 1000 &&
			packets[0].bytes == L4_AT + 8 + 3000,
		"a UDP superframe stays one, too");
}

static void test_vlan(void)
{
	reset_packets();
	build_frame(&packets[0], 17, 64, 1);
	memmove(packets[0].data + 16, packets[0].data + 12, 52);
	memcpy(packets[0].data + 12, "\x81\0\x20\x07", 4); // priority 1, VLAN 7
	packets[0].bytes = 68;
	left.driver->transmit(&left, pointers, 1);
	reset_packets();
	uint32_t got = receive(&right, 1);
	tap_ok(got == 1 && packets[0].bytes == 68 &&
			memcmp(packets[0].data + 12, "\x81\0\x20\x07\x08\0\x45", 7) == 0,
		"a VLAN tag that the kernel took out is back in its place");
	reset_packets();
	build_frame(&packets[0], 17, 64, 1);
	memmove(packets[0].data + 16, packets[0].data + 12, 52);
	memcpy(packets[0].data + 12, "\x81\0\xa0\0", 4); // priority 5, VLAN 0
	packets[0].bytes = 68;
	left.driver->transmit(&left, pointers, 1);
	reset_packets();
	got = receive(&right, 1);
	tap_ok(got == 1 && packets[0].bytes == 64 &&
			memcmp(packets[0].data + 12, "\x08\0\x45", 3) == 0,
		"a frame of VLAN 0 is an untagged one");
}

static void test_one_failure(void)
{
	reset_packets();
	for (uint32_t i = 0; i < 3; i++)
		build_frame(&packets[i], 17, i == 1 ? 4000 : 100, 1); // the second exceeds the MTU
	left.driver->transmit(&left, pointers, 3);
	tap_ok(packets[1].verdict == PACKET_DROP && packets[1].drop == EGRET_DROP_TX_FAILED,
		"a frame that the interface refuses is dropped by name");
	tap_ok(packets[0].verdict == PACKET_SENT && packets[2].verdict == PACKET_SENT,
		"and it alone");
	reset_packets();
	tap_ok(receive(&right, 2) == 2 && right.driver->receive(&right, packets, 1) == 0,
		"the others arrive");
}

static void test_discard_and_lost(void)
{
	int small = 4096, large = 32 << 20;
	reset_packets();
	for (uint32_t i = 0; i < 50; i++)
		build_frame(&packets[i], 17, 200, 1);
	left.driver->transmit(&left, pointers, 50);
	uint64_t bytes = 0, frames = right.driver->discard(&right, &bytes);
	tap_ok(frames == 50 && bytes == 50 * 200, "what is queued is discarded and counted");
	right.driver->lost(&right);
	setsockopt(right.fd, SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof small);
	reset_packets();
	for (uint32_t i = 0; i < 64; i++)
		build_frame(&packets[i], 17, 1400, 1);
	left.driver->transmit(&left, pointers, 64);
	frames = right.driver->discard(&right, &bytes);
	uint64_t lost = right.driver->lost(&right);
	tap_ok(lost > 0 && lost + frames == 64, "64 sent = %llu read + %llu lost",
		(unsigned long long)frames, (unsigned long long)lost);
	tap_ok(right.driver->lost(&right) == 0, "a loss is reported once");
	setsockopt(right.fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
}

static void test_link_states(void)
{
	netns_run("ip link set v0 down");
	reset_packets();
	build_frame(&packets[0], 17, 100, 1);
	left.driver->transmit(&left, pointers, 1);
	tap_ok(packets[0].verdict == PACKET_DROP && packets[0].drop == EGRET_DROP_TX_FAILED,
		"nothing leaves by a link that is down");
	struct pollfd wait = {.fd = left.fd, .events = POLLIN};
	tap_ok(poll(&wait, 1, 0) == 1 && wait.revents & POLLERR, "poll reports the error");
	tap_ok(left.driver->receive(&left, packets, BATCH_PACKETS) == 0 && poll(&wait, 1, 0) == 0,
		"once: it does not keep the loop busy");
	tap_ok(port_packet_is_bound(&left), "the port stays while the interface exists");
	netns_run("ip link set v0 up");
	int is_heard = 0;
	for (int ms = 0; ms < TAP_PATIENCE_MS && !is_heard;
		ms += 20) { // the carrier takes its time
		reset_packets();
		build_frame(&packets[0], 17, 100, 1);
		right.driver->transmit(&right, pointers, 1);
		reset_packets();
		is_heard = poll(&wait, 1, 20) == 1 && receive(&left, 1) == 1;
	}
	tap_ok(is_heard, "and hears again when the link is up");
	netns_run("ip link del v0");
	tap_ok(!port_packet_is_bound(&left), "the removal of an interface is noticed");
	netns_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		  "ip link set v1 up");
	tap_ok(!port_packet_is_bound(&left), "also when another of its name appears");
}

int main(void)
{
	if (!netns_enter())
		return 0;
	netns_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		  "ip link set v1 up");
	for (uint32_t i = 0; i < 2 * BATCH_PACKETS; i++)
		buffers[i] = malloc(PACKET_HEADROOM + PACKET_BYTES_MAX);
	open_pair();
	for (int i = 0; i < 6000 && !netns_run("ip link show v0 | grep -q LOWER_UP"); i++)
		usleep(10000);
	test_refusals();
	test_batch();
	test_superframe();
	test_udp_superframe();
	test_vlan();
	test_one_failure();
	test_discard_and_lost();
	test_link_states();
	left.driver->close(&left);
	right.driver->close(&right);
	tap_ok(!left.driver && left.fd == -1, "a closed port is an empty slot");
	for (uint32_t i = 0; i < 2 * BATCH_PACKETS; i++)
		free(buffers[i]);
	return tap_done();
}
