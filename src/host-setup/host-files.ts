// SPDX-License-Identifier: Apache-2.0
/**
 * Everything that `egret run --manage-host` writes: networkd's files, drop-ins of the resolver and of
 * the NTP client, and where sshd listens. Pure. Which unit reads what is known here too.
 */
import { type Model, managementVrf } from '../model/model.ts';
import { devicesOf } from './devices.ts';
import { type Files, networkdFiles, type ServiceUsers, text } from './networkd-files.ts';

const resolvedConf = '/run/systemd/resolved.conf.d/10-egret.conf';
const timesyncdConf = '/run/systemd/timesyncd.conf.d/10-egret.conf';
/** sshd_config includes it; without the file sshd listens everywhere. */
export const sshdConf = '/run/egret-host/sshd.conf';

/** What is to be asked to read a file again, with its unit's name. */
export const readers: ReadonlyMap<string, readonly string[]> = new Map([
  [resolvedConf, ['systemctl', 'try-restart', 'systemd-resolved.service']],
  [timesyncdConf, ['systemctl', 'try-restart', 'systemd-timesyncd.service']],
  [sshdConf, ['systemctl', 'try-reload-or-restart', 'ssh.service']],
]);

/** Paths of files that are egretd's alone wherever they stand. */
export const ownPaths: readonly string[] = [...readers.keys()];

/** @param hasManagementVrf - its device exists: before, sshd could not listen there */
export function hostFiles(model: Model, users: ServiceUsers, hasManagementVrf: boolean): Files {
  const { dns, ntp, interfaces } = model.appliance.host;
  const files = new Map(networkdFiles(devicesOf(model), users));
  if (dns.length > 0) {
    // `~.`: these servers before those that DHCP names.
    const lines = [`DNS=${dns.join(' ')}`, 'Domains=~.', 'LLMNR=no', 'MulticastDNS=no'];
    files.set(resolvedConf, text(['Resolve', ...lines]));
  }
  if (ntp.length > 0) files.set(timesyncdConf, text(['Time', `NTP=${ntp.join(' ')}`]));
  if (hasManagementVrf && interfaces.some(({ isManagement }) => isManagement)) {
    const { device } = managementVrf;
    files.set(
      sshdConf,
      `ListenAddress 0.0.0.0:22 rdomain ${device}\nListenAddress [::]:22 rdomain ${device}\n`,
    );
  }
  return files;
}
