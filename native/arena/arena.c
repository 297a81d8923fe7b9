// SPDX-License-Identifier: Apache-2.0

// The arena's file: made, named, mapped, closed, removed. See arena.h.
#include "arena/arena.h"
#include "egret.h"
#include "lib/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAPPED_BYTE = 1 }; // of the file: locked by every process that maps it

// 0, or -1 when another process holds a lock against it. It belongs to the open file (F_OFD_SETLK).
static int lock_mapped(int fd, short type)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = MAPPED_BYTE, .l_len = 1};
	return fcntl(fd, F_OFD_SETLK, &range);
}

static int map(int fd, uint64_t bytes, struct arena *arena)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return error_system();
	*arena = (struct arena){.base = base, .header = base, .bytes = bytes, .fd = fd};
	return 0;
}

int arena_file_create(const char *path, uint64_t bytes, struct arena *arena)
{
	char copy[PATH_MAX];
	if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
		return -EGRET_STATUS_BAD_ARGUMENT;
	int fd = open(dirname(copy), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system();
	int is_made = lock_mapped(fd, F_RDLCK) == 0 && fallocate(fd, 0, 0, (off_t)bytes) == 0;
	int status = is_made ? map(fd, bytes, arena) : error_system();
	if (status < 0)
		close(fd);
	return status;
}

int arena_file_publish(const struct arena *arena, const char *path)
{
	char unnamed[64], next[PATH_MAX];
	snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", arena->fd);
	if ((size_t)snprintf(next, sizeof next, "%s.new", path) >= sizeof next)
		return -EGRET_STATUS_BAD_ARGUMENT;
	unlink(next); // of a process that died right here
	if (linkat(AT_FDCWD, unnamed, AT_FDCWD, next, AT_SYMLINK_FOLLOW) != 0)
		return error_system();
	if (rename(next, path) == 0)
		return 0;
	int status = error_system();
	unlink(next);
	return status;
}

// Opens the file that a path names, or to which it is a link. Such a link lies in a folder of the
// instance's own; the file does not (/dev/shm), so that another user may have put something in its place:
// only a file of this user alone is an arena.
static int open_own(const char *path, struct stat *stat)
{
	char target[PATH_MAX];
	ssize_t bytes = readlink(path, target, sizeof target - 1);
	if (bytes >= 0) {
		target[bytes] = 0;
		path = target;
	}
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP || errno == EISDIR ? -EGRET_STATUS_BAD_ARENA : error_system();
	int status = fstat(fd, stat) == 0 ? 0 : error_system();
	if (status == 0 &&
		(!S_ISREG(stat->st_mode) || stat->st_uid != geteuid() ||
			(stat->st_mode & (S_IRWXG | S_IRWXO))))
		status = -EGRET_STATUS_BAD_ARENA;
	if (status == 0)
		return fd;
	close(fd);
	return status;
}

int arena_file_open(const char *path, struct arena *arena)
{
	struct stat stat;
	int fd = open_own(path, &stat);
	if (fd < 0)
		return fd;
	int status;
	if (lock_mapped(fd, F_RDLCK) != 0)
		status = error_system();
	else if (stat.st_size < (off_t)sizeof(struct arena_header))
		status = -EGRET_STATUS_BAD_ARENA;
	else
		status = map(fd, (uint64_t)stat.st_size, arena);
	if (status < 0)
		close(fd);
	return status;
}

void arena_file_close(struct arena *arena)
{
	munmap(arena->base, arena->bytes);
	close(arena->fd);
}

// 1 when the link by which an instance would find the arena does not lead to this path.
static int is_orphan(const struct arena_preamble *preamble, const char *path)
{
	char target[PATH_MAX];
	if (memchr(preamble->owner, 0, sizeof preamble->owner) == NULL || !preamble->owner[0])
		return 0;
	ssize_t bytes = readlink(preamble->owner, target, sizeof target - 1);
	if (bytes < 0)
		return errno == ENOENT || errno == ENOTDIR;
	target[bytes] = 0;
	return strcmp(target, path) != 0;
}

int arena_file_remove_stale(const char *path)
{
	struct stat opened, named;
	struct arena_preamble preamble;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	// An instance that makes one of this name just now gives it another inode.
	int is_stale = fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode) &&
		opened.st_uid == geteuid() &&
		pread(fd, &preamble, sizeof preamble, 0) == sizeof preamble &&
		preamble.magic == ARENA_MAGIC && lock_mapped(fd, F_WRLCK) == 0 &&
		is_orphan(&preamble, path) && lstat(path, &named) == 0 &&
		named.st_ino == opened.st_ino && unlink(path) == 0;
	close(fd);
	return is_stale;
}
