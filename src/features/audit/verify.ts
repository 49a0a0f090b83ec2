import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Tables } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { type Anchor, anchorsOf, type ChainCheck, createChainCheck } from './chain-check.ts';
import { checkpointsKept, hashStatement } from './checkpoint.ts';
import { chainNumbers } from './event.ts';
import { createTally, type Tally, type Verification } from './findings.ts';
import { createHeadFile, type HeadFile, type HeadFileSettings } from './head-file.ts';
import { readKeptCheckpoint } from './kept-checkpoint.ts';
import { createSeal, openStatement, readCheckpoint, type Seal } from './seal.ts';
import {
  findBeyond,
  findChain,
  findEnds,
  findStray,
  listChainEvents,
  listChains,
  listCheckpoints,
  listUnreadable,
} from './store.ts';

const batchSize = 500;

/**
 * Checks the whole log against the chains' heads, the checkpoints and the file outside the database. Writes nothing, and
 * may run while others record and prune, and in a server: it works in small portions, and tells after each how many events
 * are checked. `checkpoint` is one that somebody kept.
 */
export async function verifyLog(
  { db, settings }: Pick<Kernel, 'db'> & { settings: HeadFileSettings },
  secretKey: string,
  {
    checkpoint: elsewhere,
    onProgress = () => {},
  }: { checkpoint?: string | undefined; onProgress?: (events: number) => void } = {},
): Promise<Verification> {
  const seal = createSeal(secretKey);
  const file = createHeadFile(settings);
  const tally = createTally();
  const unreadable = await listUnreadable(db.read);
  for (const table of unreadable)
    tally.find('table_missing', `table ${table}: it, or a column of it, was dropped`);
  if (unreadable.length > 0) return tally.finish(seal.publicKey);
  // Statements before heads, heads before events: what is read later may go further, never less far.
  const anchors = [
    ...(await checkHeadFile(db.read, seal, file, tally)),
    ...(elsewhere === undefined ? [] : await readKeptCheckpoint(elsewhere, tally)),
    ...(await checkCheckpoints(db.read, seal, tally)),
  ];
  for (const chain of chainNumbers) {
    const check = createChainCheck(chain, anchors, tally);
    await verifyChain(db.read, seal, chain, check, tally, onProgress);
  }
  for (const { chain } of await listChains(db.read)) {
    if (!chainNumbers.includes(chain))
      tally.find('head_inserted', `chain ${chain}: there is no such chain`, { chain });
  }
  const stray = await findStray(db.read);
  if (stray !== undefined) {
    tally.find('event_inserted', `event ${stray.id}: it is in no chain`, { event_id: stray.id });
  }
  return tally.finish(seal.publicKey);
}

async function verifyChain(
  db: Kysely<Tables>,
  seal: Seal,
  chain: number,
  check: ChainCheck,
  { tally, find }: Tally,
  onProgress: (events: number) => void,
): Promise<void> {
  const head = await findChain(db, chain);
  if (head === undefined) {
    find('head_missing', `chain ${chain}: its head is missing`, { chain });
    return;
  }
  if (!seal.isAuthentic(head)) {
    find('head_forged', `chain ${chain}: its head is not what Doorward wrote`, { chain });
  }
  if (head.broken_at !== null) {
    const message = `chain ${chain}: what is before event ${head.broken_at} is not proven; it was tampered with when that was written`;
    find('chain_broken', message, { chain, position: head.broken_at });
  }
  check.startAt({ position: head.base_position, hash: head.base_hash });
  tally.pruned += head.base_position;

  /** Goes on behind what retention has removed meanwhile. */
  const followRetention = async () => {
    const now = await findChain(db, chain);
    if (now === undefined || !seal.isAuthentic(now) || now.base_position <= check.position) return;
    check.startAt({ position: now.base_position, hash: now.base_hash });
  };
  let after = head.base_position;
  const read = () => listChainEvents(db, chain, { after, upTo: head.position, limit: batchSize });
  for (let events = await read(); events.length > 0; events = await read()) {
    for (const event of events) {
      if (event.position > check.position + 1) await followRetention();
      if (event.position > check.position) check.next(event);
      after = event.position;
    }
    onProgress(tally.events);
    // On SQLite nothing else has its turn meanwhile.
    await nextTurn();
  }
  if (check.position < head.position) await followRetention();
  if (check.position <= head.position) check.end(head);

  const { first } = await findEnds(db, chain);
  if (first !== null && first <= head.base_position) {
    const message = `chain ${chain}: event ${first} is before ${head.base_position}, up to where retention removed all`;
    find('event_inserted', message, { chain, position: first });
  }
  const beyond = await findBeyond(db, chain, head.position);
  if (beyond === undefined) return;
  // What was appended meanwhile has moved the head as well. On SQLite a position may be of another type.
  const end = (await findChain(db, chain))?.position ?? 0;
  if (typeof beyond.position === 'number' && beyond.position <= end) return;
  const message = `chain ${chain}: event ${beyond.position} (${beyond.id}) is after ${head.position}, where it ends`;
  find('event_inserted', message, { chain, position: head.position + 1, event_id: beyond.id });
}

