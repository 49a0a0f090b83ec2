import { type Anchor, anchorsOf } from './chain-check.ts';
import type { Tally } from './findings.ts';
import { openStatement, readCheckpoint } from './seal.ts';

/**
 * A checkpoint as the log tells it: not as the compact JWS that it is, because whatever looks for tokens in logs would take
 * it for one.
 */
export function toLogFields(statement: string): object {
  const [header = '', payload = '', signature] = statement.split('.');
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { audit_checkpoint: read(payload), header: read(header), signature };
}

/** The compact JWS out of the log's line that tells it; any other text as it is. */
function fromLogLine(text: string): string {
  try {
    const { audit_checkpoint, header, signature } = JSON.parse(text);
    const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return [write(header), write(audit_checkpoint), signature].join('.');
  } catch {
    return text;
  }
}

/** What a checkpoint says that somebody kept. Whoever signed it: it can only contradict. */
export async function readKeptCheckpoint(text: string, { find }: Tally): Promise<Anchor[]> {
  const statement = fromLogLine(text);
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
