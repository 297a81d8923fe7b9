// SPDX-License-Identifier: Apache-2.0

// What the forwarder gives up once it has mapped the arena and listens, for good: it parses what networks
// send, and a fault in that must not become the box's.
#pragma once

// Becomes the user egret-forwarder (a number that no user has where it does not exist), keeps CAP_NET_ADMIN
// alone, without which the kernel resolves no neighbor for it (rtnetlink), and can gain nothing by an exec. Not as root: it keeps its user, and of its capabilities that one. 0, or -1 with errno.
int confine_identity(void);
// From here on a system call that the loop does not make ends the process (seccomp). 0, or -1 with errno.
int confine_calls(void);
