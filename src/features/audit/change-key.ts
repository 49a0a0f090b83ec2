import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { createCheckpoints } from './checkpoint.ts';
import { createHeadFile } from './head-file.ts';
import { createRecord } from './record.ts';
import { createSeal } from './seal.ts';
import { listChains, replaceChain } from './store.ts';

/** The audit log's part of a change of SECRET_KEY. */
interface AuditKeyChange {
  /** Seals the heads anew, records the change and signs a checkpoint with the new key. */
  inTransaction(tx: Transaction): Promise<void>;
  /** Once that is committed: writes AUDIT_HEAD_FILE. Left out, the next checkpoint does. */
  afterwards(): Promise<void>;
}

export function createAuditKeyChange(
  kernel: Pick<Kernel, 'db' | 'clock' | 'log' | 'settings'>,
  secretKey: string,
  newSecretKey: string,
): AuditKeyChange {
  const [former, seal] = [createSeal(secretKey), createSeal(newSecretKey)];
  const record = createRecord(kernel, seal);
  const checkpoints = createCheckpoints(kernel, seal, createHeadFile(kernel.settings));
  return {
    async inTransaction(tx) {
      for (const row of await listChains(tx)) {
        const broken_at = former.isAuthentic(row) ? row.broken_at : row.position + 1;
        await replaceChain(tx, seal.close({ ...row, broken_at }));
      }
      await record(tx, { kind: 'secret_key.changed', user_id: null });
      await checkpoints.succeed(tx, former);
    },
    afterwards: () => checkpoints.write(),
  };
}
