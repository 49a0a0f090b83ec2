/** Many verifiers in one process, each with its own connection. Tells when each refused a token. */
import { createVerifier, VerificationError } from '../src/verify/index.ts';
import { serveMessages } from './processes.ts';

const { url, issuer, count } = JSON.parse(process.argv[2] ?? '{}') as {
  url: string;
  issuer: string;
  count: number;
};
const verifiers = Array.from({ length: count }, () => createVerifier({ url, issuer }));
// All at once: whoever is late asks again by itself.
for (const verifier of verifiers) {
  while (
    !(await verifier.ready().then(
      () => true,
      () => false,
    ))
  );
}

serveMessages<{ token: string }>(
  async ({ token }) => {
    // The token was verified, and is remembered, before its session ends.
    for (const verifier of verifiers) await verifier.verify(token);
    process.send?.({ accepted: true });
    const refusedAt: number[] = [];
    const waiting = new Set(verifiers);
    while (waiting.size > 0) {
      for (const verifier of waiting) {
        try {
          await verifier.verify(token);
        } catch (error) {
          if (!(error instanceof VerificationError && error.code === 'revoked_token')) throw error;
          refusedAt.push(Date.now());
          waiting.delete(verifier);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return { refusedAt };
  },
  async () => {
    for (const verifier of verifiers) verifier.close();
  },
);
