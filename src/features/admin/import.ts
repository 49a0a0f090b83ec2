import { setImmediate as nextTurn } from 'node:timers/promises';
import { ValidationError, type ValidationIssue } from '../../errors.ts';
import { type Accounts, type ImportedAccount, type ImportedFields, readImported } from '../accounts/index.ts';

/** What became of a row. */
export interface RowResult {
  /** Its place in the request, from 0. */
  readonly row: number;
  readonly result: 'created' | 'would_create' | 'already_registered' | 'invalid';
  /** Of the account that was made. */
  readonly user_id: number | null;
  /** What is wrong with an invalid one, as a 422 would tell it. */
  readonly issues: ValidationIssue[];
}

export interface ImportReport {
  readonly dry_run: boolean;
  readonly results: RowResult[];
}

/** Accounts of one transaction. On SQLite others wait for it, and so does the event loop. */
const batchSize = 50;

/**
 * Imports rows, each decided by itself: what is wrong with one keeps no other from being made. When the database fails,
 * what was made before stays; rows that are sent again are told to be registered.
 * @param check reads the fields of a row. It throws ValidationError with places below `body`.
 */
export async function importUsers(
  accounts: Accounts,
  { rows, dry_run }: { rows: readonly unknown[]; dry_run: boolean },
  check: (row: unknown) => ImportedFields,
): Promise<ImportReport> {
  const results: RowResult[] = [];
  const read: { row: number; account: ImportedAccount }[] = [];
  for (const [row, sent] of rows.entries()) {
    try {
      read.push({ row, account: readImported(check(sent), 'password_hash') });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      const issues = error.issues.map((issue) => ({
        ...issue,
        loc: ['body', 'rows', row, ...issue.loc.slice(1)],
      }));
      results.push({ row, result: 'invalid', user_id: null, issues });
    }
  }
  const importBatch = accounts.createImport({ dryRun: dry_run });
  for (let start = 0; start < read.length; start += batchSize) {
    const batch = read.slice(start, start + batchSize);
    const ids = await importBatch(batch.map(({ account }) => account));
    for (const [index, { row }] of batch.entries()) results.push(outcome(row, ids[index], dry_run));
    await nextTurn();
  }
  return { dry_run, results: results.sort((a, b) => a.row - b.row) };
}

function outcome(row: number, id: number | undefined, dryRun: boolean): RowResult {
  if (id === undefined) return { row, result: 'already_registered', user_id: null, issues: [] };
  return dryRun
    ? { row, result: 'would_create', user_id: null, issues: [] }
    : { row, result: 'created', user_id: id, issues: [] };
}
