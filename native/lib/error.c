// SPDX-License-Identifier: Apache-2.0

#include "lib/error.h"

#include "egret.h"

#include <errno.h>

static _Thread_local int system_errno;

int error_system(void)
{
	system_errno = errno;
	return -EGRET_STATUS_SYSTEM;
}

int egret_errno(void)
{
	return system_errno;
}
