/** A backup or a restore in a process that can be killed: arguments `what database file`. Begins when told to on standard input. */
import { once } from 'node:events';
import { restoreBackup } from '../../src/cli/backups/restore.ts';
import { writeBackup } from '../../src/cli/backups/write.ts';
import { readSettings } from '../../src/settings.ts';

const [, , what, database = '', file = ''] = process.argv;
process.stdout.write('ready\n');
await once(process.stdin, 'data');
if (what === 'backup') {
  await writeBackup(database, file, { replace: true, readPassphrase: undefined });
} else {
  const settings = readSettings({ DATABASE_URL: `sqlite:${database}`, SECRET_KEY: process.env.SECRET_KEY });
  await restoreBackup(database, file, settings, {
    isEncrypted: false,
    passphraseReader: () => async () => '',
    confirmation: () => async () => {},
  });
}
process.exit();
