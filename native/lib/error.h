// SPDX-License-Identifier: Apache-2.0

// How a function of the library says that a system call failed.
#pragma once

// Keeps errno for egret_errno() and returns -EGRET_STATUS_SYSTEM. Call it before anything that may
// change errno (close, munmap).
int error_system(void);
