// SPDX-License-Identifier: Apache-2.0

// Identity, capabilities, and the filter of system calls. See confine.h.
#include "forwarder/confine.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Of the numbers that Debian gives to no user (Debian Policy §9.2.2).
enum { UNNAMED_USER = 65413 };

// Not by getpwnam, which would load what /etc/nsswitch.conf names into this process.
static void find_user(uid_t *user, gid_t *group)
{
	*user = *group = UNNAMED_USER;
	FILE *users = fopen("/etc/passwd", "re");
	if (!users)
		return;
	const struct passwd *row;
	while ((row = fgetpwent(users)) != NULL) {
		if (strcmp(row->pw_name, "egret-forwarder") != 0 || row->pw_uid == 0)
			continue;
		*user = row->pw_uid;
		*group = row->pw_gid;
		break;
	}
	fclose(users);
}

static int change_user(void)
{
	uid_t user;
	gid_t group;
	find_user(&user, &group);
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
		setresgid(group, group, group) || setresuid(user, user, user);
}

static int keep_net_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
	if (syscall(SYS_capget, &header, sets))
		return -1;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= i == 0 ? 1u << CAP_NET_ADMIN : 0;
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, sets);
}

int confine_identity(void)
{
	int failed = (geteuid() == 0 && change_user()) || keep_net_admin() ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return failed ? -1 : 0;
}

// -- System calls ---------------------------------------------------------------------------------

// What the loop, its control socket, the log and malloc make, and the end of the process. Nothing opens a
// file or a socket, and nothing starts a program.
static const uint32_t allowed[] = {
	// packets and neighbors
	SYS_ppoll,
	SYS_poll,
	SYS_recvmmsg,
	SYS_sendmmsg,
	SYS_recvfrom,
	SYS_sendto,
	SYS_getsockopt,
	SYS_getsockname,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
	// control socket, supervisor, log
	SYS_accept4,
	SYS_recvmsg,
	SYS_sendmsg,
	SYS_close,
	SYS_getpid,
	SYS_write,
	// malloc
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_getrandom,
	// the end, also by abort(3)
	SYS_exit_group,
	SYS_exit,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_gettid,
	SYS_tgkill,
};
// Only without PROT_EXEC.
static const uint32_t allowed_for_data[] = {SYS_mmap, SYS_mprotect};

enum {
	ALLOWED = sizeof allowed / sizeof *allowed,
	FOR_DATA = sizeof allowed_for_data / sizeof *allowed_for_data,
	X32_CALL = 0x40000000, // __X32_SYSCALL_BIT: the other numbering of the same architecture
};

#define FIELD(member) (uint32_t) offsetof(struct seccomp_data, member)
#define LOAD(member) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(member))
#define ANSWER(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action)
// Skips so many instructions when the loaded word is, or has a bit of, the value, and so many when not.
#define IF_IS(value, yes, no) \
	(struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define IF_HAS(bits, yes, no) \
	(struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)

int confine_calls(void)
{
	struct sock_filter filter[8 + 2 * ALLOWED + 5 * FOR_DATA];
	unsigned short n = 0;
	filter[n++] = LOAD(arch);
	filter[n++] = IF_IS(AUDIT_ARCH_X86_64, 1, 0);
	filter[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
	filter[n++] = LOAD(nr);
	filter[n++] = IF_HAS(X32_CALL, 0, 1);
	filter[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
	for (int i = 0; i < ALLOWED; i++) {
		filter[n++] = IF_IS(allowed[i], 0, 1);
		filter[n++] = ANSWER(SECCOMP_RET_ALLOW);
	}
	for (int i = 0; i < FOR_DATA; i++) {
		filter[n++] = IF_IS(allowed_for_data[i], 0, 4);
		filter[n++] = LOAD(args[2]); // the lower half: protection
		filter[n++] = IF_HAS(PROT_EXEC, 0, 1);
		filter[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
		filter[n++] = ANSWER(SECCOMP_RET_ALLOW);
	}
	filter[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
	const struct sock_fprog program = {.len = n, .filter = filter};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
