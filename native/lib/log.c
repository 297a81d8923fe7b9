// SPDX-License-Identifier: Apache-2.0

// The log's way out: standard error, which may be a pipe without a reader. Neither egretd
// nor the forwarder waits for a reader: a line that finds no room is lost.
#include "egret.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

// The last line was cut off: the next one begins with the newline that it lacks.
static int is_torn;

// 1 when what was written went out, all of it.
static int write_piece(int fd, const char *piece, uint32_t n)
{
	for (;;) {
		// A pipe is writable when it has room for PIPE_BUF bytes, so the write does not wait.
		struct pollfd room = {.fd = fd, .events = POLLOUT};
		if (poll(&room, 1, 0) != 1 || room.revents != POLLOUT)
			return 0;
		ssize_t written = write(fd, piece, n);
		if (written >= 0 || errno != EINTR)
			return written == (ssize_t)n;
	}
}

int egret_log_write(int fd, const char *line, uint32_t n)
{
	if (is_torn && !write_piece(fd, "\n", 1))
		return 0;
	is_torn = 0;
	for (uint32_t at = 0, piece; at < n; at += piece) {
		piece = n - at < PIPE_BUF ? n - at : PIPE_BUF;
		if (!write_piece(fd, line + at, piece)) {
			is_torn = at > 0;
			return 0;
		}
	}
	return 1;
}
