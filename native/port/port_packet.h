// SPDX-License-Identifier: Apache-2.0

// The driver over an AF_PACKET socket.
#pragma once
#include "packet/port.h"

// Takes over an AF_PACKET socket made by egret_packet_socket; closes it in any case of failure.
int port_packet_open(struct port *port, uint16_t slot, uint32_t ifindex, int fd);
// 1 while the socket is bound to an interface that exists; a link that is down exists.
int port_packet_is_bound(const struct port *port);
