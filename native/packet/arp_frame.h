// SPDX-License-Identifier: Apache-2.0

// ARP messages over Ethernet for IPv4 (RFC 826), as bytes: what they mean is pipeline/stage_arp.c.
#pragma once
#include "packet/packet.h"

#include <stdint.h>

// 1 when the frame holds a whole ARP message about Ethernet and IPv4 addresses.
int arp_is_ipv4(const struct packet *packet);
// Makes a generated packet a request for `address`, from the port's own address. mac: whom alone to
// ask; NULL: everybody on the link.
void arp_write_request(struct packet *packet, const struct egret_plan_port *port, uint32_t address,
	const uint8_t *mac);
// Makes a generated packet the reply to a request (its ARP message): `address` is at the port's MAC.
void arp_write_reply(struct packet *packet, const struct egret_plan_port *port, uint32_t address,
	const uint8_t *request);
