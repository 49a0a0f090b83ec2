import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DoorwardError } from '../../errors.ts';
import type { BrowserRules } from '../../http/browser.ts';
import {
  AnyPassword,
  Closed,
  Email,
  Locale,
  Message,
  mayFail,
  Name,
  NewPassword,
  NoContent,
  UserRead,
} from '../../http/schema.ts';
import { currentOrigin, withOrigin } from '../../origin.ts';
import type { Accounts } from './index.ts';
import type { User } from './store.ts';

const registrationClosed = () => new DoorwardError('registration_closed');

/** Another request deleted the account after the guard had seen it: its token is dead. */
function refuseDeleted(error: unknown): never {
  if (error instanceof DoorwardError && error.code === 'user_not_found') {
    throw new DoorwardError('invalid_token', { reason: 'the account has just been deleted' });
  }
  throw error;
}

/** Changes an own account, as the request's session may: what becomes of a new address is another feature's. */
export type ChangeOwn = (
  request: FastifyRequest,
  reply: FastifyReply,
  changes: { name?: string; email?: string; locale?: string; current_password?: string },
) => Promise<User>;

export function accountRoutes(
  accounts: Accounts,
  changeOwn: ChangeOwn,
  browser: BrowserRules,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/signup',
      {
        config: { access: 'public' },
        // What will be refused is refused before a body is read.
        onRequest: (_request, _reply, done) =>
          done(accounts.isRegistrationOpen ? undefined : registrationClosed()),
        schema: {
          tags: ['account'],
          operationId: 'signup',
          summary: 'Make an account',
          description:
            'A mail to the address asks to verify it. With `HIDE_REGISTERED_EMAILS` the answer is the same 202 whether there ' +
            'is an account with the address or not; its owner is told by mail.',
          body: Closed({ email: Email, password: NewPassword, name: Name, locale: Type.Optional(Locale) }),
          response: { 201: UserRead, 202: Message, ...mayFail(403, 409, 429) },
        },
      },
      async (request, reply) => {
        const mark = browser.markOf(request, reply);
        const user = await withOrigin({ ...currentOrigin(), mark }, () => accounts.signUp(request.body));
        return user === undefined
          ? reply.code(202).send({ message: 'A mail is on its way' })
          : reply.code(201).send(user);
      },
    );

    app.get(
      '/me',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['account'],
          operationId: 'get_profile',
          summary: 'Read the own profile',
          response: { 200: UserRead },
        },
      },
      (request, reply) => {
        reply.send(request.auth.user);
      },
    );

    for (const method of ['PUT', 'PATCH'] as const) {
      app.route({
        method,
        url: '/me',
        config: { access: 'activeUser' },
        schema: {
          tags: ['account'],
          operationId: method === 'PUT' ? 'update_profile' : 'patch_profile',
          summary: 'Change the own name or email',
          body: Closed({
            name: Type.Optional(Name),
            email: Type.Optional(Email),
            locale: Type.Optional(Locale),
            current_password: Type.Optional(AnyPassword),
          }),
          response: { 200: UserRead, ...mayFail(409, 429) },
        },
        handler: (request, reply) => changeOwn(request, reply, request.body).catch(refuseDeleted),
      });
    }

    app.delete(
      '/me',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['account'],
          operationId: 'close_account',
          summary: 'Delete the own account',
          body: Closed({ current_password: AnyPassword }),
          response: { 204: NoContent, ...mayFail(409, 429) },
        },
      },
      async (request, reply) => {
        const { user, session } = request.auth;
        await accounts.close({ user, sid: session.sid, ...request.body }).catch(refuseDeleted);
        return reply.code(204).send();
      },
    );
  };
}
