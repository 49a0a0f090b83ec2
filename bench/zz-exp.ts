import { prepareLogins } from './login.ts';
import { startChild } from './processes.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
const name = 'SQLite'; const { mkdtempSync } = await import('node:fs');
const dir = mkdtempSync('/tmp/bx-');
const db: any = { name, createUrl: async () => `sqlite:${dir}/a.db` };
const { server, url, user, logins } = await prepareLogins(db, { users: 8, connections: 8 });
const c = spawn(process.execPath, ['/tmp/exp/srv.mjs', 'plain'], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await new Promise<number>((r) => c.stdout.once('data', (d) => r(+d)));
const [client, flooder] = [await startChild('client.ts'), await startChild('client.ts')];
const drip = (u: string, length: number) => client.ask<any>({ do: 'drip', url: u, headers: { authorization: `Bearer ${user.token}` }, perSecond: 200, seconds: length });
await drip(`${url}/auth/me`, 2); await drip(`http://127.0.0.1:${port}/`, 2);
for (let i = 0; i < 3; i++) {
  console.log('idle me', await drip(`${url}/auth/me`, 4), 'bare', await drip(`http://127.0.0.1:${port}/`, 4));
  const f = flooder.ask({ ...logins, seconds: 14 }); await sleep(1000);
  console.log('busy me', await drip(`${url}/auth/me`, 6), 'bare', await drip(`http://127.0.0.1:${port}/`, 6)); await f;
}
for (const x of [client, flooder, server]) await x.stop(); c.kill();
