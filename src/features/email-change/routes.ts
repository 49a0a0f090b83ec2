import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { DoorwardError } from '../../errors.ts';
import type { BrowserRules } from '../../http/browser.ts';
import { callerOf } from '../../http/guards.ts';
import { ProofFields, readProof } from '../../http/proof.ts';
import { Closed, mayFail, Text, UserRead } from '../../http/schema.ts';
import type { EmailChange } from './index.ts';

export function emailChangeRoutes(
  emailChange: EmailChange,
  browser: BrowserRules,
): FastifyPluginAsyncTypebox {
  const { token, code } = ProofFields;
  return async (app) => {
    app.post(
      '/change-email',
      {
        config: { access: 'optionalUser' },
        schema: {
          tags: ['account'],
          operationId: 'confirm_email_change',
          summary: 'Confirm a new address',
          description: 'By the link that was mailed to it, or signed in by the code of that mail.',
          body: Closed({ token, code }),
          response: { 200: UserRead, ...mayFail(409, 429) },
        },
      },
      (request) => {
        const caller = callerOf(request)?.user;
        const sent = readProof(request.body, { isSignedIn: true, mark: browser.readCookie(request, 'mark') });
        if ('token' in sent) return emailChange.confirm({ proof: sent, caller });
        if (caller === undefined) throw new DoorwardError('not_authenticated');
        return emailChange.confirm({ proof: { code: sent.code, user: caller }, caller });
      },
    );

    app.post(
      '/change-email/undo',
      {
        config: { access: 'public' },
        schema: {
          tags: ['account'],
          operationId: 'undo_email_change',
          summary: 'Take a change of the address back',
          description:
            'By the link that was mailed to the former address. A change that is not confirmed yet never happens; ' +
            'otherwise the former address is restored, all sessions end, and the password, which somebody else may know, is removed.',
          body: Closed({ token: Text({ minLength: 1, maxLength: 256 }) }),
          response: { 200: UserRead, ...mayFail(409, 429) },
        },
      },
      (request) => emailChange.undo(request.body.token),
    );
  };
}
