import { type Core, createCore } from '../doorward.ts';
import { DoorwardError } from '../errors.ts';
import type { User } from '../features/accounts/index.ts';
import type { Log } from '../kernel.ts';
import { readEnvironment } from './environment.ts';
import { warn } from './output.ts';

/** Standard output is the command's answer, so only what an operator must know is told, on standard error. */
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => warn(message),
  error: (_fields, message) => warn(message),
};

/** Opens the features on the database that the environment names, for the time of `work`. */
export async function withCore(work: (core: Core) => Promise<void>): Promise<void> {
  const core = await createCore(readEnvironment().given, { log });
  try {
    await work(core);
  } finally {
    await core.close();
  }
}

/** The user that an argument names: by id when it is a number, by email otherwise. @throws DoorwardError `user_not_found`. */
export async function findUser({ accounts }: Core, idOrEmail: string): Promise<User> {
  const user = /^\d+$/.test(idOrEmail)
    ? await accounts.find(Number(idOrEmail))
    : await accounts.findByEmail(idOrEmail);
  if (user === undefined) throw new DoorwardError('user_not_found');
  return user;
}
