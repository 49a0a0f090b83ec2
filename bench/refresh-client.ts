/** Clients that refresh one after the other, each with the token that it was given last. In a process of its own. */
import { Agent, request } from 'node:http';
import { serveMessages } from './processes.ts';

interface Refreshing {
  url: string;
  tokens: string[];
  seconds: number;
}

const agent = new Agent({ keepAlive: true });

function refresh(url: string, token: string): Promise<string> {
  const body = JSON.stringify({ refresh_token: token });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/auth/refresh`, { agent, method: 'POST', headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(JSON.parse(text).refresh_token);
        else reject(new Error(`${answer.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

serveMessages<Refreshing>(async ({ url, tokens, seconds }) => {
  const last = [...tokens];
  let answered = 0;
  let moved = 0;
  const begin = performance.now();
  const live = async (index: number) => {
    while (performance.now() - begin < seconds * 1000) {
      const given = await refresh(url, last[index] ?? '');
      if (given !== last[index]) moved++;
      last[index] = given;
      answered++;
    }
  };
  await Promise.all(last.map((_, index) => live(index)));
  return {
    answered,
    perSecond: (answered * 1000) / (performance.now() - begin),
    moved: moved / answered,
    tokens: last,
  };
});
