// SPDX-License-Identifier: Apache-2.0
/**
 * Path-MTU discovery over UDP (RFC 1191), by the kernel's own: DF is set on every datagram, and the
 * kernel learns from the ICMP errors that come back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AF_INET,
  bindSocket,
  closeSocket,
  connectSocket,
  EMSGSIZE,
  getOption,
  inetAddress,
  openSocket,
  receiveBytes,
  SOCK_DGRAM,
  sendBytes,
  setOption,
} from './libc.ts';
import { patienceMs } from './process.ts';

const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IP_MTU = 14;
const headersBytes = 28;
/** Of 50 ms: a minute. */
const attemptsMax = 1200;

/**
 * Sends datagrams of `bytes` (headers included) until the kernel believes in a path MTU.
 *
 * @returns that MTU, and whether a datagram of just that size was answered
 */
export async function discoverPathMtu(options: {
  readonly remote: string;
  readonly port: number;
  readonly bytes: number;
}): Promise<{ mtu: number; isAnswered: boolean }> {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  try {
    setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    connectSocket(fd, inetAddress(options.remote, options.port));
    return await discover(fd, options.bytes);
  } finally {
    closeSocket(fd);
  }
}

let isEchoing = false;

/** Sends one datagram and echoes whatever comes back, until stopEcho. */
export async function echo(options: {
  readonly remote: string;
  readonly port: number;
}): Promise<void> {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  isEchoing = true;
  try {
    connectSocket(fd, inetAddress(options.remote, options.port));
    sendBytes(fd, Buffer.from('hello'));
    const bytes = Buffer.alloc(65536);
    while (isEchoing) {
      const got = receiveBytes(fd, bytes, Buffer.alloc(16));
      if (got > 0) sendBytes(fd, bytes.subarray(0, got));
      else await sleep(5);
    }
  } finally {
    closeSocket(fd);
  }
}

export function stopEcho(): void {
  isEchoing = false;
}

/** Waits for a datagram, then discovers the path MTU back to its sender from the same port. */
export async function discoverPathMtuBack(options: {
  readonly port: number;
  readonly bytes: number;
}): Promise<{ mtu: number; isAnswered: boolean }> {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  try {
    setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    bindSocket(fd, inetAddress('0.0.0.0', options.port));
    const bytes = Buffer.alloc(65536);
    const from = Buffer.alloc(16);
    const endMs = performance.now() + patienceMs;
    while (receiveBytes(fd, bytes, from) < 0) {
      if (performance.now() > endMs) throw new Error('No datagram came.');
      await sleep(10);
    }
    connectSocket(fd, from);
    return await discover(fd, options.bytes);
  } finally {
    closeSocket(fd);
  }
}

async function discover(fd: number, bytes: number): Promise<{ mtu: number; isAnswered: boolean }> {
  const reply = Buffer.alloc(65536);
  const from = Buffer.alloc(16);
  let mtu = 0;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    mtu = getOption(fd, IPPROTO_IP, IP_MTU, 4).readUInt32LE(0);
    const sent = sendBytes(fd, Buffer.alloc(Math.min(bytes, mtu) - headersBytes, 0x61));
    if (sent === -EMSGSIZE) continue; // the kernel has learned meanwhile
    await sleep(50);
    if (receiveBytes(fd, reply, from) > 0) return { mtu, isAnswered: true };
  }
  return { mtu, isAnswered: false };
}
