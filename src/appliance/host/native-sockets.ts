// SPDX-License-Identifier: Apache-2.0
/**
 * What Node cannot do itself, in the shapes that BGP, probes and the kernel folder ask for: the sockets
 * and threads of native/egretd/sockets.c, probe.c, netlink.c and mirror.c.
 */
import { getSystemErrorMessage } from 'node:util';
import type { BgpSocketOptions, BgpSockets } from '../../bgp/connection/transport.ts';
import { c, checked, closeFd } from '../../dataplane/native.ts';
import type { ProbeSockets } from '../../health/sockets.ts';
import type { IpcSockets } from '../../ipc/server.ts';
import { type MirrorNative, type NetlinkSockets, netlinkRoute } from '../../kernel/native.ts';
import { formatIpv4, type Ipv4 } from '../../net/ipv4.ts';

/** struct egret_tcp_options. */
interface TcpOptions extends BgpSocketOptions {
  readonly remoteAddress?: Ipv4;
  readonly localPort?: number;
  readonly remotePort?: number;
}

const text = (address: Ipv4 | undefined): string | null =>
  address === undefined ? null : formatIpv4(address);

const tcp = (options: TcpOptions) => ({
  local_address: text(options.localAddress),
  remote_address: text(options.remoteAddress),
  interface: options.interface ?? null,
  local_port: options.localPort ?? 0,
  remote_port: options.remotePort ?? 0,
  mark: options.mark ?? 0,
  ttl: options.ttl ?? 0,
  min_ttl: options.minTtl ?? 0,
});

const keyBytes = (key: string | undefined): Uint8Array => new TextEncoder().encode(key ?? '');

function connect(options: TcpOptions, md5Key?: string): number {
  const key = keyBytes(md5Key);
  return checked('tcp_connect', c.tcpConnect(tcp(options), key, key.byteLength));
}

function connectState(fd: number): ReturnType<BgpSockets['connectState']> {
  const state = Number(c.tcpState(fd));
  if (state === 0) return 'connecting';
  if (state === 1) return 'connected';
  return { failed: getSystemErrorMessage(-Number(c.errno())) };
}

export const bgpSockets: BgpSockets = {
  listen: ({ port, ...options }) =>
    checked('tcp_listen', c.tcpListen(tcp({ ...options, localPort: port }))),
  connect: ({ md5Key, ...options }) => connect(options, md5Key),
  setMd5(fd, remoteAddress, key) {
    const bytes = keyBytes(key);
    checked('tcp_md5', c.tcpMd5(fd, formatIpv4(remoteAddress), bytes, bytes.byteLength));
  },
  connectState,
  setMinTtl(fd, minTtl, ttl) {
    checked('tcp_min_ttl', c.tcpMinTtl(fd, minTtl, ttl));
  },
  close: closeFd,
};

export const probeSockets: ProbeSockets = {
  openEcho: (remoteAddress, { interface: name, mark }) =>
    checked('echo_open', c.echoOpen(formatIpv4(remoteAddress), name ?? null, mark ?? 0)),
  sendEcho(fd, id, sequence) {
    checked('echo_send', c.echoSend(fd, id, sequence));
  },
  hasEchoReply: (fd, id, sequence) =>
    checked('echo_receive', c.echoReceive(fd, id, sequence)) === 1,
  connect: (remoteAddress, remotePort, way) => connect({ remoteAddress, remotePort, ...way }),
  connectState,
  close: closeFd,
};

export const netlinkSockets: NetlinkSockets = {
  open(groups, receiveBytes, filterProtocol, protocol = netlinkRoute) {
    const events = [-1];
    const list = Uint32Array.from(groups.length > 0 ? groups : [0]);
    const fd = checked(
      'netlink_open',
      c.netlinkOpen(protocol, list, groups.length, receiveBytes, filterProtocol, events),
    );
    return { fd, events: events[0]! };
  },
  send(fd, bytes) {
    checked('netlink_send', c.netlinkSend(fd, bytes, bytes.byteLength));
  },
  close: closeFd,
};

export const mirrorNative: MirrorNative = {
  open(protocol) {
    const handle: unknown[] = [null];
    const events = [-1];
    checked('mirror_open', c.mirrorOpen(protocol, handle, events));
    return { handle: handle[0], events: events[0]! };
  },
  submit: (handle, rows, count) => checked('mirror_submit', c.mirrorSubmit(handle, rows, count)),
  hurry: (handle) => c.mirrorHurry(handle),
  close: (handle) => c.mirrorClose(handle),
};

export const ipcSockets: IpcSockets = {
  peerOf(fd) {
    const [pid, uid] = [[0], [0]];
    checked('peer_credentials', c.peerCredentials(fd, pid, uid));
    return { pid: pid[0]!, uid: uid[0]! };
  },
};
