// SPDX-License-Identifier: Apache-2.0
/**
 * SSH as an operator and as an attacker uses it: a real sshd with the image's configuration, the login
 * shell behind it, and a running egretd.
 */
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { test } from 'tap';
import { Lab } from '../lab/namespace.ts';
import { until } from '../lab/process.ts';
import { SshBox, writeKeys } from '../lab/ssh.ts';

const config = `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { externalNetworkSupport: Enabled, egressIPSupport: EnabledPerNamespaceOrPerPod }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: red }
spec: { routeTableIndex: 500 }
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: { name: blue }
spec: { routeTableIndex: 501 }
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: { name: egress-red, namespace: prod }
spec:
  externalNetworks: [red]
  ipPools: [{ cidr: 10.50.0.0/30 }]
  template: { metadata: { labels: { exit: red } } }
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata:
  name: shop
  namespace: prod
  annotations: { egress.projectcalico.org/selector: "exit == 'red'" }
spec: { nets: [10.1.0.0/24] }
---
apiVersion: egret.dev/v1
kind: Appliance
metadata: { name: box }
spec:
  interfaces: [{ name: cli0, role: Clients }]
  networks: [{ name: red, interfaces: [wan0] }]
`;

/** What no command may write. */
const touched = `/tmp/touched-by-${process.pid}`;

// What a terminal would obey: C0 but tab, line feed and carriage return, DEL, C1.
const controls = /[^\P{Cc}\t\n\r]/u;

