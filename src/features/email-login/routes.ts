import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { BrowserRules } from '../../http/browser.ts';
import { ProofFields, readProof } from '../../http/proof.ts';
import { Closed, Email, Message, mayFail } from '../../http/schema.ts';
import type { Accounts } from '../accounts/index.ts';
import { digestBrowser } from '../mail-links/index.ts';
import { answerLogin, TokenAnswer, TransportQuery } from '../sessions/index.ts';
import type { EmailLogin } from './index.ts';

export function emailLoginRoutes(
  emailLogin: EmailLogin,
  findByEmail: Accounts['findByEmail'],
  browser: BrowserRules,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/login/email',
      {
        config: { access: 'public' },
        schema: {
          tags: ['sessions'],
          operationId: 'request_email_login',
          summary: 'Ask for a mail that logs in',
          description: 'The answer is the same whether there is an account with the address or not.',
          body: Closed({ email: Email }),
          response: { 202: Message, ...mayFail(429) },
        },
      },
      async (request, reply) => {
        const browser_digest = digestBrowser(browser.markOf(request, reply));
        await emailLogin.ask({ email: request.body.email, browser_digest });
        return reply.code(202).send({ message: 'If the address has an account, a mail is on its way' });
      },
    );

    app.post(
      '/login/email/verify',
      {
        config: { access: 'public' },
        schema: {
          tags: ['sessions'],
          operationId: 'login_by_email',
          summary: 'Log in by the link or the code of a mail',
          description:
            'By `token`, the link of the mail, or by its `code` together with `email`. It verifies the address; an account ' +
            'whose address was not verified before loses its sessions and its password. Tokens as `POST /auth/login` gives them.',
          querystring: TransportQuery,
          body: Closed(ProofFields),
          response: { 200: TokenAnswer, ...mayFail(403, 429) },
        },
      },
      async (request, reply) =>
        answerLogin(browser, request, reply, request.query.transport, async (client) => {
          const mark = browser.readCookie(request, 'mark');
          const sent = readProof(request.body, { isSignedIn: false, mark });
          if ('token' in sent) return emailLogin.logIn({ proof: sent, client });
          const user = await findByEmail(sent.email ?? '');
          return emailLogin.logIn({ proof: { code: sent.code, user }, client });
        }),
    );
  };
}
