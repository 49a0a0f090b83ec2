/** A Doorward in a process of its own, with one session for each connection. */
import { createDoorward } from '../src/app.ts';
import { serveMessages } from './processes.ts';

const doorward = await createDoorward({
  PORT: 0,
  RATE_LIMITS: 'off',
  ...JSON.parse(process.argv[2] ?? '{}'),
});

serveMessages<{ do: 'listen' } | { do: 'usage' } | { do: 'sign in'; sessions: number }>(
  async (message) => {
    if (message.do === 'listen') {
      return { url: await (await doorward.app()).listen({ host: '127.0.0.1', port: 0 }) };
    }
    if (message.do === 'usage') {
      const { user, system } = process.cpuUsage();
      return { cpuMicroseconds: user + system };
    }
    const account = { email: 'bench@example.com', password: 'SecurePass123!' };
    await doorward.admin.create({ ...account, name: 'Bench User', is_admin: true });
    const tokens: string[] = [];
    const accessTokens: string[] = [];
    for (let number = 0; number < message.sessions; number++) {
      const client = { network: '127.0.0.1', userAgent: 'bench' };
      const issued = await doorward.sessions.logIn({
        username: account.email,
        password: account.password,
        client,
      });
      tokens.push(issued.refresh_token);
      accessTokens.push(issued.access_token);
    }
    return { tokens, accessTokens };
  },
  () => doorward.close(),
);
