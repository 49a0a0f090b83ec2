import { createOutbox, type NewMail, type Outbox, type SmtpLimits } from '../../src/features/outbox/index.ts';
import type { OutboxRow } from '../../src/features/outbox/store.ts';
import type { Kernel, Log } from '../../src/kernel.ts';
import { createMailRenderer } from '../../src/mail/index.ts';
import { type GivenSettings, readSettings } from '../../src/settings.ts';
import { type Instance, type Scenario, SECRET_KEY } from './instances.ts';

/** An outbox of its own on the database of a test, and nobody else's at work there. */
export interface TestOutbox extends Outbox {
  readonly instance: Instance;
  readonly kernel: Kernel;
  /** What was logged, as JSON. */
  readonly logged: readonly string[];
  /** Asks for a mail in a transaction of its own. */
  ask(mail?: Partial<NewMail>): Promise<void>;
  rows(): Promise<OutboxRow[]>;
}

export interface TestOutboxOptions {
  readonly settings?: GivenSettings;
  readonly smtpLimits?: SmtpLimits;
  readonly secretKey?: string;
}

/** The token and the code that the mail with this id is given when it is prepared. */
export const secretOf = (id: number) => ({
  token: `secret-token-of-mail-${String(id).padStart(3, '0')}`,
  code: String(417_000 + id),
});

/** Opens an outbox that ends with the test. Mails of the kind `reset_password` get a link and a code. */
export async function openOutbox(
  { t, open }: Pick<Scenario, 't' | 'open'>,
  { settings = {}, smtpLimits, secretKey = SECRET_KEY }: TestOutboxOptions = {},
): Promise<TestOutbox> {
  let outbox: Outbox | undefined;
  // Before the database is closed.
  t.after(() => outbox?.stop());
  const instance = await open();
  await instance.doorward.outbox.stop();
  const logged: string[] = [];
  const note = (fields: object, message: string) => {
    logged.push(
      JSON.stringify({ ...fields, message }, (_key, value) =>
        value instanceof Error ? { ...value, text: value.message, stack: value.stack } : value,
      ),
    );
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const kernel: Kernel = {
    ...instance.doorward.kernel,
    log,
    settings: readSettings({ PUBLIC_URL: 'https://accounts.example.com', ...settings }),
  };
  const made = createOutbox(
    kernel,
    { renderer: createMailRenderer(kernel.settings), ...(smtpLimits === undefined ? {} : { smtpLimits }) },
    secretKey,
  );
  outbox = made;
  made.onPrepare('reset_password', async (_tx, mail) => {
    const { token, code } = secretOf(mail.id);
    return {
      ...mail,
      secret: { link: `https://accounts.example.com/account/reset-password#token=${token}`, code },
      expires_at: new Date(kernel.clock.now().getTime() + 30 * 60_000).toISOString(),
    };
  });
  return {
    ...made,
    instance,
    kernel,
    logged,
    ask: (mail = {}) =>
      kernel.db.transaction((tx) =>
        made.enqueue(tx, {
          kind: 'password_changed',
          to: 'ada@example.com',
          user_id: null,
          locale: 'en',
          params: { time: '2026-01-01T12:00:00.000Z' },
          ...mail,
        }),
      ),
    rows: () => kernel.db.read.selectFrom('outbox').selectAll().orderBy('id').execute(),
  };
}
