import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Closed, OneOf } from '../../http/schema.ts';
import { type SettingsView, settingSources } from './list.ts';

const TextOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

const SettingRead = Closed(
  {
    name: Type.String(),
    description: Type.String(),
    accepts: Type.String({ description: 'What values it takes, in words.' }),
    default: TextOrNull('As it would be written in the environment; null for none.'),
    value: TextOrNull('The value in force, passwords in URLs masked; null for none, and for every secret.'),
    source: OneOf([...settingSources], {
      description:
        '`file`: `.env`, or the `secret.key` that was made at the first start. `option`: the program that embeds Doorward.',
    }),
    is_secret: Type.Boolean(),
    is_set: Type.Boolean({ description: 'Whether there is a value, also where it is not shown.' }),
  },
  { title: 'SettingRead' },
);

export function settingRoutes(settings: SettingsView): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/settings',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['service'],
          operationId: 'list_settings',
          summary: 'Every setting: what it is, and where it comes from',
          response: { 200: Type.Array(SettingRead) },
        },
      },
      async () => settings.list(),
    );
  };
}
