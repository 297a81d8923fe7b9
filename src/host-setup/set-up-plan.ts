// SPDX-License-Identifier: Apache-2.0
/**
 * From what is wanted and what is there to what is to be done: renames, files, devices to remove,
 * programs that are to read their files again. Pure; host-setup.ts does it.
 *
 * Nothing is done for what is as wanted already. Of a device whose files stay the same nothing is
 * touched, so that its sessions survive.
 */
import type { HostSnapshot } from '../kernel/host-snapshot.ts';
import { type Model, managementVrf } from '../model/model.ts';
import { hostFiles, ownPaths, readers } from './host-files.ts';
import {
  type Files,
  filePrefix,
  networkdConf,
  networkFolder,
  type ServiceUsers,
} from './networkd-files.ts';
import { renamesOf } from './renames.ts';

export type SetUpAction =
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  | { readonly kind: 'remove'; readonly path: string }
  /** @property path - below /proc/sys */
  | { readonly kind: 'set'; readonly path: SettingPath; readonly value: string }
  | { readonly kind: 'run'; readonly argv: readonly string[] }
  /** Has a program read its files again; tried until it does. */
  | { readonly kind: 'read'; readonly argv: readonly string[] };

/** Settings of the kernel that the box as a whole needs. */
export const settingPaths = ['kernel/hostname', 'net/ipv4/udp_l3mdev_accept'] as const;
export type SettingPath = (typeof settingPaths)[number];

/** What is there now. */
export interface Found {
  /** Those of isOwn, and networkdConf. */
  readonly files: Files;
  readonly settings: ReadonlyMap<SettingPath, string>;
  readonly users: ServiceUsers;
  readonly snapshot: HostSnapshot;
}

/** Whether a file is egretd's to write and to remove. */
export function isOwn(path: string): boolean {
  return path.startsWith(`${networkFolder}/${filePrefix}`) || ownPaths.includes(path);
}

/** @returns in the order in which it is to be done; empty: the box is as wanted */
export function planSetUp(model: Model, found: Found): SetUpAction[] {
  const { snapshot } = found;
  const { host } = model.appliance;
  const wanted = hostFiles(model, found.users, snapshot.links.has(managementVrf.device));
  const changed = [...wanted].filter(([path, text]) => found.files.get(path) !== text);
  const stale = [...found.files.keys()].filter((path) => isOwn(path) && !wanted.has(path));
  const touched = [...changed.map(([path]) => path), ...stale];
  const isOfNetworkd = touched.some((path) => path.startsWith(`${networkFolder}/`));
  return [
    ...renamesOf(host.interfaces, snapshot).map(({ from, to }) =>
      run('ip', 'link', 'set', 'dev', from, 'name', to),
    ),
    ...changed.map(([path, text]) => ({ kind: 'write' as const, path, text })),
    ...stale.map((path) => ({ kind: 'remove' as const, path })),
    ...releases(found.files, wanted, snapshot),
    ...removals(found.files, wanted, snapshot),
    ...reloads(touched.includes(networkdConf), isOfNetworkd),
    ...[...readers].flatMap(([path, argv]) => (touched.includes(path) ? [read(...argv)] : [])),
    ...[...wantedSettings(model)].flatMap(([path, value]) =>
      found.settings.get(path) === value ? [] : [{ kind: 'set' as const, path, value }],
    ),
  ];
}

function wantedSettings({ appliance }: Model): Map<SettingPath, string> {
  const { hostname, interfaces } = appliance.host;
  const wanted = new Map<SettingPath, string>();
  if (hostname !== undefined) wanted.set('kernel/hostname', hostname);
  // Answers to DNS and NTP come by the management plane, to programs that are bound to no VRF.
  if (interfaces.some((one) => one.isManagement)) wanted.set('net/ipv4/udp_l3mdev_accept', '1');
  return wanted;
}

/** Names of devices that networkd is to make and that are not there yet. */
export function missingDevices(files: Files, snapshot: HostSnapshot): string[] {
  return [...madeBy(files).keys()].filter((name) => !snapshot.links.has(name));
}

const run = (...argv: readonly string[]): SetUpAction => ({ kind: 'run', argv });
const read = (...argv: readonly string[]): SetUpAction => ({ kind: 'read', argv });

/** networkd reads its own settings only when it starts; it keeps addresses and leases meanwhile. */
function reloads(isConfChanged: boolean, isOfNetworkd: boolean): SetUpAction[] {
  if (isConfChanged) return [read('systemctl', 'restart', 'systemd-networkd.service')];
  return isOfNetworkd ? [read('networkctl', 'reload')] : [];
}

interface Made {
  readonly kind: string;
  readonly text: string;
  /** Of a VLAN, whose parent's file names it. */
  readonly parent: string | undefined;
}

const suffixed = (files: Files, suffix: string): [name: string, text: string][] => {
  const start = `${networkFolder}/${filePrefix}`;
  return [...files]
    .filter(([path]) => path.startsWith(start) && path.endsWith(suffix))
    .map(([path, text]) => [path.slice(start.length, -suffix.length), text]);
};

/** What the .netdev files make. */
function madeBy(files: Files): Map<string, Made> {
  const parents = new Map(
    suffixed(files, '.network').flatMap(([parent, text]) =>
      [...text.matchAll(/^VLAN=(.*)$/gm)].map(([, vlan]) => [vlan!, parent]),
    ),
  );
  return new Map(
    suffixed(files, '.netdev').map(([name, text]) => {
      const kind = /^Kind=(.*)$/m.exec(text)?.[1] ?? '';
      return [name, { kind, text, parent: parents.get(name) }];
    }),
  );
}

/**
 * Devices that networkd made and that are not wanted any more, or not like this: it changes none that
 * exists, and removes none (networkctl(1), reload).
 */
function removals(found: Files, wanted: Files, snapshot: HostSnapshot): SetUpAction[] {
  const after = madeBy(wanted);
  return [...madeBy(found)].flatMap(([name, before]) => {
    const now = after.get(name);
    if (now?.text === before.text && now.parent === before.parent) return [];
    return snapshot.links.get(name)?.kind === before.kind
      ? [run('ip', 'link', 'delete', name)]
      : [];
  });
}

/**
 * Devices of the box that were set up and are left alone from now on, or have no master any more:
 * networkd takes back neither addresses nor a master when a file is removed.
 */
function releases(found: Files, wanted: Files, snapshot: HostSnapshot): SetUpAction[] {
  const after = new Map(suffixed(wanted, '.network'));
  const made = madeBy(found);
  return suffixed(found, '.network').flatMap(([name, before]) => {
    if (made.has(name) || !snapshot.links.has(name)) return [];
    const now = after.get(name);
    const master = masterOf(before);
    return [
      ...(master !== undefined && master !== masterOf(now ?? '')
        ? [run('ip', 'link', 'set', 'dev', name, 'nomaster')]
        : []),
      ...(now === undefined ? [run('ip', 'address', 'flush', 'dev', name)] : []),
    ];
  });
}

const masterOf = (text: string): string | undefined => /^(?:Bond|VRF)=(.*)$/m.exec(text)?.[1];
