import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { linkNextPage } from '../../http/next-page.ts';
import { Closed, Email, mayFail, OneOf, QueryInteger, Text } from '../../http/schema.ts';
import { mailKinds } from '../../mail/index.ts';
import type { Outbox } from './index.ts';
import { mailStates } from './store.ts';

const Kind = OneOf([...mailKinds]);
const State = OneOf([...mailStates], {
  description: '`asked`: its link is yet to be made. `queued`: waits to be sent. `dead`: given up.',
});
const Time = (description: string) => Type.String({ format: 'date-time', description });
const OrNull = <Schema extends ReturnType<typeof Type.Integer> | ReturnType<typeof Type.String>>(
  schema: Schema,
) => Type.Union([schema, Type.Null()]);

const mailFields = {
  id: Type.Integer(),
  kind: Kind,
  user_id: OrNull(
    Type.Integer({ description: 'Whose account it is about; null for nobody or nobody known.' }),
  ),
  to: Type.String(),
  locale: Type.String(),
  state: State,
  attempts: Type.Integer({ description: 'How often it was tried since it was last asked for.' }),
  next_attempt_at: OrNull(Time('When it is tried next; null once it was sent or given up.')),
  expires_at: OrNull(Time('When its link stops working.')),
  last_error: OrNull(Type.String({ description: 'Why the latest try failed.' })),
  message_id: Type.String({ description: 'Its `Message-ID`, for the logs of mail servers.' }),
  created_at: Time('RFC 3339, in UTC.'),
  sent_at: OrNull(Time('When the server took it.')),
};
const OutboxRead = Closed(mailFields, { title: 'OutboxRead' });
const MailRead = Closed(
  { ...mailFields, subject: Type.String(), text: Type.String(), html: Type.String() },
  { title: 'MailRead' },
);
const MailPath = Type.Object({ id: Type.Integer({ description: 'The id of a mail.' }) });

/** `logoUrl`: the picture that mails show, if any. */
export function outboxRoutes(outbox: Outbox, logoUrl: string | undefined): FastifyPluginAsyncTypebox {
  // What is in a mail is ours only in part, an operator's own templates included: whatever it is, it runs nothing, sends
  // nothing, and asks nobody but for the logo.
  const mailPolicy = [
    'sandbox',
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    `img-src data:${logoUrl === undefined ? '' : ` ${new URL(logoUrl).origin}`}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
  ].join('; ');

  return async (app) => {
    app.get(
      '/outbox',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['outbox'],
          operationId: 'list_mails',
          summary: 'Mails, the newest first',
          description: 'The next page is in the `Link` header (`rel="next"`).',
          querystring: Type.Object({
            state: Type.Optional(State),
            kind: Type.Optional(Kind),
            user_id: Type.Optional(Type.Integer({ description: 'Whose account it is about.' })),
            to: Type.Optional(Email),
            limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }),
            cursor: Type.Optional(Text({ maxLength: 64 })),
          }),
          response: { 200: Type.Array(OutboxRead) },
        },
      },
      async (request, reply) => {
        const { mails, next } = await outbox.list(request.query);
        linkNextPage(request, reply, next);
        return mails;
      },
    );

    app.get(
      '/outbox/:id',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['outbox'],
          operationId: 'read_mail',
          summary: 'A mail as its recipient sees it',
          description:
            'Its link and code are shown only without `MAIL_URL` and before it is sent; otherwise `…` stands for them.',
          params: MailPath,
          response: { 200: MailRead, ...mayFail(404) },
        },
      },
      (request) => outbox.read(request.params.id),
    );

    app.get(
      '/outbox/:id/html',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['outbox'],
          operationId: 'show_mail',
          summary: 'A mail as a page that runs nothing, for a frame',
          description: 'What `html` is in the mail, with a content security policy of its own.',
          params: MailPath,
          response: {
            200: {
              description: 'The mail',
              content: { 'text/html': { schema: Type.String() } },
            },
            ...mayFail(404),
          },
        },
      },
      async (request, reply) => {
        const { html } = await outbox.read(request.params.id);
        return reply
          .headers({
            'content-type': 'text/html; charset=utf-8',
            'content-security-policy': mailPolicy,
          })
          .send(html);
      },
    );

    app.post(
      '/outbox/:id/resend',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['outbox'],
          operationId: 'resend_mail',
          summary: 'Send a mail again',
          description: 'One with a link gets a new one; the older one stops working.',
          params: MailPath,
          response: { 202: OutboxRead, ...mayFail(404) },
        },
      },
      async (request, reply) => reply.code(202).send(await outbox.resend(request.params.id)),
    );
  };
}
