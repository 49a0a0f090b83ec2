import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { BrowserRules } from '../../http/browser.ts';
import { ProofFields, readProof } from '../../http/proof.ts';
import { Closed, Email, Message, mayFail, NewPassword, UserPath } from '../../http/schema.ts';
import { digestBrowser } from '../mail-links/index.ts';
import type { Recovery } from './index.ts';

export function recoveryRoutes(recovery: Recovery, browser: BrowserRules): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/forgot-password',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'forgot_password',
          summary: 'Ask for the mail that resets a password',
          description: 'The answer is the same for everybody.',
          body: Closed({ email: Email }),
          response: { 202: Message, ...mayFail(429) },
        },
      },
      async (request, reply) => {
        const browser_digest = digestBrowser(browser.markOf(request, reply));
        await recovery.ask({ ...request.body, browser_digest });
        return reply.code(202).send({ message: 'If there is an account, a mail is on its way' });
      },
    );

    app.post(
      '/reset-password',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'reset_password',
          summary: 'Set a new password by mail',
          description:
            'By `token`, the link of the mail, or by its `code` and `email`. Every session of the user ends, and the address ' +
            'is verified. It logs nobody in.',
          body: Closed({ ...ProofFields, new_password: NewPassword }),
          response: { 200: Message, ...mayFail(429) },
        },
      },
      async (request) => {
        const { new_password, ...fields } = request.body;
        const sent = readProof(fields, { isSignedIn: false, mark: browser.readCookie(request, 'mark') });
        await recovery.reset({ new_password, sent });
        return { message: 'Password reset successfully' };
      },
    );

    app.post(
      '/users/:user_id/reset-password',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'send_password_reset',
          summary: 'Mail a user the link that resets the password',
          description:
            'Whatever the limits on asking for mails. The password stays as it is until the link is used.',
          params: UserPath,
          response: { 202: Message, ...mayFail(404, 409) },
        },
      },
      async (request, reply) => {
        await recovery.send(request.params.user_id);
        return reply.code(202).send({ message: 'A mail is on its way' });
      },
    );
  };
}
