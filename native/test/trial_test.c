// SPDX-License-Identifier: Apache-2.0

// Trials (pipeline/trial.h): they meet what a client's packet meets, and what answers them comes back
// to egretd's socket alone.
#include "pipeline/trial.h"
#include "steps.h"

#include <sys/socket.h>
#include <unistd.h>

enum { IP_ROOM = EGRET_TRIAL_BYTES - sizeof(struct egret_trial) };

struct message {
	struct egret_trial head;
	uint8_t ip[IP_ROOM];
};

static int egretd; // its end of the stream
static struct message got;
static struct message early; // an answer that the pipeline gave before the fate was known

static void open_stream(void)
{
	int ends[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	egretd = ends[0];
	trials_set_socket(g->worker->trials, ends[1]);
}

// Sends what is in the frame as a trial; the frames that left are in g->out. Returns the drop reason.
static enum egret_drop try_frame(
	uint32_t kind, uint16_t network, uint16_t port, struct frame *frame)
{
	struct message message = {.head = {
					  .number = 7,
					  .kind = kind,
					  .network = network,
					  .port = port,
					  .bytes = frame->bytes - ETHERNET_BYTES,
				  }};
	memcpy(message.ip, frame_ip(frame), message.head.bytes);
	const struct egret_trial *request;
	const uint8_t *ip;
	(void)!write(egretd, &message, sizeof message);
	g->worker->now_ns = g->now_ns;
	if (trials_next(g->worker->trials, &request, &ip))
		worker_try(g->worker, request, ip);
	gateway_collect(g);
	memset(&got, 0, sizeof got);
	memset(&early, 0, sizeof early);
	(void)!recv(egretd, &got, sizeof got, MSG_DONTWAIT);
	if (got.head.kind == EGRET_TRIAL_ANSWER) {
		early = got;
		(void)!recv(egretd, &got, sizeof got, MSG_DONTWAIT);
	}
	if (got.head.kind != EGRET_TRIAL_FATE || got.head.number != 7)
		gateway_bail_out("a trial without fate");
	return got.head.drop;
}

// 1 when one answer has come, for this address.
static int has_answer(const char *address)
{
	got = early;
	memset(&early, 0, sizeof early);
	return (got.head.kind != 0 || recv(egretd, &got, sizeof got, MSG_DONTWAIT) == sizeof got) &&
		got.head.kind == EGRET_TRIAL_ANSWER && got.head.number == 7 &&
		read32(got.ip + IPV4_DESTINATION) == address_of(address) &&
		recv(egretd, &got, 1, MSG_DONTWAIT) < 0;
}

static struct frame *echo(const char *source, const char *destination, uint16_t id)
{
	return frame_echo(frame_ipv4(source, destination), ICMP_IS_ECHO, id, 8);
}

static struct frame *reply(const char *source, const char *destination, uint16_t id)
{
	return frame_echo(frame_ipv4(source, destination), ICMP_IS_ECHO_REPLY, id, 8);
}

static uint16_t echo_id(struct frame *frame)
{
	return read16(frame_l4(frame) + ICMP_ID);
}

static void test_client(void)
{
	g = gateway_make();
	open_stream();
	enum egret_drop drop = try_frame(
		EGRET_TRIAL_CLIENT, 0, 0, echo("10.1.0.2", "192.0.2.10", 99));
	tap_ok(drop == 0 && g->out_count == 1 && g->out[0]->port == RED_PORT &&
			is_from(g->out[0], "10.50.0.2", "192.0.2.10"),
		"a client's trial leaves as the client's packet does");
	tap_ok(got.head.outside_addr == address_of("10.50.0.2") && got.head.network == RED &&
			got.head.next_hop == address_of("172.16.1.140") &&
			got.head.port == RED_PORT,
		"its fate says from where, and to whom");
	uint16_t id = echo_id(g->out[0]);
	tap_ok(!gateway_send(g, RED_PORT, reply("192.0.2.10", "10.50.0.2", id)) &&
			has_answer("10.1.0.2"),
		"its answer is egretd's, and not sent to the client");
	struct frame *own = gateway_send(g, CLIENT_PORT, echo("10.1.0.2", "192.0.2.10", 5));
	own = gateway_send(g, RED_PORT, reply("192.0.2.10", "10.50.0.2", echo_id(own)));
	tap_ok(own && own->port == CLIENT_PORT && !has_answer("10.1.0.2"),
		"an answer for the client itself is the client's");
	gateway_wait(g, 11000000000ull);
	tap_ok(gateway_send(g, RED_PORT, reply("192.0.2.10", "10.50.0.2", id)) &&
			!has_answer("10.1.0.2"),
		"after its time nothing is taken any more");
	tap_ok(try_frame(EGRET_TRIAL_CLIENT, 0, 0, echo("10.1.0.99", "192.0.2.10", 1)) ==
			EGRET_DROP_NOT_A_CLIENT,
		"no client");
	tap_ok(try_frame(EGRET_TRIAL_CLIENT, 0, 0, echo("10.1.0.3", "198.51.100.1", 1)) ==
				EGRET_DROP_NO_ROUTE &&
			g->out_count == 0 && has_answer("10.1.0.3"),
		"no route: the reason, and the ICMP error that the client would get");
	struct frame *short_lived = with_ttl(echo("10.1.0.2", "192.0.2.10", 6), 1);
	tap_ok(try_frame(EGRET_TRIAL_CLIENT, 0, 0, short_lived) == EGRET_DROP_TTL_EXCEEDED &&
			has_answer("10.1.0.2"),
		"TTL 1 ends here");
	tap_ok(try_frame(EGRET_TRIAL_CLIENT, 0, 0, echo("10.1.0.2", "172.16.1.1", 1)) == 0 &&
			got.head.is_local && g->out_count == 0,
		"for the box itself");
	CLEAN();
	close(egretd);
	gateway_free(g);
}

static void test_gateway(void)
{
	g = gateway_make();
	open_stream();
	for (int i = 0; i < 2; i++)
		tap_ok(try_frame(EGRET_TRIAL_GATEWAY, 0, RED_PORT,
			       echo("10.50.0.2", "192.0.2.10", 99)) == 0 &&
				g->out_count == 1 && is_from(g->out[0], "10.50.0.2", "192.0.2.10"),
			"a gateway's own trial, in a session of its own");
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1, "the same for both");
	uint16_t id = echo_id(g->out[0]);
	gateway_send(g, RED_PORT, reply("192.0.2.10", "10.50.0.2", id));
	tap_ok(g->out_count == 0 && has_answer("10.50.0.2"), "its answer is egretd's");
	gateway_wait(g, 11000000000ull);
	DROPPED(RED_PORT, reply("192.0.2.10", "10.50.0.2", id), NO_SESSION, "and later no one's");
	gateway_publish(g);
	gateway_wait(g, 100000000);
	tap_ok(worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 1, "a new plan keeps it");
	g->plan.addresses[0].is_ready = 0;
	gateway_publish(g);
	tap_ok(try_frame(EGRET_TRIAL_GATEWAY, 0, RED_PORT, echo("10.50.0.2", "192.0.2.10", 9)) ==
			EGRET_DROP_NO_GATEWAY,
		"a gateway that is not ready");
	CLEAN();
	close(egretd);
	gateway_free(g);
}

