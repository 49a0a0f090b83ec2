import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, type TSchema, Type } from 'typebox';
import { ValidationError, valueError } from '../../errors.ts';
import { linkNextPage } from '../../http/next-page.ts';
import {
  Closed,
  Email,
  Issue,
  Locale,
  mayFail,
  Name,
  NewPassword,
  NoContent,
  OneOf,
  QueryBoolean,
  QueryInteger,
  Text,
  UserPath,
  UserRead,
} from '../../http/schema.ts';
import { createValidatorCompiler } from '../../http/validation.ts';
import { type ImportedFields, lifeCycleActions } from '../accounts/index.ts';
import type { Admin } from './index.ts';
import { listedStates } from './store.ts';

const Sort = OneOf(['id', '-id', 'email', '-email', 'name', '-name', 'created_at', '-created_at'], {
  default: 'id',
});

const ListUsers = Type.Object({
  skip: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: 'By default 0. Never beside `cursor`.' }),
  ),
  limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }),
  q: Type.Optional(Text({ maxLength: 255 })),
  is_active: Type.Optional(QueryBoolean()),
  is_admin: Type.Optional(QueryBoolean()),
  state: Type.Optional(
    OneOf([...listedStates], {
      description:
        '`pending`: may sign in, and has not proved the address. `deletion_scheduled`: closed, and erased at `delete_after`.',
    }),
  ),
  sort: Sort,
  cursor: Type.Optional(Text({ maxLength: 2048 })),
  count: QueryBoolean({ default: false }),
});

const Refusal = Type.Union(
  [OneOf(['cannot_deactivate_self', 'cannot_delete_self', 'last_admin']), Type.Null()],
  { description: 'The code that it would be refused with just now.' },
);
const UserLifeCycle = Closed(
  {
    state: OneOf(['pending', 'active', 'suspended', 'deletion_scheduled']),
    transitions: Type.Array(
      Closed({
        to: OneOf(['pending', 'active', 'suspended', 'deletion_scheduled', 'erased']),
        action: OneOf([...lifeCycleActions], {
          description: '`set_email`: another address by `PATCH`, which the administrator vouches for.',
        }),
        refused_because: Refusal,
      }),
    ),
    demotion_refused_because: Refusal,
  },
  { title: 'UserLifeCycle' },
);

const ImportRow = Closed(
  {
    email: Email,
    name: Name,
    password_hash: Type.Optional(
      Text({
        maxLength: 1024,
        description:
          'As the other system stored it. Without it the user sets a password by the mail that resets it.',
      }),
    ),
    is_admin: Type.Optional(Type.Boolean()),
    is_active: Type.Optional(Type.Boolean()),
    email_verified: Type.Optional(
      Type.Boolean({ description: 'By default `true`; whoever is not verified is mailed a link.' }),
    ),
    created_at: Type.Optional(
      Text({ maxLength: 64, description: 'A date and time of RFC 3339; by default now.' }),
    ),
    locale: Type.Optional(Locale),
  },
  { title: 'ImportRow' },
);
const importOf = <Row extends TSchema>(row: Row) =>
  Closed({ dry_run: Type.Boolean(), rows: Type.Array(row, { minItems: 1, maxItems: 500 }) });
const Import = importOf(ImportRow);
const ImportReport = Closed(
  {
    dry_run: Type.Boolean(),
    results: Type.Array(
      Closed({
        row: Type.Integer({ description: 'Its place in `rows`, from 0.' }),
        result: OneOf(['created', 'would_create', 'already_registered', 'invalid']),
        user_id: Type.Union([Type.Integer(), Type.Null()], { description: 'Of the account that was made.' }),
        issues: Type.Array(Issue),
      }),
    ),
  },
  { title: 'ImportReport' },
);
/** Five hundred rows with all their fields at their longest, hardly escaped. */
const importBodyLimit = 1024 * 1024;

const compile = createValidatorCompiler();

/** Reads the fields of a row as a body with the schema of rows would be read. */
function createRowCheck(): (row: unknown) => ImportedFields {
  const check = compile({ schema: ImportRow, method: 'POST', url: '/', httpPart: 'body' });
  return (row) => {
    if (typeof row === 'object' && row !== null && Object.hasOwn(row, 'password'))
      throw new ValidationError([
        valueError(
          ['body', 'password'],
          'plain passwords are not imported: give password_hash, or neither, and the user sets one by a mail',
        ),
      ]);
    const result: unknown = check(row);
    if (typeof result === 'object' && result !== null && 'error' in result) throw result.error;
    const { password_hash: hash, ...fields } = row as Static<typeof ImportRow>;
    return { ...fields, hash };
  };
}

