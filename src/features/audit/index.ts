import type { AuditKind } from '../../audit-kinds.ts';
import type { Kernel } from '../../kernel.ts';
import { createCheckpoints } from './checkpoint.ts';
import { countEvents, listConcerned } from './count.ts';
import { erasePerson } from './erase.ts';
import { type ExportRange, exportLog } from './export.ts';
import type { Verification } from './findings.ts';
import { createHeadFile } from './head-file.ts';
import { type EventListInput, type EventPage, listActivity, listPage } from './list.ts';
import { pruneLog } from './prune.ts';
import { createRecord } from './record.ts';
import { createSeal } from './seal.ts';
import { findNewestCheckpoint, findOldestTime, listChains } from './store.ts';
import { createVerifier, type Verifier } from './verification.ts';
import { verifyLog } from './verify.ts';

export { createAuditKeyChange } from './change-key.ts';
export { type AuditEvent, readTime } from './event.ts';
export type { Finding, FindingCode, Verification } from './findings.ts';
export { assertHeadFile, createHeadFile } from './head-file.ts';
export type { EventPage } from './list.ts';
export { auditMigrations, beginsAuditLog } from './migrations.ts';
export { auditRoutes } from './routes.ts';
export { verifyLog } from './verify.ts';
export { verifyExport } from './verify-export.ts';

/** The audit log of an instance. */
export interface Audit {
  record: Kernel['audit']['record'];
  /** See `erase.ts`. */
  erase: Kernel['audit']['erase'];
  /** Signs what a new database holds; before anything is recorded. `begins`: see `beginsAuditLog`. */
  prepare(begins: boolean): Promise<void>;
  list(input: EventListInput): Promise<EventPage>;
  /** What a user may see of what happened to their account. */
  activity(userId: number, input: Pick<EventListInput, 'limit' | 'cursor'>): Promise<EventPage>;
  /** JSON Lines, see `export.ts`. */
  export(range?: ExportRange): AsyncGenerator<string, void>;
  /** See `count.ts`. */
  count(kind: AuditKind, range: { from: Date; to: Date }): Promise<number>;
  /** See `count.ts`. */
  listConcerned(kind: AuditKind, range: { from: Date; to: Date }): Promise<ReadonlySet<number>>;
  /** When the oldest event happened that retention has left. */
  oldest(): Promise<string | undefined>;
  /** How many events were ever recorded, and the newest checkpoint. */
  describe(): Promise<{ events: number; checkpoint: number | null; checkpoint_at: string | null }>;
  /** See `verify.ts`. */
  verify(options?: { checkpoint?: string | undefined }): Promise<Verification>;
  /** See `verification.ts`. */
  readonly verifier: Verifier;
  /** See `checkpoint.ts`. */
  checkpoint(): Promise<void>;
  /** To be called after a restore of the database, once `database.restored` is recorded. See `checkpoint.ts`. */
  acceptRestored(): Promise<void>;
  /** See `prune.ts`. */
  prune(): Promise<void>;
}

export function createAudit(base: Omit<Kernel, 'audit'>, secretKey: string): Audit {
  const seal = createSeal(secretKey);
  const file = createHeadFile(base.settings);
  const record = createRecord(base, seal);
  const checkpoints = createCheckpoints(base, seal, file);
  const kernel: Kernel = { ...base, audit: { record, erase: erasePerson } };
  return {
    record,
    erase: erasePerson,
    prepare: checkpoints.prepare,
    list: (input) => listPage(kernel, input),
    activity: (userId, input) => listActivity(kernel, userId, input),
    export: (range = {}) => exportLog(kernel, seal, range),
    count: (kind, range) => countEvents(base, kind, range),
    listConcerned: (kind, range) => listConcerned(base, kind, range),
    oldest: () => findOldestTime(base.db.read),
    async describe() {
      const heads = await listChains(base.db.read);
      const newest = await findNewestCheckpoint(base.db.read);
      return {
        events: heads.reduce((sum, { position }) => sum + position, 0),
        checkpoint: newest?.number ?? null,
        checkpoint_at: newest?.time ?? null,
      };
    },
    verifier: createVerifier(kernel, secretKey),
    verify: (options) => verifyLog(kernel, secretKey, options),
    checkpoint: checkpoints.write,
    acceptRestored: checkpoints.acceptRestored,
    prune: () => pruneLog(kernel, seal),
  };
}
