// SPDX-License-Identifier: Apache-2.0
/**
 * Serves requests over a Unix socket (protocol.ts). Who may ask is who may open the socket: the owner,
 * and the group when it exists.
 *
 * A client that asks slowly, asks too much or does not read costs little (connection.ts), and its time
 * is bounded. When too many are connected, the one that has waited longest for its own side gives way.
 */
import { chmodSync, chownSync, readFileSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../lib/log.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { type Peer, type Service, serveConnection } from './connection.ts';

const connectionsMax = 128;

/** What Node has no function for. */
export interface IpcSockets {
  /** @param fd - of a connection; @throws EgretError */
  peerOf(fd: number): Peer;
}

export class RequestServer {
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Listens at a path that nothing else serves (the run directory's lock sees to that). */
  static async listen(
    path: string,
    service: Service,
    queue: WorkQueue,
    log: Log,
    sockets: IpcSockets,
  ): Promise<RequestServer> {
    removeSocket(path);
    const stalled = new Stalled();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      stalled.admit(socket);
      serveConnection(socket, service, {
        // Before the work of routes, and each answer by itself.
        turn: () => queue.pause('urgent'),
        stalls: (isStalled) => (isStalled ? stalled.add(socket) : stalled.delete(socket)),
        peer: () => sockets.peerOf(descriptorOf(socket)),
      }).catch((error) => log.debug({ error }, 'request failed'));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    const gid = groupId(service.group);
    if (gid !== undefined && process.getuid?.() === 0) chownSync(path, 0, gid);
    chmodSync(path, 0o660);
    return new RequestServer(server, path);
  }

  close(): void {
    this.#server.close();
    removeSocket(this.#path);
  }
}

/** Connections, and those among them that wait for their client, the longest first. */
class Stalled {
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  /** A new connection, which has not asked yet. */
  admit(socket: Socket): void {
    this.#connections += 1;
    socket.once('close', () => {
      this.#connections -= 1;
      this.#sockets.delete(socket);
    });
    this.#sockets.add(socket);
    if (this.#connections <= connectionsMax) return;
    const [longest] = this.#sockets;
    this.#sockets.delete(longest!);
    longest!.destroy();
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Nothing is there.
  }
}

/** Node does not say it by a public name. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

/** group(5). @returns undefined when there is no such group */
function groupId(name: string): number | undefined {
  let text = '';
  try {
    text = readFileSync('/etc/group', 'utf8');
  } catch {
    return undefined; // A container may have no such file.
  }
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([group]) => group === name);
  return fields?.[2] === undefined ? undefined : Number(fields[2]);
}
