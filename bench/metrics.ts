import type { Flooded } from './client.ts';
import type { Usage } from './doorward-server.ts';
import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const connections = 64;
const turnsARound = 4;

interface Measured {
  readonly perSecond: number;
  /** Microseconds of CPU for each answer. */
  readonly cpu: number;
}

/**
 * `GET /auth/me` with METRICS_PORT set against the same without it, in short turns. The CPU counts: what else runs on
 * the machine changes it less than it changes the answers a second.
 */
export async function metrics(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const client = await startChild('client.ts');
  const start = async (more: object) => {
    const server = await startChild('doorward-server.ts', {
      DATABASE_URL: await database.createUrl(),
      LOG_LEVEL: 'silent',
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
      ...more,
    });
    const { users } = await server.ask<{ users: { token: string }[] }>({ do: 'sign in', users: connections });
    const { url } = await server.ask<{ url: string }>({ do: 'listen' });
    const headers = users.map(({ token }) => ({ authorization: `Bearer ${token}` }));
    const flood = { do: 'flood', method: 'GET', url: `${url}/auth/me`, headers, connections };
    return {
      server,
      async measure(length: number): Promise<Measured> {
        const before = await server.ask<Usage>({ do: 'usage' });
        const { perSecond, answered, failed } = await client.ask<Flooded>({ ...flood, seconds: length });
        if (failed > 0) throw new Error(`${failed} requests failed`);
        const after = await server.ask<Usage>({ do: 'usage' });
        return { perSecond, cpu: (after.cpuMicroseconds - before.cpuMicroseconds) / answered };
      },
    };
  };
  const sides = { on: await start({ METRICS_PORT: 0 }), off: await start({}) };
  for (const side of Object.values(sides)) await side.measure(3);
  const seen: Record<'on' | 'off', Measured>[] = [];
  for (let round = 0; round < rounds * turnsARound; round++) {
    // Whoever comes second meets a warmer machine.
    const order = round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const);
    const found = { on: { perSecond: 0, cpu: 0 }, off: { perSecond: 0, cpu: 0 } };
    for (const side of order) found[side] = await sides[side].measure(1);
    seen.push(found);
  }
  for (const child of [client, sides.on.server, sides.off.server]) await child.stop();
  const middle = (of: (found: Record<'on' | 'off', Measured>) => number) => median(seen.map(of));
  const cpu = `${middle(({ on }) => on.cpu).toFixed(1)} : ${middle(({ off }) => off.cpu).toFixed(1)} µs`;
  return [
    {
      what: `GET /auth/me with metrics : without, CPU, ${database.name}`,
      seen: middle(({ on, off }) => on.cpu / off.cpu),
      unit: 'x',
      limit: { atMost: 1.1 },
      note: `${cpu}, answers a second ${middle(({ on, off }) => on.perSecond / off.perSecond).toFixed(2)} x`,
    },
  ];
}
