// SPDX-License-Identifier: Apache-2.0
/**
 * The server of a network: its answer names the network and the source address of the request.
 *
 *   HTTP, TCP port 80       NETWORK ADDRESS PORT
 *   TCP port 7              the same line at once, then an echo of what is sent
 *   UDP port 7              the same line, and what was sent after a space
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import {
  AF_INET,
  bindSocket,
  inetAddress,
  openSocket,
  SO_RCVBUFFORCE,
  SO_SNDBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
  setOption,
} from './libc.ts';

export const httpPort = 80;
export const echoPort = 7;

/** Starts all three. @param network - the name to answer with; address - to listen on */
export async function serve(network: string, address: string): Promise<void> {
  const line = (of: { address?: string | undefined; port?: number | undefined }): string =>
    `${network} ${of.address ?? '?'} ${of.port ?? 0}`;
  const lineOf = (s: Socket): string => line({ address: s.remoteAddress, port: s.remotePort });

  const http = createHttpServer((request, response) => {
    response.setHeader('connection', 'close');
    response.end(`${lineOf(request.socket)}\n`);
  });
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`${lineOf(socket)}\n`);
    socket.pipe(socket);
  });
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => {
    udp.send(`${line(from)} ${message}`, from.port, from.address, () => {});
  });

  await Promise.all([
    new Promise<void>((resolve) => http.listen(httpPort, address, 1024, resolve)),
    new Promise<void>((resolve) => tcp.listen(echoPort, address, 1024, resolve)),
    listenUdp(udp, echoPort, address),
  ]);
}

/** Room for what a socket's owner cannot take while others have the processor: many seconds. */
const queueBytes = 64 << 20;

/**
 * Binds with a queue of a size that only root may have (SO_RCVBUFFORCE), so that what arrives is never
 * lost between the kernel and a process that waits for its turn.
 */
export async function listenUdp(udp: UdpSocket, port: number, address: string): Promise<void> {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, queueBytes);
  setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, queueBytes);
  bindSocket(fd, inetAddress(address, port));
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind({ fd }, resolve);
  });
  udp.removeAllListeners('error');
  udp.on('error', () => {}); // an ICMP error is the sender's news, not the end of the socket
}
