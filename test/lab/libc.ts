// SPDX-License-Identifier: Apache-2.0
/**
 * The few system calls that Node does not offer and the lab needs: packet sockets and the socket
 * options of path-MTU discovery, datagrams of Unix sockets. The only file of the lab that loads a native library.
 */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const sockFilter = koffi.struct('lab_sock_filter', {
  code: 'uint16',
  jt: 'uint8',
  jf: 'uint8',
  k: 'uint32',
});
koffi.struct('lab_sock_fprog', { len: 'uint16', filter: koffi.pointer(sockFilter) });

const socket = libc.func('int socket(int, int, int)');
const close = libc.func('int close(int)');
const bind = libc.func('int bind(int, const uint8_t *, uint32_t)');
const connect = libc.func('int connect(int, const uint8_t *, uint32_t)');
const send = libc.func('long send(int, const uint8_t *, size_t, int)');
const recvfrom = libc.func(
  'long recvfrom(int, _Out_ uint8_t *, size_t, int, _Out_ uint8_t *, _Inout_ uint32_t *)',
);
const setsockopt = libc.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)');
const setFilter = libc.func(
  'int setsockopt(int level, int name, int option, const lab_sock_fprog *, uint32_t)',
);
const getsockopt = libc.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');
const nameToIndex = libc.func('uint32_t if_nametoindex(const char *)');

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const ETH_P_ALL_BE = 0x0300;
export const MSG_DONTWAIT = 0x40;
export const EMSGSIZE = 90;
export const SOL_SOCKET = 1;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;

/** A classic BPF instruction: code, jump if true, jump if false, operand. */
export type BpfInstruction = readonly [code: number, jt: number, jf: number, k: number];

function check(call: string, result: number): number {
  if (result < 0) throw new Error(`${call}: errno ${koffi.errno()}`);
  return result;
}

export function openSocket(family: number, type: number, protocol: number): number {
  return check('socket', socket(family, type, protocol) as number);
}

export function closeSocket(fd: number): void {
  close(fd);
}

export function bindSocket(fd: number, address: Buffer): void {
  check('bind', bind(fd, address, address.length) as number);
}

export function connectSocket(fd: number, address: Buffer): void {
  check('connect', connect(fd, address, address.length) as number);
}

/** @returns bytes sent, or the negative errno */
export function sendBytes(fd: number, bytes: Buffer): number {
  const sent = Number(send(fd, bytes, bytes.length, MSG_DONTWAIT));
  return sent < 0 ? -koffi.errno() : sent;
}

/** @returns bytes received into `bytes`, their sender in `address`; or the negative errno */
export function receiveBytes(fd: number, bytes: Buffer, address: Buffer): number {
  const addressBytes = [address.length];
  const got = Number(recvfrom(fd, bytes, bytes.length, MSG_DONTWAIT, address, addressBytes));
  return got < 0 ? -koffi.errno() : got;
}

export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check('setsockopt', setsockopt(fd, level, name, bytes, 4) as number);
}

/** @returns the option's bytes, `bytes` at most */
export function getOption(fd: number, level: number, name: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  check('getsockopt', getsockopt(fd, level, name, value, [bytes]) as number);
  return value;
}

/** Lets only those packets into a socket that a classic BPF program accepts. */
export function attachFilter(fd: number, program: readonly BpfInstruction[]): void {
  const filter = program.map(([code, jt, jf, k]) => ({ code, jt, jf, k }));
  const result = setFilter(fd, 1, 26, { len: filter.length, filter }, 16) as number;
  check('SO_ATTACH_FILTER', result);
}

export function interfaceIndex(name: string): number {
  const index = nameToIndex(name) as number;
  if (index === 0) throw new Error(`There is no interface ${name} here.`);
  return index;
}

/** struct sockaddr_in. */
export function inetAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [i, octet] of address.split('.').entries()) bytes[4 + i] = Number(octet);
  return bytes;
}

/** struct sockaddr_un. */
export function unixAddress(path: string): Buffer {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.write(path, 2);
  return bytes;
}
