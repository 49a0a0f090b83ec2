/** A Doorward in a process of its own. Started by `startChild` with the settings. */
import { createDoorward } from '../src/app.ts';
import { observe } from '../src/observability/index.ts';
import { lowerPoolPriority } from '../src/pool-priority.ts';
import { serveMessages } from './processes.ts';

type Message = { do: 'listen' } | { do: 'sign in'; users: number } | { do: 'usage' };

export interface Listening {
  url: string;
}
export interface SignedIn {
  users: { id: number; email: string; password: string; token: string }[];
}
export interface Usage {
  rssMb: number;
  cpuMicroseconds: number;
}

const doorward = await createDoorward({
  PORT: 0,
  RATE_LIMITS: 'off',
  ...JSON.parse(process.argv[2] ?? '{}'),
});
// As `startServer` does.
lowerPoolPriority();

serveMessages<Message>(
  async (message) => {
    if (message.do === 'listen') {
      // As `startServer` does.
      const app = await doorward.app((await observe(doorward)).watch);
      const url = await app.listen({ host: '127.0.0.1', port: 0 });
      return { url } satisfies Listening;
    }
    if (message.do === 'sign in') {
      const users: SignedIn['users'] = [];
      for (let number = 0; number < message.users; number++) {
        const account = { email: `bench-${process.pid}-${number}@example.com`, password: 'SecurePass123!' };
        const user = await doorward.admin.create({ ...account, name: 'Bench User', is_admin: true });
        const client = { network: '127.0.0.1', userAgent: 'bench' };
        const tokens = await doorward.sessions.logIn({
          username: account.email,
          password: account.password,
          client,
        });
        users.push({ ...account, id: user.id, token: tokens.access_token });
      }
      return { users } satisfies SignedIn;
    }
    const { user, system } = process.cpuUsage();
    return { rssMb: process.memoryUsage.rss() / 1e6, cpuMicroseconds: user + system } satisfies Usage;
  },
  () => doorward.close(),
);
