import { type Command, InvalidArgumentError, Option } from 'commander';
import { createUserPrinter, isUnread } from '../output.ts';

interface Options {
  q?: string;
  active?: true;
  inactive?: true;
  admins?: true;
  sort: string;
  limit?: number;
  json?: true;
}

const fields = ['id', 'email', 'name', 'created_at'];
const usersPerPage = 200;

function readLimit(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

export function addList(users: Command): void {
  users
    .command('list')
    .description('List accounts.')
    .option(
      '--q <text>',
      'Only those whose email or name contains this text (with one or two characters: begins with).',
    )
    .addOption(new Option('--active', 'Only those who may log in.').conflicts('inactive'))
    .option('--inactive', 'Only those who are deactivated.')
    .option('--admins', 'Only administrators.')
    .addOption(
      new Option('--sort <field>', 'Order; a minus before the field reverses it.')
        .choices(fields.flatMap((field) => [field, `-${field}`]))
        .default('id'),
    )
    .option('--limit <number>', 'How many at most.', readLimit)
    .option('--json', 'Print one JSON object a line.')
    .action(
      async ({ q, active, inactive, admins, sort, limit = Number.POSITIVE_INFINITY, json }: Options) => {
        const { createCheck } = await import('../check.ts');
        const { withCore } = await import('../core.ts');
        const { Closed, Text } = await import('../../http/schema.ts');
        createCheck(Closed({ q: Text({ maxLength: 255 }) }))({ q: q ?? '' });
        await withCore(async ({ admin }) => {
          const printUsers = createUserPrinter({ json });
          let left = limit;
          let cursor: string | undefined;
          do {
            const page = await admin.list({
              q,
              is_active: active ?? (inactive ? false : undefined),
              is_admin: admins,
              sort,
              limit: Math.min(left, usersPerPage),
              cursor,
              count: false,
            });
            await printUsers(page.users);
            left -= page.users.length;
            cursor = page.next;
          } while (cursor !== undefined && left > 0 && !isUnread());
        });
      },
    );
}
