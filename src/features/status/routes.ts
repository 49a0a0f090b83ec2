import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Closed, OneOf } from '../../http/schema.ts';
import type { Status } from './index.ts';

const Time = Type.String({ format: 'date-time' });
const Count = Type.Integer({ minimum: 0 });
const instanceFields = { id: Type.String(), version: Type.String(), started_at: Time };

const ServiceStatus = Closed(
  {
    instance: Closed(instanceFields, { description: 'The one that answers.' }),
    instances: Type.Array(Closed({ ...instanceFields, last_seen_at: Time, is_current: Type.Boolean() }), {
      description: 'All that were seen in the last minute, the longest running first.',
    }),
    database: Closed({ kind: OneOf(['sqlite', 'postgresql']) }),
    hash_queue: Closed(
      { running: Count, waiting: Count, slots: Count, limit: Count },
      { description: 'Password hashes of the instance that answers: `slots` at once, `limit` waiting.' },
    ),
    mail: Closed({
      is_configured: Type.Boolean({ description: 'Whether mails are sent: `MAIL_URL` is set.' }),
    }),
    outbox: Closed({
      asked: Count,
      queued: Count,
      sent: Count,
      dead: Count,
      oldest_waiting_at: Type.Union([Time, Type.Null()], {
        description: 'When the mail was asked for that waits longest.',
      }),
    }),
    audit_log: Closed({
      events: Type.Integer({ description: 'Recorded so far, those that retention removed included.' }),
      checkpoint: Type.Union([Type.Integer(), Type.Null()], { description: 'The number of the newest one.' }),
      checkpoint_at: Type.Union([Time, Type.Null()]),
    }),
  },
  { title: 'ServiceStatus' },
);

export function statusRoutes(status: Status): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/status',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['service'],
          operationId: 'get_status',
          summary: 'How the instance that answers is, and all that share its database',
          response: { 200: ServiceStatus },
        },
      },
      () => status.read(),
    );
  };
}
