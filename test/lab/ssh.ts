// SPDX-License-Identifier: Apache-2.0
/**
 * A real sshd with the image's own sshd_config, and the users of an appliance, in a private root of one
 * host; and ssh from the same host, as an operator calls it.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './namespace.ts';
import { PrivateRoot } from './private-root.ts';
import { type Captured, patienceMs, type Running, run, until } from './process.ts';

const shippedConfig = fileURLToPath(
  new URL('../../images/root/etc/ssh/sshd_config', import.meta.url),
);
const shell = '/usr/lib/egret/egret-login';

export interface SshOptions {
  readonly user?: 'status' | 'admin';
  /** Path of a private key; of a certificate, the key next to it. */
  readonly key?: string;
  /** Words for ssh itself, before the host. */
  readonly flags?: readonly string[];
  readonly stdin?: string;
  readonly program?: 'ssh' | 'scp' | 'sftp';
}

export class SshBox {
  readonly root: PrivateRoot;
  readonly #host: Host;
  #sshd: Running | undefined;

  private constructor(host: Host, root: PrivateRoot) {
    this.#host = host;
    this.root = root;
  }

  static async open(host: Host): Promise<SshBox> {
    await host.ip('link set lo up');
    const root = await PrivateRoot.open(host);
    await root.append('/etc/passwd', [
      `status:x:61001:61001::/:${shell}`,
      `admin:x:61002:61002::/:${shell}`,
    ]);
    await root.append('/etc/shadow', ['status:*:20000::::::', 'admin:*:20000::::::']);
    await root.append('/etc/group', [
      'egret-status:x:61001:status,admin',
      'egret-admin:x:61003:admin',
    ]);
    for (const type of ['ed25519', 'ecdsa']) {
      const path = `/data/ssh/ssh_host_${type}_key`;
      await root.run([
        'mkdir',
        '-p',
        '/data/ssh/authorized_keys',
        '/data/ssh/authorized_principals',
      ]);
      await root.run(['ssh-keygen', '-q', '-t', type, '-N', '', '-f', path]);
    }
    await root.write('/run/egret-image/banner', '');
    return new SshBox(host, root);
  }

  /** Starts sshd; what it needs of keys is in place. */
  async start(): Promise<void> {
    await this.root.write('/etc/ssh/egret_sshd_config', await readFile(shippedConfig, 'utf8'));
    const argv = ['/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/egret_sshd_config'];
    const sshd = this.root.start(argv);
    this.#sshd = sshd;
    await until('sshd listens', async () => {
      if (!sshd.isRunning) throw new Error(sshd.output());
      const { stdout } = await this.#host.run(['ss', '-Hltn', 'sport = :22']);
      return stdout !== '';
    });
  }

  /** What sshd has logged. */
  log(): string {
    return this.#sshd?.output() ?? '';
  }

  async close(): Promise<void> {
    await this.#sshd?.stop();
  }

  /** Makes a key on this side. @returns its path, and its public half */
  async makeKey(name: string, comment: string): Promise<{ path: string; line: string }> {
    const path = join(this.#host.folder, name);
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
    return { path, line: (await readFile(`${path}.pub`, 'utf8')).trim() };
  }

  /**
   * Makes a key with a certificate, by which ssh then logs in.
   *
   * @param options - of ssh-keygen: principals, critical options
   */
  async certify(ca: string, keyId: string, options: readonly string[]): Promise<string> {
    const { path } = await this.makeKey(`certified-${Math.abs(hash(keyId + options.join()))}`, 'x');
    await run(['ssh-keygen', '-q', '-s', ca, '-I', keyId, ...options, `${path}.pub`]);
    return path;
  }

  /** Runs ssh to its end. */
  async ssh(words: readonly string[], options: SshOptions): Promise<Captured> {
    const argv = this.#argv(words, options);
    return this.#host.run(argv, { statuses: 'any', stdin: options.stdin ?? '' });
  }

  /** What `ssh -tt` shows while these are typed, each once the text before it was shown. */
  async typed(
    steps: readonly (readonly [shown: string, keys: string])[],
    options: SshOptions,
  ): Promise<string> {
    const flags = ['-tt', ...(options.flags ?? [])];
    const argv = this.#argv([], { ...options, flags });
    const ssh = spawn('ip', ['netns', 'exec', this.#host.namespace, ...argv], {
      env: { ...process.env, TERM: 'vt100' },
    });
    let shown = '';
    let seen = 0;
    ssh.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
    });
    ssh.stderr.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
    });
    const ended = new Promise((resolve) => ssh.once('close', resolve));
    try {
      for (const [expected, keys] of steps) {
        await until(`${JSON.stringify(expected)} is shown`, () => {
          const at = shown.indexOf(expected, seen);
          if (at < 0) throw new Error(shown);
          seen = at + expected.length;
          return true;
        });
        ssh.stdin.write(keys);
      }
      const late = setTimeout(() => ssh.kill(), patienceMs);
      await ended;
      clearTimeout(late);
    } finally {
      ssh.kill();
    }
    return shown;
  }

  #argv(words: readonly string[], options: SshOptions): string[] {
    const { user = 'status', key, flags = [], program = 'ssh' } = options;
    const settings = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'IdentitiesOnly=yes',
      'LogLevel=ERROR',
      'PasswordAuthentication=no',
      'ConnectTimeout=30',
    ].flatMap((setting) => ['-o', setting]);
    const identity = key === undefined ? [] : ['-i', key];
    const start = [program, '-F', '/dev/null', ...settings, ...identity, ...flags];
    return program === 'ssh'
      ? [...start, '--', `${user}@127.0.0.1`, ...words]
      : [...start, ...words];
  }
}

export async function writeKeys(
  { root }: SshBox,
  user: 'status' | 'admin',
  lines: readonly string[],
): Promise<void> {
  await root.write(`/data/ssh/authorized_keys/${user}`, `${lines.join('\n')}\n`);
}

function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (value * 31 + character.codePointAt(0)!) | 0;
  return value;
}
