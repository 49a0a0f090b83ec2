import { type Anchor, anchorsOf } from './chain-check.ts';
import type { Tally } from './findings.ts';
import { openStatement, readCheckpoint } from './seal.ts';

/** What a checkpoint says that somebody kept. Whoever signed it: it can only contradict. */
export async function readKeptCheckpoint(statement: string, { find }: Tally): Promise<Anchor[]> {
  const said = readCheckpoint(statement);
  if (said === undefined) {
    find('checkpoint_forged', 'the checkpoint to compare with is none');
    return [];
  }
  const { checkpoint, publicKey } = said;
  if ((await openStatement('audit-checkpoint', statement, publicKey)) === undefined) {
    find('checkpoint_forged', 'the checkpoint to compare with has a wrong signature');
  }
  return anchorsOf(checkpoint, `the kept checkpoint ${checkpoint.number}`, 'checkpoint_contradicted');
}
