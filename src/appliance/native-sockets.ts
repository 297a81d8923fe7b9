/** The native library in the shapes that BGP, probes and the kernel folder ask for. */
import type { BgpSockets } from '../bgp/transport.ts';
import * as native from '../dataplane/native.ts';
import type { ProbeSockets } from '../health/sockets.ts';
import type { MirrorNative, NetlinkSockets } from '../kernel/native.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';

const text = (address: Ipv4 | undefined): string | undefined =>
  address === undefined ? undefined : formatIpv4(address);

export const bgpSockets: BgpSockets = {
  listen: (options) =>
    native.tcpListen({
      localAddress: text(options.localAddress),
      interface: options.interface,
      localPort: options.port,
      mark: options.mark,
      ttl: options.ttl,
      minTtl: options.minTtl,
    }),
  connect: (options) =>
    native.tcpConnect(
      {
        localAddress: text(options.localAddress),
        remoteAddress: text(options.remoteAddress),
        interface: options.interface,
        remotePort: options.remotePort,
        mark: options.mark,
        ttl: options.ttl,
        minTtl: options.minTtl,
      },
      options.md5Key,
    ),
  setMd5: (fd, remoteAddress, key) => native.tcpMd5(fd, formatIpv4(remoteAddress), key),
  connectState: native.tcpState,
  setMinTtl: native.tcpMinTtl,
  close: native.closeFd,
};

export const probeSockets: ProbeSockets = {
  openEcho: (address, way) => native.echoOpen(formatIpv4(address), way.interface, way.mark),
  sendEcho: native.echoSend,
  hasEchoReply: native.echoReceive,
  connect: (address, port, way) =>
    native.tcpConnect({
      remoteAddress: formatIpv4(address),
      remotePort: port,
      interface: way.interface,
      mark: way.mark,
    }),
  connectState: native.tcpState,
  close: native.closeFd,
};

export const netlinkSockets: NetlinkSockets = {
  open: native.netlinkOpen,
  send: (fd, bytes) => {
    native.netlinkSend(fd, bytes);
  },
  close: native.closeFd,
};

export const mirrorNative: MirrorNative = {
  open: native.mirrorOpen,
  submit: (handle, rows, count) => native.mirrorSubmit(handle as native.Handle, rows, count),
  hurry: (handle) => native.mirrorHurry(handle as native.Handle),
  close: (handle) => native.mirrorClose(handle as native.Handle),
};
