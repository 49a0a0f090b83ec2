import { type ChainCheck, createChainCheck } from './chain-check.ts';
import type { EventRow } from './event.ts';
import { exportVersion, writeEventLine } from './export.ts';
import { createTally, type Verification } from './findings.ts';
import { readKeptCheckpoint } from './kept-checkpoint.ts';
import { type ExportedChain, openStatement } from './seal.ts';

/** An export to check, line by line, and what is known of where it comes from. */
interface ExportToVerify {
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** The key that must have signed it; its own is believed otherwise. */
  readonly publicKey?: string | undefined;
  /** A checkpoint that somebody kept. */
  readonly checkpoint?: string | undefined;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The row that an event's line was made of; undefined when it is not exactly such a line. */
function readEventLine(line: string): EventRow | undefined {
  const { proof, network, detail, ...told } = parse(line) ?? {};
  if (typeof proof !== 'object' || proof === null) return undefined;
  const { salt = null, personal_hash = null, ...place } = proof as Partial<EventRow>;
  const personal = salt === null ? null : JSON.stringify({ network, detail });
  const row = { ...told, ...place, personal, salt, personal_hash } as EventRow;
  // Further fields, and fields told twice, would be read by somebody and covered by no hash.
  return writeEventLine(row) === line ? row : undefined;
}

/** Checks an export: needs neither a database nor SECRET_KEY. Memory does not grow with its length. */
export async function verifyExport({ lines, publicKey, checkpoint }: ExportToVerify): Promise<Verification> {
  const result = createTally();
  const { find, tally } = result;
  const held: Omit<ExportedChain, 'is_sound'>[] = [];
  let key = publicKey;
  let statement: string | undefined;
  let number = 0;
  let isExport = false;
  let current: { check: ChainCheck; chain: number; hash: string; after: ExportedChain['after'] } | undefined;

  const anchors = checkpoint === undefined ? [] : await readKeptCheckpoint(checkpoint, result);

  const finishChain = () => {
    if (current === undefined) return;
    const { chain, check, hash, after } = current;
    held.push({ chain, after, last: { position: check.position, hash } });
  };

  for await (const line of lines) {
    number++;
    const malformed = (what: string) => find('export_malformed', `line ${number}: ${what}`);
    if (number === 1) {
      const header = parse(line);
      if (header?.audit_export !== exportVersion || typeof header.public_key !== 'string') {
        break;
      }
      isExport = true;
      if (publicKey !== undefined && publicKey !== header.public_key) {
        find('export_forged', `line 1: it names the key ${header.public_key}, not the one that was given`);
      }
      key ??= header.public_key;
    } else if (statement !== undefined) {
      malformed('there is nothing after the statement');
      break;
    } else if (line.startsWith('{"id":')) {
      const event = readEventLine(line);
      if (event === undefined) malformed('it is not an event as Doorward exports it');
      else if (current === undefined || event.chain !== current.chain)
        malformed(`event ${event.id} is not of the chain that it is in`);
      else {
        current.check.next(event);
        if (event.position === current.check.position) current.hash = event.hash;
      }
    } else {
      const { chain, after, statement: signed } = parse(line) ?? {};
      if (typeof signed === 'string') {
        statement = signed;
      } else if (typeof chain === 'number' && isPlace(after) && chain > (current?.chain ?? -1)) {
        finishChain();
        const check = createChainCheck(chain, anchors, result);
        check.startAt(after);
        current = { check, chain, hash: after.hash, after };
      } else {
        malformed('it is no line of an audit export, or in the wrong order');
      }
    }
  }
  finishChain();
  const isPartial = await checkStatement();
  return result.finish(key ?? '', { isPartial });

  /** Whether it is said to be a part of the log. */
  async function checkStatement(): Promise<boolean> {
    if (!isExport) {
      find('no_export', 'it is no audit export that this version reads');
      return false;
    }
    if (statement === undefined) {
      find('export_malformed', 'the statement is missing: the export was cut off');
      return false;
    }
    const said = await openStatement('audit-export', statement, key ?? '');
    if (said === undefined) {
      find('export_forged', `the statement is not signed by the key ${key}`);
      return false;
    }
    const isAll = said.from === null && said.to === null;
    for (const { chain, after, last, is_sound } of said.chains) {
      const found = held.find((one) => one.chain === chain);
      const isSame = JSON.stringify([found?.after, found?.last]) === JSON.stringify([after, last]);
      if (!isSame) {
        const should = `events ${after.position + 1} to ${last.position}`;
        find(
          'head_contradicted',
          `chain ${chain}: it is not ${should} as they were when they were exported`,
          { chain },
        );
      }
      if (!is_sound) find('head_forged', `chain ${chain}: its head was not what Doorward wrote`, { chain });
      if (isAll) tally.pruned += after.position;
      const beyond = anchors.find((anchor) => anchor.chain === chain && anchor.position > last.position);
      if (isAll && beyond !== undefined) {
        const message = `chain ${chain}: it ends at ${last.position}, but ${beyond.source} saw event ${beyond.position}`;
        find('checkpoint_contradicted', message, { chain, position: beyond.position });
      }
    }
    for (const { chain } of held) {
      if (said.chains.some((one) => one.chain === chain)) continue;
      find('export_malformed', `chain ${chain} was not in the export`, { chain });
    }
    return !isAll;
  }
}

function isPlace(value: unknown): value is { position: number; hash: string } {
  const { position, hash } = (value ?? {}) as { position?: unknown; hash?: unknown };
  return Number.isSafeInteger(position) && typeof hash === 'string';
}
