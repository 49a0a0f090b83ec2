/** The load on a host, in a process of its own. Connection n sends token n, counted round. */
import autocannon from 'autocannon';
import { serveMessages } from './processes.ts';

serveMessages<{ url: string; tokens: string[]; seconds: number }>(async ({ url, tokens, seconds }) => {
  let started = 0;
  const result = await autocannon({
    url,
    connections: 64,
    duration: seconds,
    setupClient: (client) =>
      client.setHeaders({ authorization: `Bearer ${tokens[started++ % tokens.length] ?? ''}` }),
  });
  return {
    answered: result['2xx'],
    perSecond: result['2xx'] / result.duration,
    failed: result.non2xx + result.errors,
  };
});
