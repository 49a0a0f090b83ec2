import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { AnyPassword, Closed, mayFail, NewPassword } from '../../http/schema.ts';
import type { Passwords } from './index.ts';

export function passwordRoutes(passwords: Passwords): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/me/password',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['account'],
          operationId: 'change_password',
          summary: 'Change the own password',
          description: 'Every other session of the user ends.',
          body: Closed({ current_password: AnyPassword, new_password: NewPassword }),
          response: { 200: Type.Object({ message: Type.String() }), ...mayFail(429) },
        },
      },
      async (request) => {
        const { user, session } = request.auth;
        await passwords.change({ user, sid: session.sid, ...request.body });
        return { message: 'Password changed successfully' };
      },
    );
  };
}
