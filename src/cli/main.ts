#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { describeOldNode, version } from '../version.ts';
import { addAudit } from './audit.ts';
import { addBackup, addRestore } from './backups/index.ts';
import { addConfig } from './config.ts';
import { describeFailure } from './failures.ts';
import { addHelp } from './help.ts';
import { addInvitations } from './invitations.ts';
import { addKeys } from './keys.ts';
import { addMail } from './mail/index.ts';
import { addMigrate } from './migrate.ts';
import { warn } from './output.ts';
import { addSecretKey } from './secret-key.ts';
import { addServe } from './serve.ts';
import { addServices } from './services.ts';
import { addUsers } from './users/index.ts';

const oldNode = describeOldNode();
if (oldNode !== undefined) {
  warn(oldNode);
  process.exit(1);
}

// `print` tells what went wrong; there is nowhere to tell what else could not be.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

// Commands load what they need when they run, so that help needs no database, and `serve` can size the thread pool
// before anything uses it.
const program = new Command('doorward')
  .description('User management: accounts, sessions and administration.')
  .version(version, '-V, --version', 'Print the version.')
  .helpOption('-h, --help', 'Print this help.')
  .helpCommand(false)
  .configureOutput({ outputError: (text) => warn(describeUsage(text)) })
  .exitOverride()
  .addHelpText(
    'after',
    '\nSettings come from the environment and from .env in the working folder; see "doorward config".' +
      '\nExit codes: 0 done, 1 failed, 2 wrong usage or settings.',
  );
addServe(program);
addMigrate(program);
addBackup(program);
addRestore(program);
addConfig(program);
addUsers(program);
addInvitations(program);
addKeys(program);
addServices(program);
addSecretKey(program);
addAudit(program);
addMail(program);
addHelp(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const { lines, exitCode } = describeFailure(error);
    for (const line of lines) warn(line);
    if (process.env.LOG_LEVEL === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode;
  }
}

function describeUsage(text: string): string {
  // Commander repeats arguments; one may be a password that somebody tried to give that way.
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/^(too many arguments .* but got \d+): [\s\S]*$/, '$1')
    .replace(/^(unknown option '[^'=]*)=[\s\S]*'/, "$1'")
    .replace(/^(unknown command) '(?![a-z-]{1,20}')[\s\S]*'/, '$1')
    .replaceAll('\n', ' ');
}
