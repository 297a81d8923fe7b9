/** Forwarders among the processes of this box, known by their name and command line. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whether a process lives and is a forwarder: its number may be somebody else's by now. */
export function isForwarder(pid: number | undefined): pid is number {
  if (pid === undefined) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    return stat.slice(stat.indexOf('(') + 1, end) === 'egret-forwarder' && stat[end + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** Forwarders of this network namespace that were started for an arena: a path means one box only there. */
export function forwardersHere(arenaPath: string): number[] {
  const network = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!isForwarder(pid)) return false;
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv.includes(arenaPath) && readlinkSync(`/proc/${pid}/ns/net`) === network;
      } catch {
        return false; // it has just ended
      }
    });
}
