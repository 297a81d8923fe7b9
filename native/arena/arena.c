// The arena's file: made, mapped, closed. See arena.h.
#include "arena/arena.h"
#include "egret.h"
#include "lib/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

// The name under which this process fills a file in. 0 when there is no room for it.
static int fresh_path(const char *path, char fresh[PATH_BYTES_MAX])
{
	return (size_t)snprintf(fresh, PATH_BYTES_MAX, "%s.%d", path, (int)getpid()) <
		PATH_BYTES_MAX;
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
	char fresh[PATH_BYTES_MAX];
	if (!fresh_path(path, fresh))
		return -EGRET_STATUS_BAD_ARGUMENT;
	// A leftover of a dead process that had our number.
	unlink(fresh);
	int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_system();
	int status = fallocate(fd, 0, 0, (off_t)bytes) == 0 ? map(fd, bytes, arena)
							    : error_system();
	if (status < 0) {
		unlink(fresh);
		close(fd);
	}
	return status;
}

int arena_file_publish(const char *path)
{
	char fresh[PATH_BYTES_MAX];
	if (!fresh_path(path, fresh))
		return -EGRET_STATUS_BAD_ARGUMENT;
	return rename(fresh, path) == 0 ? 0 : error_system();
}

void arena_file_discard(const char *path)
{
	char fresh[PATH_BYTES_MAX];
	if (fresh_path(path, fresh))
		unlink(fresh);
}

int arena_file_open(const char *path, struct arena *arena)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_system();
	struct stat stat;
	int status = 0;
	if (fstat(fd, &stat) != 0)
		status = error_system();
	else if (!S_ISREG(stat.st_mode) || stat.st_size < (off_t)sizeof(struct arena_header))
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
