/** What a mail may be given to say. Times are RFC 3339. */
export type MailParams = Readonly<Record<string, string | number | boolean | null>>;

/**
 * Rows of the table of a mail, each a parameter of that name with a label in the messages. A device has its system in a
 * parameter `system`, and is null when it is not known.
 */
type Detail = 'device' | 'network' | 'time' | 'new_email' | 'email' | 'inviter';

type Reason = 'account' | 'former_account' | 'entered' | 'invited';

interface KindDefinition {
  readonly hasLink?: true;
  readonly hasCode?: true;
  /** The button is for whoever did not do it, not for whoever did. */
  readonly undoes?: true;
  readonly details?: readonly Detail[];
  /** Times that sentences of this kind may name. */
  readonly times?: readonly string[];
  /** Why one gets the mail. */
  readonly reason: Reason;
  /** What happened has a sentence for each of these, chosen by the parameters; without them there is one for all. */
  readonly variants?: readonly string[];
  readonly variant?: (params: MailParams) => string;
  /** Why, in variants where it is another reason. */
  readonly variantReasons?: Readonly<Record<string, Reason>>;
}

/** Every mail there is. A mail is a subject, which is its heading, and three sentences: what happened, what to do, what to do otherwise. */
const definitions = {
  verify_email: { hasLink: true, hasCode: true, reason: 'entered' },
  reset_password: { hasLink: true, hasCode: true, reason: 'account' },
  email_login: { hasLink: true, hasCode: true, reason: 'account' },
  change_email: { hasLink: true, hasCode: true, details: ['new_email'], reason: 'entered' },
  email_change_asked: { hasLink: true, undoes: true, details: ['new_email'], reason: 'account' },
  email_changed: { hasLink: true, undoes: true, details: ['new_email'], reason: 'former_account' },
  email_restored: { details: ['email'], reason: 'account' },
  invitation: { hasLink: true, details: ['inviter'], reason: 'invited' },
  already_registered: { reason: 'entered' },
  new_device: { details: ['device', 'network', 'time'], reason: 'account' },
  password_changed: { details: ['time'], reason: 'account' },
  session_reused: { details: ['device', 'network', 'time'], reason: 'account' },
  account_attacked: { details: ['time'], reason: 'account' },
  changed_by_administrator: {
    details: ['time'],
    reason: 'account',
    variants: [
      'promoted',
      'demoted',
      'suspended',
      'reactivated',
      'email_changed',
      'password_set',
      'name_changed',
    ],
    variant: ({ what }) => String(what),
    // This one tells the address that the account had.
    variantReasons: { email_changed: 'former_account' },
  },
  deletion_scheduled: { times: ['delete_after'], reason: 'account' },
  account_restored: { reason: 'account' },
  account_deleted: {
    reason: 'former_account',
    variants: ['by_owner', 'by_administrator'],
    variant: ({ by_administrator }) => (by_administrator === true ? 'by_administrator' : 'by_owner'),
  },
} as const satisfies Record<string, KindDefinition>;

export type MailKind = keyof typeof definitions;

export const mailKinds = Object.keys(definitions) as readonly MailKind[];

export function definitionOf(kind: MailKind): KindDefinition {
  return definitions[kind];
}

const commonKeys = {
  'link.hint': [],
  'link.expires': ['expires'],
  'code.hint': [],
  'code.lifetime': ['duration'],
  'text.label': ['label'],
  // Stands in the table.
  'device.on': ['browser', 'system'],
  'device.unknown': [],
};

/**
 * Every message that a language has, with the placeholders that it may hold. None of them is chosen by a user: what
 * users choose stands in the table of details alone, so that it never reads as a sentence of ours.
 */
export const messageKeys: ReadonlyMap<string, readonly string[]> = new Map(
  [
    ...Object.entries(commonKeys),
    ...mailKinds.flatMap((kind): [string, readonly string[]][] => {
      const { hasLink, details = [], times = [], reason, variants, variantReasons = {} } = definitionOf(kind);
      const happened = variants?.map((variant) => `happened_${variant}`) ?? ['happened'];
      return [
        [`${kind}.subject`, ['product']],
        ...[...happened, 'to_do', 'otherwise'].map((name): [string, string[]] => [
          `${kind}.${name}`,
          ['product', ...times],
        ]),
        ...(hasLink ? [[`${kind}.button`, []] as [string, string[]]] : []),
        ...details.map((detail): [string, string[]] => [`details.${detail}`, []]),
        ...[reason, ...Object.values(variantReasons)].map((name): [string, string[]] => [
          `reasons.${name}`,
          ['product'],
        ]),
      ];
    }),
  ].sort(([one], [other]) => (one < other ? -1 : 1)),
);
