import { type Command, InvalidArgumentError } from 'commander';
import type { ReadInvitation } from '../features/invitations/index.ts';
import { confirmationOnTerminal } from './input.ts';
import { createTable, isUnread, print, printable } from './output.ts';

const perPage = 200;

function readId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError('It must be the number of an invitation.');
  return Number(text);
}

/** Prints invitations: a table, or one InvitationRead object a line. Returns what prints the next ones below. */
function createPrinter({ json }: { json?: true | undefined }) {
  const table = createTable();
  let header: string[][] = [['ID', 'EMAIL', 'STATE', 'ROLE', 'CREATED', 'EXPIRES', 'NAME']];
  return async (invitations: readonly ReadInvitation[]) => {
    const rows = invitations.map((invitation) => [
      String(invitation.id),
      printable(invitation.email),
      invitation.state,
      invitation.is_admin ? 'admin' : 'user',
      invitation.created_at,
      invitation.expires_at,
      printable(invitation.name ?? ''),
    ]);
    const lines = json
      ? invitations.map((invitation) => JSON.stringify(invitation))
      : table([...header, ...rows]);
    header = [];
    if (lines.length > 0) await print(lines.join('\n'));
  };
}

export function addInvitations(program: Command): void {
  const invitations = program
    .command('invitations')
    .description('Invite people by mail; a running server sends it.')
    .helpCommand(false);

  invitations
    .command('create')
    .description('Invite somebody, who chooses the password.')
    .requiredOption('--email <email>', 'Email address, which is what the user logs in with.')
    .option('--name <name>', 'Name of the person; without it whoever accepts is asked.')
    .option('--admin', 'Make the user an administrator.')
    .option('--locale <tag>', 'Language of the mail, such as de or pt-BR.')
    .option('--json', 'Print the invitation as JSON.')
    .action(
      async ({
        admin,
        json,
        ...given
      }: {
        email: string;
        name?: string;
        locale?: string;
        admin?: true;
        json?: true;
      }) => {
        const { createCheck } = await import('./check.ts');
        const { withNewCore } = await import('./core.ts');
        const { Closed, Email, Locale, Name } = await import('../http/schema.ts');
        const { Type } = await import('typebox');
        const schema = Closed({ email: Email, name: Type.Optional(Name), locale: Type.Optional(Locale) });
        const invitee = createCheck(schema)(given);
        await withNewCore(async (core) => {
          const invitation = await core.invitations.create({ ...invitee, is_admin: admin === true });
          await createPrinter({ json })([invitation]);
        });
      },
    );

  invitations
    .command('list')
    .description('List invitations that nobody has accepted, the newest first.')
    .option('--json', 'Print one JSON object a line.')
    .action(async (options: { json?: true }) => {
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        const printInvitations = createPrinter(options);
        let cursor: string | undefined;
        do {
          const page = await core.invitations.list({ limit: perPage, cursor });
          await printInvitations(page.invitations);
          cursor = page.next;
        } while (cursor !== undefined && !isUnread());
      });
    });

  invitations
    .command('delete')
    .argument('<id>', 'The number that the list shows.', readId)
    .description('Take an invitation back; its link stops working.')
    .option('--yes', 'Do not ask.')
    .action(async (id: number, options: { yes?: true }) => {
      const confirm = confirmationOnTerminal(options);
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        await confirm(`Take invitation ${id} back?`);
        await core.invitations.withdraw(id);
        await print(`Deleted ${id}`);
      });
    });
}