test('SSH', async (t) => {
  const lab = await Lab.open();
  t.teardown(() => lab.close());
  const client = await lab.host('client');
  const gateway = await lab.host('gateway');
  await lab.link(
    { host: client, name: 'eth0', addresses: ['10.1.0.2/24'] },
    { host: gateway, name: 'cli0', addresses: ['10.1.0.1/24'] },
  );
  await lab.link(
    { host: client, name: 'eth1', addresses: ['172.16.1.140/24'] },
    { host: gateway, name: 'wan0', addresses: ['172.16.1.2/24'] },
  );
  const box = await SshBox.open(gateway);
  const key = await box.makeKey('key', 'carol@example.net');
  const ca = await box.makeKey('ca', 'the CA');
  await writeKeys(box, 'status', [key.line]);
  await writeKeys(box, 'admin', [key.line]);
  await box.root.write('/data/ssh/user_ca.pub', `${ca.line}\n`);
  await box.root.write('/data/ssh/authorized_principals/status', 'status\n');
  await box.root.write('/data/ssh/authorized_principals/admin', 'admin\n');
  await box.root.write('/data/etc/egret/box.yaml', config);
  const folders = ['--config', '/data/etc/egret', '--state-dir', '/data/egret'];
  const egretd = box.root.start(['/usr/lib/egret/egret', 'run', ...folders]);
  t.teardown(async () => {
    if (!t.passing()) t.comment(box.log(), egretd.output());
    await box.close();
    await egretd.stop();
  });
  await until('egretd answers', async () => {
    if (!egretd.isRunning) throw new Error(egretd.output());
    const ask = ['/usr/lib/egret/egret', 'show', 'networks'];
    return (await box.root.run(ask, { statuses: 'any' })).status === 0;
  });
  await box.start();
  const ssh = (words: string[], more = {}) => box.ssh(words, { key: key.path, ...more });

  await t.test('a command prints and exits with its status', async (t) => {
    const networks = await ssh(['show', 'networks']);
    t.equal(networks.status, 0, networks.stderr);
    t.match(networks.stdout, /^NAME +TABLE +READY.*\nred +500 /);
    const json = await ssh(['show', 'networks', '--json']);
    t.same(
      (JSON.parse(json.stdout) as { rows: { name: string }[] }).rows.map(({ name }) => name),
      ['red', 'blue'],
    );
    const statuses: [number, string[]][] = [
      [0, ['egret', 'version']],
      [1, ['show', 'network']],
      [1, ['show', 'networks', '--run-dir', '/tmp']],
      [3, ['show', 'route', 'network', 'rde']],
      [5, ['why', '10.9.9.9', '192.0.2.1']],
      [1, ['run', '--config', '/data/etc/egret']],
    ];
    for (const [status, words] of statuses) {
      const answer = await ssh(words);
      t.equal(answer.status, status, `${words.join(' ')}: ${answer.stderr}`);
    }
    t.match((await ssh(['show', 'network'])).stderr, 'did you mean networks?');
    t.match((await ssh(['show', 'route', 'network', 'rde'])).stderr, 'did you mean red?');
  });

  await t.test("a shell's signs are letters", async (t) => {
    const lines = [
      `show networks; touch ${touched}`,
      `show networks && touch ${touched}`,
      `show networks | tee ${touched}`,
      `show networks > ${touched}`,
      `show networks $(touch ${touched})`,
      `show networks \`touch ${touched}\``,
      `show networks '; touch ${touched}'`,
      `show networks\ntouch ${touched}`,
      '/bin/sh',
      'sh -c id',
      '$SHELL -c id',
      'exec /bin/sh',
      '-c id',
      '--console',
      `scp -t ${touched}`,
      '/usr/lib/openssh/sftp-server',
      '/usr/lib/egret/egret-login -c id',
      '!id',
      '\u001b]0;x\u0007',
      `show ${'\\'.repeat(999)}`,
      '"',
      '../../../bin/sh',
    ];
    for (const line of lines) {
      const { status, stdout, stderr } = await ssh([line]);
      t.equal(status, 1, `${line.slice(0, 60)}: ${(stdout + stderr).slice(0, 200)}`);
      t.match(stderr, /^egret: /, line.slice(0, 60));
      t.notMatch(stderr, controls, line.slice(0, 60));
    }
    const found = await box.root.run(['test', '-e', touched], { statuses: 'any' });
    t.equal(found.status, 1, 'nothing was written');
  });

  await t.test('long commands are refused, and the next is answered', async (t) => {
    const { status, stderr } = await ssh([`show ${'a'.repeat(20_000)}`]);
    t.equal(status, 1);
    t.match(stderr, 'longer than');
    t.equal((await ssh(['show', ...Array.from({ length: 300 }, () => 'a')])).status, 1);
    for (const size of [120_000, 128 << 10]) {
      t.not((await ssh([`show ${'a'.repeat(size - 10)}`])).status, 0, `${size} bytes`);
    }
    // More than Linux takes as one argument: in pieces, which ssh joins.
    const mebibyte = Array.from({ length: 16 }, () => 'b'.repeat(64 << 10));
    t.not((await ssh(['show', ...mebibyte])).status, 0, '1 MiB');
    t.equal((await ssh(['show', 'networks'])).status, 0);
  });

  await t.test('no files, tunnels, agents or variables', async (t) => {
    const file = join(gateway.folder, 'file');
    await gateway.run(['sh', '-c', 'echo x >"$1"', 'sh', file]);
    const settings = ['-P', '22'];
    for (const [program, words] of [
      ['sftp', ['-b', '/dev/stdin', 'status@127.0.0.1']],
      ['scp', [file, `status@127.0.0.1:${touched}`]],
      ['scp', ['-O', file, `status@127.0.0.1:${touched}`]],
      ['scp', ['-O', 'status@127.0.0.1:/etc/passwd', file]],
    ] as const) {
      const answer = await ssh([...words], { program, flags: settings, stdin: 'ls\n' });
      t.not(answer.status, 0, `${program} ${words.join(' ')}`);
    }
    const found = await box.root.run(['test', '-e', touched], { statuses: 'any' });
    t.equal(found.status, 1, 'nothing was written');
    t.not((await ssh(['sftp'], { flags: ['-s'] })).status, 0, 'a subsystem');
    t.not((await ssh([], { flags: ['-W', '127.0.0.1:22'] })).status, 0, '-W');
    const tunnels = [
      ['-R', '10022:127.0.0.1:22'],
      ['-R', `${touched}:127.0.0.1:22`],
      ['-w', '7:7'],
    ];
    for (const flags of tunnels) {
      const strict = ['-o', 'ExitOnForwardFailure=yes', ...flags];
      t.not((await ssh(['version'], { flags: strict })).status, 0, flags.join(' '));
    }
    // The client listens for -L and -D; what arrives there leads nowhere.
    const forwarding = ['-f', '-N', '-L', '10023:127.0.0.1:22', '-D', '10024'];
    const master = join(gateway.folder, 'master');
    await ssh([], { flags: [...forwarding, '-M', '-S', master] });
    const probe = [
      'timeout',
      '20',
      'bash',
      '-c',
      'read -t 10 line </dev/tcp/127.0.0.1/10023; echo "$line"',
    ];
    t.equal((await gateway.run(probe, { statuses: 'any' })).stdout.trim(), '', '-L');
    await ssh([], { flags: ['-S', master, '-O', 'exit'] });
    for (const flags of [['-A'], ['-X'], ['-o', 'SetEnv=NODE_OPTIONS=--version']]) {
      const answer = await ssh(['version'], { flags });
      t.equal(answer.status, 0, flags.join(' '));
      t.match(answer.stdout, /^egret \d/, flags.join(' '));
    }
  });

  await t.test('who is at the other end must have a key', async (t) => {
    const other = await box.makeKey('other', 'console');
    t.equal((await ssh(['version'], { key: other.path })).status, 255);
    t.equal((await ssh(['version'], { key: undefined })).status, 255);
    await writeKeys(box, 'status', [key.line, `command="show pools",restrict ${other.line}`]);
    const forced = await ssh(['show', 'networks'], { key: other.path });
    t.match(forced.stdout, /^ADDRESS +GATEWAY/, 'command= of a key');
    const id = 'dave\u001b]0;x\u0007';
    const plain = await box.certify(ca.path, id, ['-n', 'status']);
    t.match((await ssh(['show', 'networks'], { key: plain })).stdout, /^NAME/, 'a certificate');
    t.equal((await ssh(['version'], { key: plain, user: 'admin' })).status, 255, 'a principal');
    const options = ['-n', 'status', '-O', 'force-command=show pools'];
    const narrow = await box.certify(ca.path, 'erin', options);
    const shown = await ssh(['show', 'networks'], { key: narrow });
    t.match(shown.stdout, /^ADDRESS +GATEWAY/, 'force-command of a certificate');
    const shell = ['-n', 'status', '-O', 'force-command=/bin/sh'];
    const wide = await box.certify(ca.path, 'erin', shell);
    t.match((await ssh(['id'], { key: wide })).stderr, 'there is no command /bin/sh');
  });

  await t.test('the prompt', async (t) => {
    const prompt = 'status@';
    const shown = await box.typed(
      [
        [prompt, 'sh\t'],
        ['show ', 'route network \t\t'],
        ['blue', 'r\t'],
        ['red ', '?'],
        ['enter', '\r'],
        [prompt, 'show networks\rshow netwroks\r'],
        ['did you mean networks?', 'why 10.1.0.9 192.0.2.1 \u0003'],
        [prompt, 'help show | less\r'],
        [prompt, '\u0004'],
      ],
      { key: key.path },
    );
    t.match(shown, /NAME +TABLE +READY/);
    t.match(shown, /PREFIX/, '? explains');
    const lines = stripVTControlCharacters(shown).split(/[\r\n]+/);
    t.ok(Math.max(...lines.map((line) => line.length)) <= 80, 'nothing is wider than 80 columns');
    const pasted = await ssh([], { flags: ['-tt'], stdin: 'show networks\nversion\nexit\n' });
    t.match(pasted.stdout, /NAME +TABLE[\s\S]*egret \d/, 'lines that come all at once');
    const direct = await ssh(['show', 'networks'], { flags: ['-tt'] });
    t.match(direct.stdout, /^NAME +TABLE/);
    t.equal((await ssh([], { flags: ['-T'] })).status, 1, 'no prompt without a terminal');
  });

  await t.test('the pager', async (t) => {
    const shown = await box.typed(
      [
        ['status@', 'show counters --json\r'],
        ['more --', '\r'],
        ['more --', '/DROPPED.NO_ROUTE\r'],
        ['"name":"dropped.no_route"', 'b'],
        ['more --', 'q'],
        ['status@', 'show counters --json\r'],
        ['more --', '\u0003'],
        ['status@', 'exit\r'],
      ],
      { key: key.path },
    );
    t.match(shown, /"schema":"egret.show/);
  });

  await t.test('what is for admin is refused to status, and said so', async (t) => {
    for (const words of [['apply'], ['config', 'list'], ['history'], ['rollback']]) {
      const { status, stderr } = await ssh(words);
      t.equal(status, 4, words.join(' '));
      t.match(stderr, 'You may not open /run/egret/admin.sock');
    }
    t.notMatch((await ssh(['help'])).stdout, /egret apply/);
    t.match((await ssh(['help'], { user: 'admin' })).stdout, /egret apply/);
  });

  const admin = (words: string[], more = {}) => ssh(words, { user: 'admin', ...more });
  const note = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n';

  await t.test('files of the configuration', async (t) => {
    const put = await admin(['config', 'put', 'note.yaml'], { stdin: `# \u001b[31m\n${note}` });
    t.equal(put.status, 0, put.stderr);
    t.match((await admin(['config', 'list'])).stdout, /box.yaml[\s\S]*note.yaml/);
    const got = await admin(['config', 'get', 'note.yaml']);
    t.equal(got.stdout, `# \u001b[31m\n${note}`, 'byte by byte, in a pipe');
    const shown = await admin(['config', 'get', 'note.yaml'], { flags: ['-tt'] });
    t.match(shown.stdout, '# \\u001b[31m', 'on a terminal without what it would obey');
    t.notMatch(shown.stdout, controls);
    const typed = await admin(['config', 'put', 'note.yaml'], { flags: ['-tt'] });
    t.match(typed.stdout, 'reads the file from standard input');
    for (const name of ['../box.yaml', '/etc/passwd', '.x.yaml', 'x', '$(id).yaml']) {
      const refused = await admin(['config', 'put', name], { stdin: note });
      t.ok([1, 2].includes(refused.status), `${name}: ${refused.stderr}`);
    }
    t.equal((await admin(['config', 'rm', 'note.yaml'])).status, 0);
    t.equal((await admin(['config', 'get', 'note.yaml'])).status, 3);
  });

  await t.test('check reads the files on the box, and standard input', async (t) => {
    t.match(await admin(['check']), { status: 0, stdout: /: ok, / });
    await admin(['config', 'put', 'bad.yaml'], { stdin: 'kind: Nonsense\n' });
    t.match(await admin(['check']), { status: 2, stdout: /bad\.yaml:1:/ });
    t.equal((await admin(['config', 'rm', 'bad.yaml'])).status, 0);
    t.match(await admin(['check', '-'], { stdin: 'kind: Nonsense\n' }), { status: 2 });
    t.match(await admin(['check', '/etc/shadow']), { status: 1, stdout: '' });
    t.match(await ssh(['check']), { status: 4, stderr: /admin\.sock/ });
  });

  await t.test('the editor', async (t) => {
    const screen = await box.typed(
      [
        ['admin@', 'config edit note.yaml\r'],
        ['^S save', `${note.replaceAll('\n', '\r')}\u0013`],
        ['saved', '\u0017NAMESPACE\r\u0001\u000b'],
        ['changed', '\u0018'],
        ['Save what was changed?', 'n'],
        ['admin@', 'config get note.yaml\r'],
        ['kind: Namespace', 'exit\r'],
      ],
      { key: key.path, user: 'admin' },
    );
    t.match(screen, 'line 2 of 3, changed');
    t.equal((await admin(['config', 'get', 'note.yaml'])).stdout, note);
    const denied = await ssh(['config', 'edit', 'note.yaml'], { flags: ['-tt'] });
    t.match(denied.stdout, 'You may not open');
  });

  await t.test('the history names who applied it', async (t) => {
    const apply = (message: string) => ['apply', '--message', `"${message}"`];
    const byKey = await admin(apply('by key'));
    t.equal(byKey.status, 0, byKey.stderr);
    await box.root.write('/data/etc/egret/more.yaml', note.replace('name: a', 'name: b'));
    const id = 'dave\u001b]0;x\u0007';
    const certified = await box.certify(ca.path, id, ['-n', 'admin']);
    const byCertificate = await admin(apply('certificate'), { key: certified });
    t.equal(byCertificate.status, 0, byCertificate.stderr);
    await admin(['config', 'rm', 'more.yaml']);
    const groups = ['--reuid=61002', '--regid=61002', '--groups=61001,61003'];
    const shell = ['/usr/lib/egret/egret-login', '-c', 'apply --message console'];
    const onConsole = await box.root.run(['setpriv', ...groups, '--', ...shell]);
    t.equal(onConsole.status, 0, onConsole.stderr);
    const { rows } = JSON.parse((await admin(['history', '--json'])).stdout) as {
      rows: { who: string; message: string }[];
    };
    const whoOf = (message: string) => rows.find((row) => row.message === message)?.who;
    t.equal(whoOf('by key'), 'carol@example.net');
    t.equal(whoOf('certificate'), 'dave ]0;x');
    t.equal(whoOf('console'), 'console');
    t.notMatch((await admin(['history'])).stdout, controls);
  });

  await t.test(
    'a refused configuration names its text without speaking to the terminal',
    async (t) => {
      const text = `${config}---\napiVersion: projectcalico.org/v3\nkind: Nonsense\nmetadata: { name: "a\\e]0;x\\a\\u009b31m" }\n`;
      await box.root.write('/data/etc/egret/box.yaml', text);
      process.kill(egretd.pid, 'SIGHUP');
      const { stdout, stderr } = await until('it is refused', async () => {
        const answer = await ssh(['show', 'networks']);
        return answer.stderr === '' ? undefined : answer;
      });
      t.match(stderr, 'the newest configuration was refused');
      t.notMatch(`${stdout}${stderr}`, controls);
    },
  );
});
