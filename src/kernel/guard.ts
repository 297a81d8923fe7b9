// SPDX-License-Identifier: Apache-2.0
/**
 * The guard: nftables rules that keep the kernel from forwarding what belongs to the forwarder, and
 * that mark each packet with the network that it came from.
 *
 *   wire ─▶ packet socket (the forwarder) ─▶ netdev ingress ─▶ prerouting ─▶ input or forward
 *                                              │ mark, drop      │ mark, drop   │ drop   │ drop
 *                                                      what the box answers ─▶ output
 *                                                                                │ drop
 *
 * What the kernel does not own (`fib daddr type` neither local nor broadcast nor multicast) is
 * dropped at ingress of every port, IPv4 and IPv6. A chain at ingress belongs to a device and is
 * removed with it. Until a device that was added again has its chain, the chains of the second table,
 * which match it by name, do the same. The box answers for its own addresses, and not for pool
 * addresses, which no interface has.
 *
 * Of what is the box's, BGP's port is open to configured neighbors alone, each on the interfaces of its
 * own network. Where the box has a management plane, or its interfaces are set up by egretd, ports
 * have no other open port: services answer on Management interfaces. Answers to what the box sent come
 * in, without connection tracking, which would mix up networks that use the same addresses.
 *
 * A port of exactly one network also sets the mark that selects the network's table (rules.ts). A
 * reply of the box has the mark of the request, and is sent out of a port of that network or dropped:
 * a forged source address makes the box send replies into the sender's own network only.
 *
 * Nothing here depends on ip_forward. The tables are named after the run directory, replaced in one
 * transaction, and removed only when egretd is stopped in order: they survive a crash. What another
 * program removes is put back (guard-watch.ts).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { EgretError } from '../lib/errors.ts';
import { type GuardInput, type GuardPort, guardScript, removalScript } from './guard-script.ts';
import type { HostSnapshot } from './host-snapshot.ts';

export interface Guard {
  /** Name of both tables, for status. */
  readonly table: string;
  /**
   * Installs the guard for these ports and for what may reach the box, and again after a device was
   * added again. Does nothing when it is installed already. Concurrent calls are done in order.
   *
   * @throws EgretError NFT_FAILED; the guard that was installed before stays
   */
  set(ports: readonly GuardPort[], input: GuardInput, snapshot: HostSnapshot): Promise<void>;
  /** Whether it is in the kernel, e.g. because the previous instance installed it. */
  stands(): Promise<boolean>;
  /**
   * Whether what `set` installed is in the kernel, rule by rule. If not, the next `set` installs it,
   * whatever it is called with.
   */
  isWhole(): Promise<boolean>;
  /** Removes it: the last step of an orderly stop. */
  remove(): Promise<void>;
}

/** Of one transaction, which takes milliseconds. */
const nftTimeoutMs = 10_000;

/** Hands a script to nft, one transaction. @returns what it prints. @throws EgretError NFT_FAILED */
export type RunNft = (script: string) => Promise<string>;

export function makeGuard(runDir: string, runNft: RunNft = systemNft): Guard {
  const table = guardTable(runDir);
  // nft knows tables of one family at a time.
  const list = async (): Promise<string> =>
    (await runNft(`list table netdev ${table}\n`)) + (await runNft(`list table inet ${table}\n`));
  let standing: string | undefined;
  /**
   * As nft printed it once it stood, and what was asked for then. When that is installed again it is not
   * printed again: another program may have changed it meanwhile.
   */
  let printed = { wanted: '', text: '' };
  let last: Promise<void> = Promise.resolve();
  const inOrder = <T>(step: () => Promise<T>): Promise<T> => {
    const run = last.then(step);
    last = run.then(
      () => {},
      () => {},
    );
    return run;
  };
  return {
    table,
    set(ports, input, snapshot) {
      return inOrder(async () => {
        const present = ports.filter(({ name }) => snapshot.links.has(name));
        const names = new Set(present.map(({ name }) => name));
        const script = guardScript(table, ports, names, input);
        // A device that was added again has another number.
        const devices = present.map(({ name }) => snapshot.links.get(name)!.ifindex);
        const wanted = `${script}${devices}`;
        if (standing === wanted) return;
        standing = undefined;
        await runNft(script);
        if (printed.wanted !== wanted) printed = { wanted, text: await list() };
        standing = wanted;
      });
    },
    isWhole() {
      return inOrder(async () => {
        if (standing === undefined) return true;
        const now = await list().catch(() => '');
        if (now === printed.text) return true;
        standing = undefined;
        return false;
      });
    },
    stands() {
      return inOrder(() => runNft(`list table inet ${table}\n`)).then(
        () => true,
        () => false,
      );
    },
    remove() {
      return inOrder(async () => {
        standing = undefined;
        await runNft(removalScript(table));
      });
    },
  };
}

/** One run directory, one name, over restarts. */
export function guardTable(runDir: string): string {
  return `egret_${createHash('sha256').update(resolve(runDir)).digest('hex').slice(0, 12)}`;
}

const systemNft: RunNft = (script) =>
  new Promise((done, failed) => {
    const fail = (reason: string): void => failed(new EgretError('NFT_FAILED', { reason }));
    // -s: without counters.
    const nft = spawn('nft', ['-s', '-f', '-'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: nftTimeoutMs,
    });
    let complaint = '';
    let output = '';
    nft.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    nft.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    nft.stdin.on('error', () => {}); // nft's exit says more
    nft.on('error', (error) => fail(error.message));
    nft.on('close', (status, signal) => {
      if (status === 0) done(output);
      else fail(complaint.split('\n')[0] || `nft exited with ${status ?? signal}`);
    });
    nft.stdin.end(script);
  });
