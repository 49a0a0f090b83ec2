import { type Static, type TProperties, type TSchemaOptions, Type } from 'typebox';

/**
 * The schemas that features build their routes from. One schema gives validation, serialisation, type and OpenAPI.
 * What `validation.ts` does with the keyword `text`, and with integers and booleans in paths and queries, is told there.
 */

/** How a text is normalised before its code points are counted; the handler gets the normalised text. */
export type TextForm = 'trim' | 'nfc' | 'as-is';

interface TextOptions extends TSchemaOptions {
  /** In code points, after normalisation. */
  minLength?: number;
  /** In code points, after normalisation. */
  maxLength?: number;
  normalise?: 'trim' | 'nfc';
  format?: 'email';
}

/** An object that refuses fields that it does not name. */
export function Closed<Properties extends TProperties>(properties: Properties, options: TSchemaOptions = {}) {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** A text without NUL and lone surrogates, which not every database can hold. */
export function Text({ normalise, ...options }: TextOptions = {}) {
  const text: TextForm = normalise ?? 'as-is';
  return Type.String({ ...options, text });
}

/** One of the given texts. */
export function OneOf<const Values extends string[]>(values: [...Values], options: TSchemaOptions = {}) {
  return Type.Unsafe<Values[number]>({ ...options, type: 'string', enum: values });
}

/** An email address that `parseEmailAddress` reads. */
export const Email = Text({
  format: 'email',
  maxLength: 255,
  normalise: 'trim',
  examples: ['test@example.com'],
});

/** A person's name. */
export const Name = Text({ minLength: 1, maxLength: 100, normalise: 'trim', examples: ['Test User'] });

/** The language in which to write to somebody. */
export const Locale = Text({
  minLength: 2,
  maxLength: 35,
  description: 'A language tag (BCP 47) such as `de` or `pt-BR`.',
  examples: ['en'],
});

/** A password being set. It is never trimmed or cut; the policy is checked by the feature. */
export const NewPassword = Text({
  minLength: 8,
  maxLength: 128,
  normalise: 'nfc',
  examples: ['Correct!Horse9'],
});

/** A password being checked. An empty or overlong one is simply wrong; the body limit bounds its length. */
export const AnyPassword = Text({ normalise: 'nfc' });

/**
 * A user's id in a path. Digits beyond 2^53 - 1 are read as 2^53 - 1, an id that no user has, so that they are
 * answered with 404 like every other unknown id.
 */
export const UserId = Type.Integer({ description: 'The id of a user.' });

/** Path parameters of a route about one user. */
export const UserPath = Type.Object({ user_id: UserId });

/** An integer in a query; `default` when it is not there. */
export function QueryInteger(options: {
  minimum?: number;
  maximum?: number;
  default: number;
  description?: string;
}) {
  return Type.Integer(options);
}

/** A truth value in a query: true/false, 1/0, on/off, yes/no, t/f or y/n in any case, as the reference reads it. */
export function QueryBoolean(options: { default?: boolean; description?: string } = {}) {
  return Type.Boolean(options);
}

/** A user as every answer shows it. */
export const UserRead = Closed(
  {
    id: Type.Integer({ description: 'Never used twice, even after deletion.' }),
    email: Type.String({ description: 'As entered.' }),
    name: Type.String(),
    is_active: Type.Boolean(),
    is_admin: Type.Boolean(),
    created_at: Type.String({ format: 'date-time', description: 'RFC 3339, in UTC.' }),
    email_verified: Type.Boolean({ description: 'Whether mail to the address is known to reach the user.' }),
    pending_email: Type.Union([Type.String(), Type.Null()], {
      description: 'The address that replaces `email` once it is confirmed.',
    }),
    locale: Type.Union([Type.String(), Type.Null()], {
      description: 'The language in which to write to the user (BCP 47).',
    }),
    delete_after: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When the account, which its owner closed, is erased; a login before that restores it.',
    }),
  },
  { title: 'UserRead' },
);
export type UserRead = Static<typeof UserRead>;

/** The shape of every failure but a validation error. */
export const ErrorBody = Type.Object(
  {
    detail: Type.String({ description: 'A constant text.' }),
    code: Type.String({ description: 'A code from a closed list.' }),
  },
  { title: 'Error' },
);

/** One fault of what was sent. */
export const Issue = Type.Object({
  type: Type.String(),
  loc: Type.Array(Type.Union([Type.String(), Type.Integer()])),
  msg: Type.String(),
  ctx: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()]))),
});

/** The shape of 422, as FastAPI's. It never repeats what was sent. */
export const ValidationErrorBody = Type.Object(
  {
    detail: Type.Array(Issue),
    code: Type.Literal('validation_error'),
  },
  { title: 'ValidationError' },
);

/** The answer that says what was done, in a constant text. */
export const Message = Type.Object({ message: Type.String() });

/** The answer that has no body. */
export const NoContent = Type.Unsafe<undefined>({ type: 'null', description: 'Done.' });

/** The failures of a route beside those that every route of its kind can answer. */
export function mayFail<const Status extends number>(...statuses: Status[]) {
  return Object.fromEntries(statuses.map((status) => [status, ErrorBody])) as Record<
    Status,
    typeof ErrorBody
  >;
}
