// SPDX-License-Identifier: Apache-2.0
/**
 * docs/first-network.md, followed to the end: the files of its code blocks are written, and the commands
 * of its console blocks run, each in its host, in the order of the page. What a command prints must
 * be what the page prints, but for white space and `...`, which stands for anything.
 *
 * Paths below /etc and the run directory lie in the lab's folders, since namespaces share the disk.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { egretProgram } from '../lab/egret.ts';
import { type Host, Lab } from '../lab/namespace.ts';
import { type Running, until } from '../lab/process.ts';

const page = fileURLToPath(new URL('../../docs/first-network.md', import.meta.url));

type HostName = 'gateway' | 'client' | 'router' | 'server';

type Step =
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | {
      readonly kind: 'command';
      readonly host: HostName;
      readonly command: string;
      readonly output: readonly string[];
    };

/** Files and commands, in the order of the page. */
function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, kind, text = '']) => {
    if (kind === 'console') return commandsOf(text);
    const path = /^# (\/etc\/\S+)\n/.exec(text)?.[1];
    return path === undefined ? [] : [{ kind: 'file' as const, path, text }];
  });
}

function commandsOf(text: string): Step[] {
  return text.split(/^(?=\w+# )/m).map((part): Step => {
    const [first = '', ...rest] = part.trimEnd().split('\n');
    const [, host, command = ''] = /^(gateway|client|router)# (.+)$/.exec(first) ?? [];
    if (host === undefined) throw new Error(`not a command: ${first}`);
    return { kind: 'command', host: host as HostName, command, output: rest };
  });
}

/** What is printed, with `...` in a line for any text, and as a line for any lines. */
function patternOf(output: readonly string[]): RegExp {
  const lines = output.map((line) => {
    if (line.trim() === '...') return '(?:.*\\n)*';
    const words = line.trim().split(/\s+/).map(escaped);
    return `[ \\t]*${words.join('[ \\t]+')}[ \\t]*\\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

/** A word of it. */
function escaped(word: string): string {
  return word.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&').replaceAll('\\.\\.\\.', '.*');
}

async function buildHosts(lab: Lab): Promise<Record<HostName, Host>> {
  const hosts = await lab.hosts('gateway', 'client', 'router', 'server');
  const { gateway, client, router, server } = hosts;
  await gateway.sysctl({ 'net.ipv4.ip_forward': 0, 'net.ipv4.conf.all.rp_filter': 0 });
  await router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.rp_filter': 0 });
  await lab.link(
    { host: client, name: 'eth0', addresses: ['10.1.0.2/24'] },
    { host: gateway, name: 'ens3', addresses: [] },
  );
  await lab.link(
    { host: router, name: 'up0', addresses: ['172.16.1.140/24'] },
    { host: gateway, name: 'ens5', addresses: [] },
  );
  await lab.link(
    { host: router, name: 'lan0', addresses: ['192.0.2.1/24'] },
    { host: server, name: 'eth0', addresses: ['192.0.2.10/24'] },
  );
  await server.ip('route add default via 192.0.2.1');
  return hosts;
}

test('docs/first-network.md', { timeout: 300_000 }, async (t) => {
  const steps = stepsOf(await readFile(page, 'utf8'));
  const commands = steps.filter((step) => step.kind === 'command');
  t.ok(commands.length > 12, `${commands.length} commands`);
  t.ok(steps.some((step) => step.kind === 'file' && step.path.endsWith('/bird.conf')));

  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const hosts = await buildHosts(lab);
  const running: Running[] = [];
  const here = (text: string): string => text.replaceAll('/etc/', `${lab.folder}/etc/`);
  const environment = [
    `PATH=${dirname(egretProgram)}:${process.env['PATH']}`,
    `EGRET_RUN_DIR=${join(lab.folder, 'run')}`,
  ];

  for (const step of steps) {
    if (step.kind === 'file') {
      await mkdir(dirname(here(step.path)), { recursive: true });
      await writeFile(here(step.path), step.text);
      continue;
    }
    const { command, output } = step;
    const host = hosts[step.host];
    const isDaemon = /^(bird|egret run) /.test(command);
    if (isDaemon) {
      const options = command.startsWith('bird ') ? ` -f -s ${lab.folder}/bird.ctl` : '';
      const argv = ['env', ...environment, 'sh', '-c', `exec ${here(command)}${options}`];
      running.push(host.start(argv));
      continue;
    }
    const argv = ['env', ...environment, 'sh', '-c', here(command)];
    const expected = patternOf(output);
    let last = '';
    const isAsExpected = async (): Promise<boolean> => {
      const { stdout, stderr, status } = await host.run(argv, { statuses: 'any' });
      last = stdout || stderr;
      if (output.length === 0 && status !== 0) throw new Error(stderr);
      return expected.test(stdout.replaceAll(lab.folder, ''));
    };
    // Only egretd is asked again until it is so.
    const isSeen = await (command.startsWith('egret ')
      ? until(command, isAsExpected, 500)
      : isAsExpected()
    ).catch(() => false);
    t.ok(isSeen, `${step.host}# ${command}`);
    if (!isSeen) {
      t.comment(`the page has:\n${output.join('\n')}\nseen was:\n${last}`);
      t.comment(running.map((program) => program.output().slice(-3000)).join('\n'));
      break;
    }
  }
});
