// SPDX-License-Identifier: Apache-2.0

// The real forwarder between two namespaces: traffic, superframes, death and return, an orderly end.
#include "gateway.h"

#include <netinet/udp.h>
#include <poll.h>

#ifndef UDP_SEGMENT
enum { UDP_SEGMENT = 103 };
#endif

enum { CLIENT_PORT = 4000, SERVER_PORT = 7, SEGMENT_BYTES = 1000, SEGMENTS = 30 };

static void send_to(int fd, const char *address, uint16_t port, const void *bytes, size_t n)
{
	struct sockaddr_in target = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(address)};
	sendto(fd, bytes, n, 0, (struct sockaddr *)&target, sizeof target);
}

// Receives one datagram. Returns its bytes, -1 when none comes.
static ssize_t receive_from(int fd, void *bytes, size_t n, struct sockaddr_in *source)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	socklen_t source_bytes = sizeof *source;
	if (poll(&wait, 1, TAP_PATIENCE_MS) != 1)
		return -1;
	return recvfrom(fd, bytes, n, 0, (struct sockaddr *)source, &source_bytes);
}

// One datagram there and its echo back. Returns the source that the server saw, port 0 on failure.
static struct sockaddr_in echo(int client, int server, const char *text)
{
	char bytes[64] = "";
	struct sockaddr_in seen = {0}, answer_source = {0};
	send_to(client, "192.0.2.10", SERVER_PORT, text, strlen(text));
	ssize_t got = receive_from(server, bytes, sizeof bytes, &seen);
	if (got > 0)
		sendto(server, bytes, (size_t)got, 0, (struct sockaddr *)&seen, sizeof seen);
	memset(bytes, 0, sizeof bytes);
	if (got <= 0 || receive_from(client, bytes, sizeof bytes, &answer_source) != got ||
		strcmp(bytes, text) != 0 ||
		answer_source.sin_addr.s_addr != inet_addr("192.0.2.10"))
		seen.sin_port = 0;
	return seen;
}

static void test_echo(int client, int server)
{
	struct sockaddr_in seen = echo(client, server, "first");
	tap_ok(seen.sin_port != 0, "the first packet waits for two neighbors and comes back");
	tap_ok(seen.sin_addr.s_addr == inet_addr("198.51.100.7"),
		"the server saw the gateway's address");
	struct sockaddr_in again = echo(client, server, "second");
	tap_ok(again.sin_port != 0 && again.sin_port == seen.sin_port, "and the same port again");
}

// Sends 30 segments in one call; returns how many arrive whole and in order.
static int send_superframe(int from, int to, const char *address, uint16_t port)
{
	static char bytes[SEGMENT_BYTES * SEGMENTS], got[SEGMENT_BYTES + 1];
	int segment = SEGMENT_BYTES, good = 0;
	struct sockaddr_in source;
	for (int i = 0; i < SEGMENTS; i++)
		memset(bytes + i * SEGMENT_BYTES, 'A' + i, SEGMENT_BYTES);
	setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	send_to(from, address, port, bytes, sizeof bytes);
	for (int i = 0; i < SEGMENTS; i++)
		good += receive_from(to, got, sizeof got, &source) == SEGMENT_BYTES &&
			got[0] == 'A' + i && got[SEGMENT_BYTES - 1] == 'A' + i;
	segment = 0;
	setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	return good;
}

static void test_superframes(int client, int server)
{
	uint64_t before = port_counter(0, EGRET_PORT_COUNTER_RECEIVED);
	int good = send_superframe(client, server, "192.0.2.10", SERVER_PORT);
	tap_ok(good == SEGMENTS, "%d of %d segments of a superframe arrive", good, SEGMENTS);
	tap_ok(port_counter(0, EGRET_PORT_COUNTER_RECEIVED) - before == 1,
		"and were one frame here");
	struct sockaddr_in seen = echo(client, server, "port");
	good = send_superframe(server, client, "198.51.100.7", ntohs(seen.sin_port));
	tap_ok(good == SEGMENTS, "%d of %d come back", good, SEGMENTS);
}

// Sends until something arrives.
static void test_new_mac(int client, int server)
{
	netns_run("nsenter -t %d -n ip link set s0 address 02:00:00:00:00:77", server_ns);
	netns_run("ip neigh replace 172.16.1.140 lladdr 02:00:00:00:00:77 dev g1");
	// Until the forwarder has received the event, packets are sent to the old address.
	struct pollfd wait = {.fd = server, .events = POLLIN};
	for (int ms = 0; ms < TAP_PATIENCE_MS && poll(&wait, 1, 20) == 0; ms += 20)
		send_to(client, "192.0.2.10", SERVER_PORT, "to whom", 7);
	char bytes[64];
	struct sockaddr_in source;
	tap_ok(receive_from(server, bytes, sizeof bytes, &source) == 7,
		"a next hop's new MAC is followed");
	while (poll(&wait, 1, 0) == 1)
		receive_from(server, bytes, sizeof bytes, &source);
}

static void test_acknowledgement(void)
{
	sleep(1); // it sleeps by now
	int64_t number = publish_plan();
	egret_forwarder_wake(control);
	for (int ms = 0; ms < TAP_PATIENCE_MS && egret_plan_acknowledged(arena) != number; ms++)
		usleep(1000);
	tap_ok(egret_plan_acknowledged(arena) == number, "a sleeping forwarder takes a plan up");
}