static void test_network(void)
{
	g = gateway_make();
	open_stream();
	tap_ok(try_frame(EGRET_TRIAL_NETWORK, BLUE, BLUE_PORT,
		       echo("172.16.1.1", "192.0.2.10", 99)) == 0 &&
			g->out_count == 1 && g->out[0]->port == BLUE_PORT &&
			is_from(g->out[0], "172.16.1.1", "192.0.2.10") &&
			worker_counter(EGRET_WORKER_COUNTER_SESSIONS) == 0,
		"the box's own trial in a network, by its routes, without session");
	gateway_send(g, RED_PORT, reply("192.0.2.10", "172.16.1.1", 99));
	tap_ok(!has_answer("172.16.1.1"), "the same answer in the other network is not its");
	gateway_send(g, BLUE_PORT, reply("192.0.2.10", "172.16.1.1", 99));
	tap_ok(has_answer("172.16.1.1"), "its answer");
	tap_ok(try_frame(EGRET_TRIAL_NETWORK, BLUE, BLUE_PORT,
		       echo("172.16.1.1", "198.51.100.1", 99)) == EGRET_DROP_NO_ROUTE,
		"no route");
	CLEAN();
	close(egretd);
	gateway_free(g);
}

static void test_malformed(void)
{
	g = gateway_make();
	open_stream();
	struct message message = {.head = {.kind = 9}};
	const struct egret_trial *request;
	const uint8_t *ip;
	(void)!write(egretd, &message, sizeof message);
	tap_ok(!trials_next(g->worker->trials, &request, &ip) &&
			trials_socket(g->worker->trials) < 0,
		"a malformed request costs the stream");
	close(egretd);
	gateway_free(g);
}

int main(void)
{
	test_client();
	test_gateway();
	test_network();
	test_malformed();
	return tap_done();
}
