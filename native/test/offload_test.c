// SPDX-License-Identifier: Apache-2.0

// Partial checksums and superframes: kept when they can be, cut when they must.
#include "steps.h"

static void test_offload(void)
{
	g = gateway_make();
	struct frame *syn = with_partial(tcp("10.1.0.2", 4000, "192.0.2.10", 80, TCP_SYN));
	struct frame *out = gateway_send(g, CLIENT_PORT, syn);
	tap_ok(out && out->checksum == CHECKSUM_PARTIAL && out->checksum_start == 34 &&
			out->checksum_offset == TCP_CHECKSUM,
		"a partial checksum stays partial");
	CLEAN();
	out = gateway_send(g, CLIENT_PORT,
		with_gso(with_df(frame_tcp(
				 frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 80, TCP_ACK, 40000)),
			1, 1460));
	tap_ok(out && g->out_count == 1 && out->bytes == 40054 && out->gso_bytes == 1460,
		"a superframe with DF passes whole when its segments fit");
	CLEAN();
	struct frame *merged = with_gso(
		frame_tcp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 80, TCP_ACK, 5000), 1, 1460);
	merged->checksum = CHECKSUM_COMPLETE;
	frame_mend_l4(merged);
	out = gateway_send(g, CLIENT_PORT, merged);
	tap_ok(out && out->checksum == CHECKSUM_PARTIAL && out->gso_bytes == 1460,
		"one that a NIC merged leaves with a partial checksum");
	CLEAN();
	g->plan.ports[RED_PORT].mtu = 1400;
	gateway_publish(g);
	out = gateway_send(g, CLIENT_PORT,
		with_gso(with_df(frame_tcp(
				 frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 80, TCP_ACK, 40000)),
			1, 1460));
	tap_ok(is_from(out, "10.1.0.1", "10.1.0.2") && read16(frame_l4(out) + 6) == 1400,
		"and is answered when they do not");
	CLEAN();
	out = gateway_send(g, CLIENT_PORT,
		with_gso(frame_tcp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 80, TCP_ACK, 40000),
			1, 1460));
	tap_ok(out && out->gso_bytes == 1360, "without DF it is cut into smaller segments");
	CLEAN();
	gateway_send(g, CLIENT_PORT,
		with_gso(
			frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 20000), 5, 1440));
	uint32_t whole = 0, largest = 0;
	for (uint32_t i = 0; i < g->out_count; i++) {
		whole += g->out[i]->bytes - 34;
		largest = g->out[i]->bytes > largest ? g->out[i]->bytes : largest;
	}
	tap_ok(g->out_count == 27 && whole == 20000 + 14 * 8 && largest <= 1414,
		"a UDP superframe: %u fragments of its datagrams", g->out_count);
	CLEAN();
	g->plan.ports[RED_PORT].mtu = 300;
	gateway_publish(g);
	gateway_send(
		g, CLIENT_PORT, frame_udp(frame_ipv4("10.1.0.2", "192.0.2.10"), 4000, 53, 65000));
	tap_ok(g->out_count == 233, "more fragments than a batch has room for: %u", g->out_count);
	CLEAN();
	struct frame *no_sum = udp("10.1.0.2", 4000, "192.0.2.10", 53);
	write16(frame_l4(no_sum) + UDP_CHECKSUM, 0);
	out = gateway_send(g, CLIENT_PORT, no_sum);
	tap_ok(out && read16(frame_l4(out) + UDP_CHECKSUM) == 0, "a UDP checksum of 0 stays 0");
	gateway_free(g);
}

int main(void)
{
	test_offload();
	return tap_done();
}
