import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress, type User } from '../accounts/index.ts';
import type { PersonalDataFeatures } from './index.ts';

/** Raised when a field changes its meaning or goes; that fields are added is no reason. */
export const exportVersion = 1;

const pageSize = 200;

/**
 * Everything that is held on a person, as the parts of one JSON document. Pages are read one at a time, so that a long
 * history costs no more memory than a short one. No secret is in it: neither the hash of the password nor a link of a mail.
 */
export async function* exportPerson(
  { db, clock, audit, settings }: Kernel,
  features: PersonalDataFeatures,
  user: User,
): AsyncGenerator<string, void> {
  const { passwords, sessions, emailChange, invitations, mailLinks, statistics } = features;
  // With HIDE_REGISTERED_EMAILS: there is a mail to another address, and its link, where nobody has that address yet.
  const isShown = (isOfOther: boolean) => settings.HIDE_REGISTERED_EMAILS === 'off' || !isOfOther;
  await db.transaction((tx) => audit.record(tx, { kind: 'user.exported', user_id: user.id, actor: user.id }));
  const parts = {
    export_version: exportVersion,
    exported_at: clock.now().toISOString(),
    user,
    password_changed_at: (await passwords.describe(user.id))?.changed_at ?? null,
    sessions: await sessions.listAll(user.id),
    active_days: await statistics.listActiveDays(user.id),
    former_emails: (await emailChange.listReserved(user.id)).map(({ email, reserved_until }) => ({
      email,
      reserved_until,
    })),
    links: (await mailLinks.describe(user.id)).filter(({ purpose }) => isShown(purpose === 'change_email')),
    // It names whoever has the address, which is not shown to somebody who only claims it.
    invitation: user.email_verified
      ? await invitations.findTo(requireEmailAddress(user.email).email_key)
      : undefined,
  };
  yield JSON.stringify(parts).slice(0, -1);
  yield ',"mails":[';
  yield* listed(mailsOf(features, user, isShown));
  yield '],"activity":[';
  yield* listed(eventsOf(features, { user_id: user.id }));
  yield '],"acts_on_others":[';
  yield* listed(eventsOf(features, { actor: user.id }, ({ user_id }) => user_id !== user.id));
  yield ']}\n';
}

async function* listed(items: AsyncIterable<object>): AsyncGenerator<string, void> {
  let separator = '';
  for await (const item of items) {
    yield separator + JSON.stringify(item);
    separator = ',';
  }
}

async function* mailsOf(
  { outbox }: PersonalDataFeatures,
  { id: user_id, email }: User,
  isShown: (isOfOther: boolean) => boolean,
) {
  for (let cursor: string | undefined; ; ) {
    const { mails, next } = await outbox.list({ user_id, limit: pageSize, cursor });
    // Numbers would tell how many mails others are sent.
    for (const { id: _id, ...mail } of mails)
      if (isShown(mail.kind === 'change_email' && mail.to !== email)) yield mail;
    if (next === undefined) return;
    cursor = next;
  }
}

type Listed = Awaited<ReturnType<PersonalDataFeatures['audit']['list']>>['events'][number];

async function* eventsOf(
  { audit }: PersonalDataFeatures,
  whose: { user_id: number } | { actor: number },
  isWanted: (event: Listed) => boolean = () => true,
) {
  for (let cursor: string | undefined; ; ) {
    const { events, next } =
      'user_id' in whose
        ? await audit.activity(whose.user_id, { limit: pageSize, cursor })
        : await audit.list({ ...whose, limit: pageSize, cursor });
    yield* events.filter(isWanted);
    if (next === undefined) return;
    cursor = next;
  }
}
