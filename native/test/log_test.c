// SPDX-License-Identifier: Apache-2.0

// A log line is written whole, in pieces, or not at all; the writer never waits for its reader.
#include "egret.h"
#include "tap.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_BYTES = 4 * PIPE_BUF, LONG_BYTES = 3 * PIPE_BUF + 100 };

static char out[2 * PIPE_BYTES];

static ssize_t drain(int fd)
{
	ssize_t n = 0, got;
	while ((got = read(fd, out + n, sizeof out - (size_t)n)) > 0)
		n += got;
	return n;
}

int main(void)
{
	static const char line[] = "{\"msg\":\"one\"}\n";
	const uint32_t bytes = sizeof line - 1;
	static char long_line[LONG_BYTES];
	memset(long_line, 'x', sizeof long_line);
	long_line[LONG_BYTES - 1] = '\n';
	int ends[2];
	tap_ok(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 &&
			fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) == PIPE_BYTES,
		"a small pipe");

	tap_ok(egret_log_write(ends[1], line, bytes) == 1, "a line");
	tap_ok(drain(ends[0]) == (ssize_t)bytes && memcmp(out, line, bytes) == 0, "as it is");
	tap_ok(egret_log_write(ends[1], long_line, LONG_BYTES) == 1, "a long one");
	tap_ok(drain(ends[0]) == LONG_BYTES && memcmp(out, long_line, LONG_BYTES) == 0, "too");

	int written = 0;
	while (written < PIPE_BYTES && egret_log_write(ends[1], line, bytes) == 1)
		written++;
	tap_ok(written > 1 && written < PIPE_BYTES, "no reader: lost, after %d lines", written);
	tap_ok(drain(ends[0]) == written * (ssize_t)bytes, "those before are whole");
	tap_ok(egret_log_write(ends[1], line, bytes) == 1, "a reader again");
	tap_ok(drain(ends[0]) == (ssize_t)bytes, "and the next is whole, too");

	egret_log_write(ends[1], line, bytes);
	tap_ok(egret_log_write(ends[1], long_line, LONG_BYTES) == 0, "a long one is cut off");
	drain(ends[0]);
	tap_ok(egret_log_write(ends[1], line, bytes) == 1, "what follows it");
	tap_ok(drain(ends[0]) == (ssize_t)bytes + 1 && out[0] == '\n', "is a line of its own");

	signal(SIGPIPE, SIG_IGN);
	close(ends[0]);
	tap_ok(egret_log_write(ends[1], line, bytes) == 0, "the reader has closed: lost");
	close(ends[1]);
	return tap_done();
}
