import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { type AuditKind, auditKinds } from '../../audit-kinds.ts';
import { linkNextPage } from '../../http/next-page.ts';
import { Closed, OneOf, QueryInteger, Text } from '../../http/schema.ts';
import type { Audit, EventPage } from './index.ts';
import { readRange } from './list.ts';
import type { VerificationState } from './verification.ts';

const Kind = OneOf(Object.keys(auditKinds) as AuditKind[]);
const Result = OneOf(['success', 'failure']);
const OrNull = (type: ReturnType<typeof Type.Integer> | ReturnType<typeof Type.String>) =>
  Type.Union([type, Type.Null()]);

const AuditEventRead = Closed(
  {
    id: Type.String(),
    time: Type.String({ format: 'date-time', description: 'RFC 3339, in UTC.' }),
    kind: Kind,
    result: Result,
    actor: OrNull(Type.Integer({ description: 'The id of the user who did it; null for nobody signed in.' })),
    user_id: OrNull(Type.Integer({ description: 'The id of the user whom it concerns.' })),
    network: OrNull(Type.String({ description: 'Where the request came from.' })),
    request_id: OrNull(Type.String({ description: '`X-Request-Id` of the request.' })),
    detail: Type.Object({}, { additionalProperties: true, description: 'What else there is to tell.' }),
  },
  { title: 'AuditEvent' },
);

const Page = {
  limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }),
  cursor: Type.Optional(Text({ maxLength: 64 })),
};
const timeHint = 'A date or a date-time of RFC 3339';
const Range = {
  from: Type.Optional(Text({ maxLength: 64, description: `${timeHint}.` })),
  to: Type.Optional(Text({ maxLength: 64, description: `${timeHint}; up to before it.` })),
};

function sendPage(request: FastifyRequest, reply: FastifyReply, { events, next }: EventPage) {
  linkNextPage(request, reply, next);
  return events;
}

const Time = OrNull(Type.String({ format: 'date-time' }));
const AuditVerification = Closed(
  {
    instance_id: Type.String({
      description: 'Of the instance that answers; each has a verification of its own.',
    }),
    state: OneOf(['none', 'running', 'done', 'failed']),
    started_at: Time,
    finished_at: Time,
    events_checked: Type.Integer(),
    events_total: Type.Integer({ description: 'How many there were when it began.' }),
    result: Type.Union([
      Closed({
        ok: Type.Boolean(),
        events: Type.Integer(),
        pruned: Type.Integer({ description: 'Removed by retention.' }),
        erased: Type.Integer({ description: 'Without what they said of a person, who was erased.' }),
        checkpoints: Type.Integer(),
        until: OrNull(Type.String({ description: 'When the newest event happened that was checked.' })),
        public_key: Type.String(),
        findings: Type.Array(
          Closed({
            code: Type.String(),
            message: Type.String(),
            chain: Type.Optional(Type.Integer()),
            position: Type.Optional(Type.Integer()),
            event_id: Type.Optional(Type.String()),
          }),
          { description: 'The first hundred.' },
        ),
        findings_left_out: Type.Integer(),
      }),
      Type.Null(),
    ]),
  },
  { title: 'AuditVerification' },
);

/** How long a request waits for the end of a verification. */
const patienceMs = 2_000;

/** As the schema has it: what somebody wrote into the database stands for numbers and texts, perhaps. */
function tellVerification(
  instance_id: string,
  { result, ...state }: VerificationState,
): Static<typeof AuditVerification> {
  if (result === null) return { instance_id, ...state, result };
  const { checkpoints_of_earlier_keys: _, findings, until, ...rest } = result;
  const told = findings.map(({ position, event_id, ...finding }) => ({
    ...finding,
    ...(Number.isSafeInteger(position) ? { position } : {}),
    ...(event_id === undefined ? {} : { event_id: String(event_id) }),
  }));
  const newest = until === null ? null : String(until);
  return { instance_id, ...state, result: { ...rest, until: newest, findings: told } };
}

export function auditRoutes(audit: Audit, instanceId: string): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/audit-events',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['audit'],
          operationId: 'list_audit_events',
          summary: 'What happened, the newest first',
          description: 'The next page is in the `Link` header (`rel="next"`).',
          querystring: Type.Object({
            user_id: Type.Optional(Type.Integer({ description: 'Whom it concerns.' })),
            actor: Type.Optional(Type.Integer({ description: 'Who did it.' })),
            kind: Type.Optional(Kind),
            result: Type.Optional(Result),
            ...Range,
            ...Page,
          }),
          response: { 200: Type.Array(AuditEventRead) },
        },
      },
      async (request, reply) => sendPage(request, reply, await audit.list(request.query)),
    );

    app.get(
      '/audit-events/export',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['audit'],
          operationId: 'export_audit_events',
          summary: 'The audit log, to be kept and checked elsewhere',
          description: 'JSON Lines that `doorward audit verify --file` checks without the database.',
          querystring: Type.Object(Range),
          response: {
            200: {
              description: 'A header, the events by chain, and a signed statement',
              content: { 'application/x-ndjson': { schema: Type.Unsafe<Readable>({ type: 'string' }) } },
            },
          },
        },
      },
      async (request, reply) => {
        const parts = Readable.from(audit.export(readRange(request.query)));
        return reply.type('application/x-ndjson').send(parts.map((part) => `${part}\n`));
      },
    );

    app.post(
      '/audit-events/verify',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['audit'],
          operationId: 'verify_audit_log',
          summary: 'Check that the audit log is as it was written',
          description:
            'Waits two seconds for the result; a longer one goes on, and `GET /audit-events/verification` tells how far it is.',
          response: { 200: AuditVerification, 202: AuditVerification },
        },
      },
      async (_request, reply) => {
        const state = await audit.verifier.run(patienceMs);
        return reply.code(state.state === 'running' ? 202 : 200).send(tellVerification(instanceId, state));
      },
    );

    app.get(
      '/audit-events/verification',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['audit'],
          operationId: 'get_audit_verification',
          summary: 'The verification that the instance was last asked for',
          response: { 200: AuditVerification },
        },
      },
      async () => tellVerification(instanceId, audit.verifier.state()),
    );

    app.get(
      '/me/activity',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['me'],
          operationId: 'my_activity',
          summary: 'What happened to the own account, the newest first',
          description:
            'Also what administrators did, without where from. The next page is in the `Link` header (`rel="next"`).',
          querystring: Type.Object(Page),
          response: { 200: Type.Array(AuditEventRead) },
        },
      },
      async (request, reply) =>
        sendPage(request, reply, await audit.activity(request.auth.user.id, request.query)),
    );
  };
}