// Next to a loop that never sleeps, in the same three seconds.
static void test_idle(void)
{
	pid_t loop = fork();
	if (loop == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			__asm__ volatile("");
	}
	uint64_t before = cpu_ms_of(forwarder), loop_before = cpu_ms_of(loop);
	sleep(3);
	uint64_t took = cpu_ms_of(forwarder) - before, wasted = cpu_ms_of(loop) - loop_before;
	kill(loop, SIGKILL);
	waitpid(loop, NULL, 0);
	tap_ok(took * 3 < wasted, "idle, three seconds cost %llu ms, a loop's %llu ms",
		(unsigned long long)took, (unsigned long long)wasted);
}

static void test_death(int client, int server)
{
	uint16_t port = echo(client, server, "before").sin_port;
	kill(forwarder, SIGKILL);
	struct pollfd wait = {.fd = control, .events = POLLIN};
	tap_ok(poll(&wait, 1, TAP_PATIENCE_MS) == 1 && wait.revents & POLLHUP, "its death is seen");
	waitpid(forwarder, NULL, 0);
	close(control);
	for (int i = 0; i < 5; i++)
		send_to(client, "192.0.2.10", SERVER_PORT, "meanwhile", 9);
	start_forwarder();
	hand_over(1);
	uint64_t stale = egret_drop_counters(arena)[EGRET_DROP_STALE];
	tap_ok(stale >= 5, "what came meanwhile is stale: %llu", (unsigned long long)stale);
	char bytes[64] = "";
	struct sockaddr_in source;
	send_to(server, "198.51.100.7", ntohs(port), "still there", 11);
	tap_ok(receive_from(client, bytes, sizeof bytes, &source) == 11 &&
			strcmp(bytes, "still there") == 0,
		"the session lives: the server reaches the client first");
	tap_ok(echo(client, server, "after").sin_port == port, "with the same outside port");
}

static void test_second_forwarder(void)
{
	pid_t second = fork();
	if (second == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		execl(program, program, "--arena", arena_path, "--socket", "/dev/shm/none",
			(char *)NULL);
		_exit(127);
	}
	int status = 0;
	waitpid(second, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 4,
		"a second forwarder does not start on the same arena");
}

static void test_gone_interface(void)
{
	uint16_t slots[EGRET_PORT_MAX];
	uint32_t ifindexes[EGRET_PORT_MAX];
	int fds[EGRET_PORT_MAX], count = 2;
	netns_run("ip link set g0 down && ip link set g0 up");
	usleep(50000);
	count = egret_forwarder_take_ports(control, 0, slots, ifindexes, fds);
	tap_ok(count == 2, "a link that goes down and up keeps its port");
	for (int i = 0; i < count; i++)
		close(fds[i]);
	netns_run("ip link del g1");
	for (int ms = 0; ms < TAP_PATIENCE_MS && count != 1; ms += 2) {
		usleep(2000);
		count = egret_forwarder_take_ports(control, 0, slots, ifindexes, fds);
		for (int j = 0; j < count; j++)
			close(fds[j]);
	}
	tap_ok(count == 1 && slots[0] == 0, "a port whose interface was removed closes itself");
}

static void test_balance(void)
{
	for (uint16_t port = 0; port < 2; port++) {
		uint64_t in = port_counter(port, EGRET_PORT_COUNTER_RECEIVED) +
			port_counter(port, EGRET_PORT_COUNTER_GENERATED);
		uint64_t out = port_counter(port, EGRET_PORT_COUNTER_SENT) +
			port_counter(port, EGRET_PORT_COUNTER_KERNEL) +
			port_counter(port, EGRET_PORT_COUNTER_ABSORBED) +
			port_counter(port, EGRET_PORT_COUNTER_HELD) + drops(port);
		tap_ok(in == out && in > 0, "port %u: %llu in, %llu accounted for", port,
			(unsigned long long)in, (unsigned long long)out);
	}
}

static void test_stop(void)
{
	int status = 0;
	tap_ok(access(pid_path, F_OK) == 0, "there is a pid file");
	tap_ok(egret_forwarder_stop(control) == 0, "it is asked to stop");
	waitpid(forwarder, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "and ends in order");
	tap_ok(access(socket_path, F_OK) == 0 && access(pid_path, F_OK) == 0,
		"leaving socket and pid file for the next one to replace");
	tap_ok(arena->header->workers[0].is_online == 0, "its worker is offline");
	close(control);
	start_forwarder();
	kill(forwarder, SIGTERM);
	waitpid(forwarder, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGTERM ends it in order, too");
}

static void test_other_abi(void)
{
	arena->header->preamble.abi_hash ^= 1;
	int status = 0, pid = fork();
	if (pid == 0) {
		int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(log, STDERR_FILENO);
		execl(program, program, "--arena", arena_path, "--socket", socket_path,
			(char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	char line[512] = "", rest[2];
	FILE *log = fopen(log_path, "r");
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 3, "another abi.h: exit status 3");
	tap_ok(fgets(line, sizeof line, log) && line[0] == '{' && strstr(line, "abi.h") &&
			!fgets(rest, sizeof rest, log),
		"and one line that says so");
	fclose(log);
	arena->header->preamble.abi_hash ^= 1;
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!netns_enter())
		return 0;
	make_gateway(argv[0]);
	int client = socket_in(client_ns, "10.1.0.2", CLIENT_PORT);
	int server = socket_in(server_ns, "192.0.2.10", SERVER_PORT);
	start_forwarder();
	hand_over(0);
	test_echo(client, server);
	test_superframes(client, server);
	test_new_mac(client, server);
	test_acknowledgement();
	test_idle();
	test_death(client, server);
	test_second_forwarder();
	test_gone_interface();
	test_balance();
	test_stop();
	test_other_abi();
	close(client);
	close(server);
	remove_gateway();
	return tap_done();
}
