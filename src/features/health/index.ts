import type { Migration } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';
import { type Checks, checkReadiness } from './check.ts';

export type { Checks } from './check.ts';
export { healthRoutes } from './routes.ts';

export interface Health {
  /** See `check.ts`. */
  check(): Promise<Checks>;
}

export function createHealth(
  kernel: Kernel,
  { keys, migrations }: { keys: Keys; migrations: readonly Migration[] },
): Health {
  return { check: () => checkReadiness(kernel, keys, migrations) };
}
