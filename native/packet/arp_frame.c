// SPDX-License-Identifier: Apache-2.0

#include "packet/arp_frame.h"

#include "wire/header.h"

#include <string.h>

// Hardware type, protocol type and the lengths of their addresses.
static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, MAC_BYTES, 4};

int arp_is_ipv4(const struct packet *packet)
{
	return packet->bytes >= ETHERNET_BYTES + ARP_BYTES &&
		memcmp(packet->data + ETHERNET_BYTES, ethernet_ipv4, sizeof ethernet_ipv4) == 0;
}

// Writes a frame around an ARP message; its sender's IPv4 address and its target are the caller's.
static uint8_t *write_frame(struct packet *packet, const struct egret_plan_port *port,
	uint16_t operation, const uint8_t *ethernet_destination)
{
	uint8_t *ethernet = packet->data, *message = ethernet + ETHERNET_BYTES;
	memcpy(ethernet + ETHERNET_DESTINATION, ethernet_destination, MAC_BYTES);
	memcpy(ethernet + ETHERNET_SOURCE, port->mac, MAC_BYTES);
	write16(ethernet + ETHERNET_TYPE, ETHERTYPE_IS_ARP);
	memcpy(message, ethernet_ipv4, sizeof ethernet_ipv4);
	write16(message + ARP_OPERATION, operation);
	memcpy(message + ARP_SENDER_MAC, port->mac, MAC_BYTES);
	packet->bytes = ETHERNET_BYTES + ARP_BYTES;
	packet->l3 = ETHERNET_BYTES;
	packet->out_port = port->slot;
	packet->has_ethernet = 1;
	return message;
}

void arp_write_request(struct packet *packet, const struct egret_plan_port *port, uint32_t address,
	const uint8_t *mac)
{
	static const uint8_t everybody[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *request = write_frame(packet, port, ARP_REQUEST, mac ? mac : everybody);
	write32(request + ARP_SENDER_ADDRESS, port->address);
	memset(request + ARP_TARGET_MAC, 0, MAC_BYTES);
	write32(request + ARP_TARGET_ADDRESS, address);
}

void arp_write_reply(struct packet *packet, const struct egret_plan_port *port, uint32_t address,
	const uint8_t *request)
{
	uint8_t *reply = write_frame(packet, port, ARP_REPLY, request + ARP_SENDER_MAC);
	write32(reply + ARP_SENDER_ADDRESS, address);
	memcpy(reply + ARP_TARGET_MAC, request + ARP_SENDER_MAC, MAC_BYTES + 4);
}
