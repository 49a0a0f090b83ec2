import { hash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { chainNumbers } from './event.ts';
import type { HeadFile } from './head-file.ts';
import { toLogFields } from './kept-checkpoint.ts';
import {
  type ChainRow,
  type Checkpoint,
  type Head,
  isUnused,
  openStatement,
  readCheckpoint,
  type Seal,
} from './seal.ts';
import {
  type CheckpointRow,
  findNewestCheckpoint,
  hasUsers,
  insertCheckpoint,
  isNothingTold,
  listChains,
  listHashes,
  lockChain,
  replaceChain,
} from './store.ts';

/** Each says all that the ones before it said, so no more than that are kept. */
export const checkpointsKept = 1000;

export const hashStatement = (statement: string) => hash('sha256', statement, 'base64url');

/** Where the chains stand that have events. */
const headsOf = (chains: readonly ChainRow[]): Head[] =>
  chains
    .filter(({ position }) => position > 0)
    .map(({ chain, position, hash }) => ({ chain, position, hash }));

/**
 * Where the chains stand as far as that can be signed: a chain that is not as an earlier checkpoint or its own mac says
 * stays where the earlier checkpoint saw it, so that a new one never makes a removal right. `denied` names such chains.
 */
async function provenHeads(db: Kysely<Tables>, seal: Seal, earlier: readonly Checkpoint[]) {
  const said = earlier.flatMap(({ heads }) => heads);
  // Events before chains: what retention removed in between is then below the base.
  const found = new Map(
    (await listHashes(db, said)).map((place) => [`${place.chain}:${place.position}`, place.hash]),
  );
  const chains = new Map((await listChains(db)).map((row) => [row.chain, row]));
  const holds = ({ chain, position, hash }: Head) => {
    const row = chains.get(chain);
    if (row === undefined || position > row.position) return false;
    if (position < row.base_position) return true;
    return hash === (position === row.base_position ? row.base_hash : found.get(`${chain}:${position}`));
  };
  const denied: number[] = [];
  const heads = chainNumbers.flatMap((chain) => {
    const row = chains.get(chain);
    const before = said.filter((head) => head.chain === chain);
    const contradicted = before.find((head) => !holds(head));
    const isSound = row !== undefined && row.broken_at === null && seal.isAuthentic(row);
    if (isSound && contradicted === undefined) return headsOf([row]);
    denied.push(chain);
    return [contradicted ?? before[0] ?? []].flat();
  });
  return { heads, denied };
}

/** Writes checkpoints. */
export interface Checkpoints {
  /**
   * Signs the chains' heads of a new database, or of one that has users and gets its log now (`begins`), and a first
   * checkpoint of them.
   */
  prepare(begins: boolean): Promise<void>;
  /** Signs where the chains stand, if they stand elsewhere than at the last checkpoint, and writes the file. */
  write(): Promise<void>;
  /** The same, whatever earlier checkpoints say: the database is an older one, and rightly so. The file is set aside. */
  acceptRestored(): Promise<void>;
  /** Signs a checkpoint in the transaction that changes the key, if the former key signed the newest one. */
  succeed(tx: Transaction, former: Seal): Promise<void>;
}

export function createCheckpoints(
  { db, clock, log }: Pick<Kernel, 'db' | 'clock' | 'log'>,
  seal: Seal,
  file: HeadFile | undefined,
): Checkpoints {
  /** Signs the checkpoint after `newest`. */
  async function sign(newest: CheckpointRow | undefined, heads: readonly Head[]): Promise<CheckpointRow> {
    const number = (newest?.number ?? 0) + 1;
    const time = clock.now().toISOString();
    const previous = newest === undefined ? null : hashStatement(newest.statement);
    return {
      number,
      time,
      statement: await seal.sign('audit-checkpoint', { number, time, heads, previous }),
    };
  }

  /** False when another instance was first. */
  async function store(newest: CheckpointRow | undefined, heads: readonly Head[]): Promise<boolean> {
    const row = await sign(newest, heads);
    if (!(await db.transaction((tx) => insertCheckpoint(tx, row, checkpointsKept)))) return false;
    log.info(toLogFields(row.statement), 'audit checkpoint');
    await keep(row.statement);
    return true;
  }

  async function keep(statement: string): Promise<void> {
    // The log and the database have it; what was asked for is done.
    await file
      ?.write(statement)
      .catch((error) => log.warn({ err: error }, 'AUDIT_HEAD_FILE was not written'));
  }

  let told = '';

  async function write(): Promise<void> {
    // The file before the database: another instance may write both in between.
    const kept = await file?.read();
    const inFile = kept === undefined ? undefined : readCheckpoint(kept)?.checkpoint;
    const newest = await findNewestCheckpoint(db.read);
    const stored =
      newest === undefined
        ? undefined
        : await openStatement('audit-checkpoint', newest.statement, seal.publicKey);
    if (newest !== undefined && stored === undefined) {
      // Its successor would hold its hash, and so prove it right.
      if (told !== newest.statement)
        log.error(
          { number: newest.number },
          'the newest audit checkpoint is not signed with this SECRET_KEY: if that was changed, start this instance anew; ' +
            'if not, it is forged, see doorward audit verify',
        );
      told = newest.statement;
      return;
    }
    if (inFile !== undefined && inFile.number > (newest?.number ?? 0)) {
      // To write on would number anew what was taken away.
      const [in_file, in_database] = [inFile.number, newest?.number ?? 0];
      const lost = `file ${in_file}, database ${in_database}`;
      if (told !== lost)
        log.error(
          { in_file, in_database },
          'AUDIT_HEAD_FILE holds a later audit checkpoint than the database; see doorward audit verify',
        );
      told = lost;
      return;
    }
    const earlier = [inFile, stored].filter((checkpoint) => checkpoint !== undefined);
    const { heads, denied } = await provenHeads(db.read, seal, earlier);
    // Once, and not every minute from then on.
    if (denied.length > 0 && String(denied) !== told)
      log.error({ chains: denied }, 'the audit log is not what it was; see doorward audit verify');
    told = String(denied);
    if (newest === undefined || JSON.stringify(heads) !== JSON.stringify(stored?.heads))
      await store(newest, heads);
    else if (kept !== newest.statement) await keep(newest.statement);
  }

  /**
   * Signs all heads when nothing was ever told. Somebody who empties the log makes it look so, and must not get it signed:
   * where there are users, there were events, unless the log only begins. False when it is not to be signed.
   */
  async function signUnused(tx: Transaction, begins: boolean): Promise<boolean> {
    const rows: ChainRow[] = [];
    for (const chain of chainNumbers) {
      const row = await lockChain(tx, chain);
      if (row !== undefined) rows.push(row);
    }
    // Another instance was first.
    if (!rows.some(isUnused)) return true;
    const isNew = rows.length === chainNumbers.length && rows.every(isUnused) && (await isNothingTold(tx));
    if (!isNew || !(begins || !(await hasUsers(tx)))) return false;
    for (const row of rows) await replaceChain(tx, seal.close(row));
    return true;
  }

  return {
    write,
    async prepare(begins) {
      if (file === undefined)
        log.info(
          {},
          'AUDIT_HEAD_FILE is not set: the audit log has no head outside of its database but in this log',
        );
      if ((await listChains(db.read)).some(isUnused)) {
        const isSigned = await db.transaction((tx) => signUnused(tx, begins));
        if (!isSigned)
          log.error({}, 'heads of audit chains were emptied and are not signed; see doorward audit verify');
      }
      // Of a new database, or one that was moved without it.
      const isMissing = file !== undefined && (await file.read().catch(() => '')) === undefined;
      if (isMissing || (await findNewestCheckpoint(db.read)) === undefined) await write();
    },
    async succeed(tx, former) {
      const newest = await findNewestCheckpoint(tx);
      if (newest === undefined) return;
      const said = await openStatement('audit-checkpoint', newest.statement, former.publicKey);
      if (said === undefined) return;
      const { heads } = await provenHeads(tx, seal, [said]);
      await insertCheckpoint(tx, await sign(newest, heads), checkpointsKept);
    },
    async acceptRestored() {
      const time = clock.now().toISOString();
      file?.setAside(time);
      let isOurs = false;
      while (!isOurs)
        isOurs = await store(await findNewestCheckpoint(db.read), headsOf(await listChains(db.read)));
    },
  };
}
