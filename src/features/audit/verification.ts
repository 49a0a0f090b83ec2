import { setTimeout as sleep } from 'node:timers/promises';
import type { Kernel } from '../../kernel.ts';
import type { Verification } from './findings.ts';
import { listChains } from './store.ts';
import { verifyLog } from './verify.ts';

/** How far the verification is that this instance was last asked for. */
export interface VerificationState {
  readonly state: 'none' | 'running' | 'done' | 'failed';
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly events_checked: number;
  /** How many there were to check when it began. */
  readonly events_total: number;
  readonly result: Verification | null;
}

/** Verifies the log beside everything else, one verification at a time. */
export interface Verifier {
  state(): VerificationState;
  /** Begins one, or joins the one that runs, and waits for its end no longer than that. */
  run(patienceMs: number): Promise<VerificationState>;
}

export function createVerifier(
  kernel: Pick<Kernel, 'db' | 'settings' | 'clock' | 'log'>,
  secretKey: string,
): Verifier {
  const { db, clock, log } = kernel;
  let present: VerificationState = {
    ...{ state: 'none', started_at: null, finished_at: null, result: null },
    ...{ events_checked: 0, events_total: 0 },
  };
  let running: Promise<void> | undefined;
  const now = () => clock.now().toISOString();

  async function verify(): Promise<void> {
    present = { ...present, state: 'running', started_at: now(), finished_at: null, result: null };
    present = { ...present, events_checked: 0, events_total: 0 };
    try {
      const heads = await listChains(db.read);
      const counts = heads.map(({ position, base_position }) => position - base_position);
      // What somebody wrote there is no number, perhaps.
      const events_total = counts.filter(Number.isSafeInteger).reduce((sum, count) => sum + count, 0);
      present = { ...present, events_total };
      const result = await verifyLog(kernel, secretKey, {
        onProgress(events_checked) {
          present = { ...present, events_checked };
        },
      });
      present = { ...present, state: 'done', finished_at: now(), events_checked: result.events, result };
    } catch (error) {
      present = { ...present, state: 'failed', finished_at: now() };
      log.error({ err: error }, 'the audit log could not be verified');
      throw error;
    }
  }

  return {
    state: () => present,
    async run(patienceMs) {
      running ??= verify().finally(() => {
        running = undefined;
      });
      // Whoever waits no more is told by the state.
      running.catch(() => {});
      const waiting = new AbortController();
      try {
        await Promise.race([running, sleep(patienceMs, undefined, { signal: waiting.signal })]);
      } finally {
        waiting.abort();
      }
      return present;
    },
  };
}
