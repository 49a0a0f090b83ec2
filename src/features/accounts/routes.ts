import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import {
  AnyPassword,
  Closed,
  Email,
  mayFail,
  Name,
  NewPassword,
  NoContent,
  UserRead,
} from '../../http/schema.ts';
import type { Accounts } from './index.ts';

export function accountRoutes(accounts: Accounts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/signup',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'signup',
          summary: 'Make an account',
          body: Closed({ email: Email, password: NewPassword, name: Name }),
          response: { 201: UserRead, ...mayFail(403, 409) },
        },
      },
      async (request, reply) => {
        const user = await accounts.signUp(request.body);
        return reply.code(201).send(user);
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
          body: Closed({ name: Type.Optional(Name), email: Type.Optional(Email) }),
          response: { 200: UserRead, ...mayFail(409) },
        },
        handler: (request) => accounts.change(request.auth.user.id, request.body),
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
          response: { 204: NoContent, ...mayFail(409) },
        },
      },
      async (request, reply) => {
        await accounts.close({ userId: request.auth.user.id, ...request.body });
        return reply.code(204).send();
      },
    );
  };
}
