import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { linkNextPage } from '../../http/next-page.ts';
import {
  Closed,
  Email,
  Locale,
  mayFail,
  Name,
  NewPassword,
  NoContent,
  OneOf,
  QueryInteger,
  Text,
  UserRead,
} from '../../http/schema.ts';
import type { Invitations } from './index.ts';

const InvitationRead = Closed(
  {
    id: Type.Integer(),
    email: Type.String({ description: 'As entered.' }),
    name: Type.Union([Type.String(), Type.Null()], {
      description: 'What the account is called unless whoever accepts says otherwise.',
    }),
    is_admin: Type.Boolean({ description: 'Whether it makes an administrator.' }),
    invited_by: Type.Union([Type.Integer(), Type.Null()], {
      description: 'The id of the administrator who invited; null for the command line.',
    }),
    created_at: Type.String({ format: 'date-time', description: 'RFC 3339, in UTC.' }),
    expires_at: Type.String({ format: 'date-time' }),
    state: OneOf(['pending', 'expired'], {
      description:
        '`expired` as well when it would make an administrator and who invited is no active administrator any more.',
    }),
  },
  { title: 'InvitationRead' },
);
const { email, name, is_admin, expires_at } = InvitationRead.properties;
const ShownInvitation = Closed({ email, name, is_admin, expires_at }, { title: 'ShownInvitation' });
const LinkToken = Text({
  minLength: 1,
  maxLength: 256,
  description: 'What stands behind `#token=` in the link.',
});
const InvitationPath = Type.Object({ id: Type.Integer({ description: 'The id of an invitation.' }) });

export function invitationRoutes(invitations: Invitations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/invitations',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['invitations'],
          operationId: 'invite',
          summary: 'Invite somebody by mail',
          body: Closed({
            email: Email,
            name: Type.Optional(Name),
            is_admin: Type.Optional(Type.Boolean()),
            locale: Type.Optional(Locale),
          }),
          response: { 201: InvitationRead, ...mayFail(409, 429) },
        },
      },
      async (request, reply) =>
        reply.code(201).send(await invitations.create(request.body, request.auth.user.id)),
    );

    app.get(
      '/invitations',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['invitations'],
          operationId: 'list_invitations',
          summary: 'Invitations that nobody has accepted, the newest first',
          description: 'The next page is in the `Link` header (`rel="next"`).',
          querystring: Type.Object({
            limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }),
            cursor: Type.Optional(Text({ maxLength: 64 })),
          }),
          response: { 200: Type.Array(InvitationRead) },
        },
      },
      async (request, reply) => {
        const page = await invitations.list(request.query);
        linkNextPage(request, reply, page.next);
        return page.invitations;
      },
    );

    app.post(
      '/invitations/:id/resend',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['invitations'],
          operationId: 'resend_invitation',
          summary: 'Send an invitation again',
          description: 'With a new link and a new term; the older link stops working.',
          params: InvitationPath,
          response: { 200: InvitationRead, ...mayFail(404, 429) },
        },
      },
      (request) => invitations.resend(request.params.id, request.auth.user.id),
    );

    app.delete(
      '/invitations/:id',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['invitations'],
          operationId: 'withdraw_invitation',
          summary: 'Take an invitation back',
          params: InvitationPath,
          response: { 204: NoContent, ...mayFail(404) },
        },
      },
      async (request, reply) => {
        await invitations.withdraw(request.params.id);
        return reply.code(204).send();
      },
    );

    app.post(
      '/invitations/show',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'show_invitation',
          summary: 'What a link invites to',
          description: 'The link is left as it is.',
          body: Closed({ token: LinkToken }),
          response: { 200: ShownInvitation, ...mayFail(409, 429) },
        },
      },
      (request) => invitations.show(request.body.token),
    );

    app.post(
      '/invitations/accept',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'accept_invitation',
          summary: 'Make the account that one is invited to',
          description: 'With the invited address, whatever the state of `REGISTRATION`. It logs nobody in.',
          body: Closed({
            token: LinkToken,
            password: NewPassword,
            name: Type.Optional(Name),
          }),
          response: { 201: UserRead, ...mayFail(409, 429) },
        },
      },
      async (request, reply) => reply.code(201).send(await invitations.accept(request.body)),
    );
  };
}
