import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { ValidationError } from '../../errors.ts';
import type { BrowserRules } from '../../http/browser.ts';
import { callerOf } from '../../http/guards.ts';
import { ProofFields, readProof } from '../../http/proof.ts';
import { Closed, Email, Message, mayFail, UserRead } from '../../http/schema.ts';
import { digestBrowser } from '../mail-links/index.ts';
import type { Verification } from './index.ts';

const missingEmail = () =>
  new ValidationError([{ type: 'missing', loc: ['body', 'email'], msg: 'Field required' }]);

export function verificationRoutes(
  verification: Verification,
  browser: BrowserRules,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/verify-email/request',
      {
        config: { access: 'optionalUser' },
        // Whoever is signed in has nothing to say in a body.
        preValidation: async (request) => {
          if (request.body === undefined) request.body = {};
        },
        schema: {
          tags: ['account'],
          operationId: 'request_verification',
          summary: 'Ask for the mail that verifies an address',
          description:
            'For the own account when signed in, or for the address that is named. The answer is the same for everybody.',
          body: Closed({ email: Type.Optional(Email) }),
          response: { 202: Message, ...mayFail(429) },
        },
      },
      async (request, reply) => {
        const user = callerOf(request)?.user;
        const { email } = request.body;
        const asked = email === undefined ? user && { user } : { email };
        if (asked === undefined) throw missingEmail();
        const browser_digest = digestBrowser(browser.markOf(request, reply));
        if (!('user' in asked && asked.user.email_verified))
          await verification.ask({ asked, browser_digest });
        return reply.code(202).send({ message: 'If the address is to be verified, a mail is on its way' });
      },
    );

    app.post(
      '/verify-email',
      {
        config: { access: 'optionalUser' },
        schema: {
          tags: ['account'],
          operationId: 'verify_email',
          summary: 'Verify an address',
          description:
            'By `token`, the link of the mail; or by its `code`, which takes `email` unless one is signed in.',
          body: Closed(ProofFields),
          response: { 200: UserRead, ...mayFail(429) },
        },
      },
      (request) => {
        const caller = callerOf(request)?.user;
        const mark = browser.readCookie(request, 'mark');
        const sent = readProof(request.body, { isSignedIn: caller !== undefined, mark });
        return verification.confirm({ caller, sent });
      },
    );
  };
}
