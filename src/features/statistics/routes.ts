import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Closed, QueryInteger } from '../../http/schema.ts';
import type { Statistics } from './index.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });

const StatisticsRead = Closed(
  {
    days: Type.Array(
      Closed({
        day: Type.String({ format: 'date', description: 'In UTC.' }),
        sign_ups: Count('Accounts that people made themselves, invitations that they accepted included.'),
        logins: Count('Logins.'),
        failed_logins: Count('Refused logins, whatever the reason.'),
        throttled: Count('Budgets of logins and sign-ups that ran out.'),
        active_users: Count('Different users who logged in or refreshed their tokens.'),
      }),
      { description: 'The oldest first; the last one is today so far.' },
    ),
    totals: Closed({
      users: Count('All accounts.'),
      active: Count('Those that may log in.'),
      admins: Count('Active administrators.'),
      unverified: Count('Those whose address is not proved.'),
      scheduled: Count('Those that their owners closed and that are erased later.'),
    }),
    counted_at: Type.String({ format: 'date-time', description: 'When today and the totals were counted.' }),
  },
  { title: 'Statistics' },
);

export function statisticsRoutes(statistics: Statistics): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/statistics',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['service'],
          operationId: 'get_statistics',
          summary: 'What happened on each day, and how many users there are',
          querystring: Type.Object({ days: QueryInteger({ minimum: 1, maximum: 365, default: 30 }) }),
          response: { 200: StatisticsRead },
        },
      },
      (request) => statistics.read(request.query.days),
    );
  };
}
