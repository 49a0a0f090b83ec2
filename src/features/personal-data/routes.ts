import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { withOrigin } from '../../origin.ts';
import type { PersonalData } from './index.ts';

export function personalDataRoutes(personalData: PersonalData): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/me/export',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['me'],
          operationId: 'export_personal_data',
          summary: 'Everything that is held on the own account',
          description:
            'One JSON document: the profile, sessions, mails and activity, without secrets. That it was asked for is in the ' +
            'audit log.',
          response: {
            200: {
              description: 'A file',
              content: { 'application/json': { schema: Type.Unsafe<Readable>({ type: 'object' }) } },
            },
          },
        },
      },
      async (request, reply) => {
        const { user } = request.auth;
        const origin = {
          via: 'http',
          actor: user.id,
          network: request.clientAddress || null,
          request_id: request.id,
        } as const;
        const parts = personalData.export(user);
        // What fails before there is anything to send is answered as a failure.
        const first = await withOrigin(origin, () => parts.next());
        const all = async function* () {
          if (!first.done) yield first.value;
          yield* parts;
        };
        return reply
          .type('application/json; charset=utf-8')
          .header('content-disposition', `attachment; filename="account-${user.id}.json"`)
          .send(Readable.from(all()));
      },
    );
  };
}
