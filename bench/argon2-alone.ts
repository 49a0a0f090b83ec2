/** `@node-rs/argon2` and nothing else: verifies one hash over and over, so many at once. */
import { verify } from '@node-rs/argon2';
import { serveMessages } from './processes.ts';

serveMessages<{ hash: string; password: string; concurrency: number; seconds: number }>(async (message) => {
  const { hash, password, concurrency, seconds } = message;
  const startedAt = performance.now();
  let done = 0;
  const work = async () => {
    while (performance.now() - startedAt < seconds * 1000) {
      await verify(hash, password);
      done++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return { perSecond: (done * 1000) / (performance.now() - startedAt) };
});