export function adminRoutes(admin: Admin): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/users',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'list_users',
          summary: 'List and search users',
          description:
            'The next page is in the `Link` header (`rel="next"`). `q` finds what email or name contains; with fewer ' +
            'than three characters, what they begin with. `count=true` adds `X-Total-Count`.',
          querystring: ListUsers,
          response: { 200: Type.Array(UserRead) },
        },
      },
      async (request, reply) => {
        const page = await admin.list(request.query);
        if (page.total !== undefined) reply.header('X-Total-Count', page.total);
        linkNextPage(request, reply, page.next);
        return page.users;
      },
    );

    app.post(
      '/users',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'create_user',
          summary: 'Make an account for somebody',
          body: Closed({
            email: Email,
            password: NewPassword,
            name: Name,
            locale: Type.Optional(Locale),
            is_admin: Type.Optional(Type.Boolean()),
            is_active: Type.Optional(Type.Boolean()),
          }),
          response: { 201: UserRead, ...mayFail(409) },
        },
      },
      async (request, reply) => reply.code(201).send(await admin.create(request.body)),
    );

    const checkRow = createRowCheck();
    app.post(
      '/users/import',
      {
        config: { access: 'adminUser' },
        bodyLimit: importBodyLimit,
        // Rows are checked one by one: what is wrong with one is told of that one.
        validatorCompiler: (route) => compile({ ...route, schema: importOf(Type.Unknown()) }),
        schema: {
          tags: ['users'],
          operationId: 'import_users',
          summary: 'Take over accounts with their password hashes, each row for itself',
          description:
            'A dry run answers what would be done, duplicates among the rows included. Plain passwords are not taken.',
          body: Import,
          response: { 200: ImportReport },
        },
      },
      (request) => admin.import(request.body, checkRow),
    );

    app.get(
      '/users/:user_id',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'get_user',
          summary: 'Read a user',
          params: UserPath,
          response: { 200: UserRead, ...mayFail(404) },
        },
      },
      (request) => admin.find(request.params.user_id),
    );

    app.get(
      '/users/:user_id/life-cycle',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'get_user_life_cycle',
          summary: 'The state of a user, and what an administrator may do about it',
          description: 'What a rule refuses just now is told with the code of the failure.',
          params: UserPath,
          response: { 200: UserLifeCycle, ...mayFail(404) },
        },
      },
      (request) => admin.describeLife(request.params.user_id, request.auth.user.id),
    );

    app.patch(
      '/users/:user_id',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'update_user',
          summary: 'Change a user',
          description: 'Deactivation ends all sessions of the user.',
          params: UserPath,
          body: Closed({
            email: Type.Optional(Email),
            name: Type.Optional(Name),
            locale: Type.Optional(Locale),
            is_admin: Type.Optional(Type.Boolean()),
            is_active: Type.Optional(Type.Boolean()),
          }),
          response: { 200: UserRead, ...mayFail(404, 409) },
        },
      },
      (request) => admin.change(request.params.user_id, request.body, request.auth.user.id),
    );

    app.delete(
      '/users/:user_id',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'delete_user',
          summary: 'Delete a user',
          params: UserPath,
          response: { 204: NoContent, ...mayFail(404, 409) },
        },
      },
      async (request, reply) => {
        await admin.delete(request.params.user_id, request.auth.user.id);
        return reply.code(204).send();
      },
    );

    for (const [action, is_active] of [
      ['activate', true],
      ['deactivate', false],
    ] as const) {
      app.post(
        `/users/:user_id/${action}`,
        {
          config: { access: 'adminUser' },
          schema: {
            tags: ['users'],
            operationId: `${action}_user`,
            summary: is_active ? 'Let a user in again' : 'Lock a user out and end all sessions of the user',
            params: UserPath,
            response: { 200: UserRead, ...mayFail(404, 409) },
          },
        },
        (request) => admin.change(request.params.user_id, { is_active }, request.auth.user.id),
      );
    }

    app.post(
      '/users/:user_id/unlock',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'unlock_user',
          summary: 'Forget the failed logins of a user',
          description: 'Whoever had to wait, or was refused after too many, may try again.',
          params: UserPath,
          response: { 204: NoContent, ...mayFail(404) },
        },
      },
      async (request, reply) => {
        await admin.unlock(request.params.user_id);
        return reply.code(204).send();
      },
    );

    app.post(
      '/setup',
      {
        config: { access: 'public' },
        schema: {
          tags: ['users'],
          operationId: 'setup',
          summary: 'Make the first admin with the token printed at first start',
          body: Closed({ token: Text({}), email: Email, password: NewPassword, name: Name }),
          response: { 201: UserRead, ...mayFail(403, 409, 429) },
        },
      },
      async (request, reply) => reply.code(201).send(await admin.setUp(request.body)),
    );
  };
}
