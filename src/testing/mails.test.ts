import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestDoorward } from './index.ts';

test('whoever embeds Doorward reads the mails of a test, with the token and the code in them', async () => {
  const doorward = await createTestDoorward();
  try {
    const user = await doorward.signIn({ email: 'ann@example.com' });
    assert.deepEqual(await doorward.mails(), []);
    const { mailLinks, outbox, kernel } = doorward.doorward;
    const before = await kernel.db.transaction(async (tx) => {
      const link = await mailLinks.mint(tx, {
        purpose: 'change_email',
        user_id: user.id,
        email_key: 'ann@example.com',
        detail: 'ann@example.com',
        ttlSeconds: 60,
        withCode: true,
        browser_digest: null,
      });
      for (const kind of ['password_changed', 'account_restored'] as const)
        await outbox.enqueue(tx, {
          kind,
          to: 'ann@example.com',
          user_id: user.id,
          locale: 'en',
          params: { time: kernel.clock.now().toISOString() },
        });
      return link;
    });
    assert.ok(before.code);
    assert.deepEqual(
      (await doorward.mails()).map(({ kind, to, token, code }) => ({ kind, to, token, code })),
      ['password_changed', 'account_restored'].map((kind) => ({
        kind,
        to: 'ann@example.com',
        token: undefined,
        code: undefined,
      })),
    );
  } finally {
    await doorward.close();
  }
});