/**
 * Checks the stored checkpoints: the signature of the newest, and each by its hash in the one after it. So those of an
 * earlier SECRET_KEY are checked too.
 */
async function checkCheckpoints(db: Kysely<Tables>, seal: Seal, { tally, find }: Tally): Promise<Anchor[]> {
  const rows = await listCheckpoints(db);
  const newest = rows.at(-1);
  if (newest === undefined) {
    find('checkpoint_missing', 'all checkpoints are missing');
    return [];
  }
  if ((await openStatement('audit-checkpoint', newest.statement, seal.publicKey)) === undefined) {
    find('checkpoint_forged', `checkpoint ${newest.number}, the newest: the present key did not sign it`);
  }
  const anchors: Anchor[] = [];
  let expected = Math.max(1, newest.number - checkpointsKept + 1);
  let before: string | undefined;
  for (const { number, time, statement } of rows) {
    if (number > expected) {
      find('checkpoint_missing', `checkpoint ${expected} is missing`);
      before = undefined;
    }
    expected = number + 1;
    const said = readCheckpoint(statement);
    const isChained =
      said?.checkpoint.number === number &&
      said.checkpoint.time === time &&
      (before === undefined || said.checkpoint.previous === hashStatement(before));
    if (!isChained) find('checkpoint_forged', `checkpoint ${number}, or the one before it, was changed`);
    before = statement;
    if (said === undefined) continue;
    tally.checkpoints++;
    if (said.publicKey !== seal.publicKey) tally.checkpoints_of_earlier_keys++;
    anchors.push(...anchorsOf(said.checkpoint, `checkpoint ${number}`, 'checkpoint_contradicted'));
  }
  return anchors;
}

async function checkHeadFile(
  db: Kysely<Tables>,
  seal: Seal,
  file: HeadFile | undefined,
  { find }: Tally,
): Promise<Anchor[]> {
  let statement: string | undefined;
  try {
    statement = await file?.read();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) find('head_file_forged', `AUDIT_HEAD_FILE: ${message}`);
    else find('head_file_unreadable', `AUDIT_HEAD_FILE cannot be read (${message})`);
    return [];
  }
  const stored = await listCheckpoints(db);
  const newest = stored.at(-1)?.number ?? 0;
  const said = statement === undefined ? undefined : readCheckpoint(statement);
  if (statement === undefined || said === undefined) {
    if (file !== undefined && newest > 0) find('head_file_missing', 'AUDIT_HEAD_FILE: there is no such file');
    return [];
  }
  const { checkpoint, publicKey } = said;
  // One of an earlier key stays in it until the next checkpoint; that it is ours its successors in the database tell.
  const isOurs =
    publicKey === seal.publicKey
      ? (await openStatement('audit-checkpoint', statement, publicKey)) !== undefined
      : stored.some((row) => row.statement === statement);
  if (!isOurs) find('head_file_forged', 'AUDIT_HEAD_FILE: Doorward did not sign it');
  if (checkpoint.number > newest) {
    const message = `AUDIT_HEAD_FILE holds checkpoint ${checkpoint.number}, the database none after ${newest}`;
    find('head_file_contradicted', message);
  }
  return anchorsOf(checkpoint, 'AUDIT_HEAD_FILE', 'head_file_contradicted');
}
