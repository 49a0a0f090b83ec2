import type { Api } from 'doorward/client';

export type ImportRow = Api['POST /auth/users/import']['body']['rows'][number];
export type Field = keyof ImportRow;
/** What a file has, before anybody has looked at it. */
export type FileRecord = Record<string, unknown>;

export interface FileContent {
  columns: string[];
  records: FileRecord[];
}

/** The fields of a row, with other names that files have for them. */
const namesOf: Record<Field, string[]> = {
  email: ['email', 'mail', 'emailaddress', 'username', 'login'],
  name: ['name', 'fullname', 'displayname'],
  password_hash: ['passwordhash', 'hashedpassword', 'passwordencrypted', 'encryptedpassword', 'hash'],
  is_admin: ['isadmin', 'admin', 'issuperuser'],
  is_active: ['isactive', 'active', 'enabled'],
  email_verified: ['emailverified', 'verified', 'confirmed', 'isverified'],
  created_at: ['createdat', 'created', 'datejoined', 'registeredat'],
  locale: ['locale', 'language', 'lang'],
};
export const fields = Object.keys(namesOf) as Field[];
const flags: readonly Field[] = ['is_admin', 'is_active', 'email_verified'];

/** From which column each field comes; undefined for none. */
export type Mapping = Partial<Record<Field, string>>;

/** @throws Error when the file is neither CSV nor JSON, nor JSON Lines, or not in UTF-8. */
export async function readImportFile(file: File): Promise<FileContent> {
  // `File.text` would put a sign for what it cannot read into names. The decoder drops a byte order mark.
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer()).trim();
  const records = /^[[{]/.test(text) ? parseJson(text) : await parseCsv(text);
  const columns = new Set(records.flatMap((record) => Object.keys(record)));
  if (records.length === 0) throw new Error('no rows');
  return { columns: [...columns], records };
}

async function parseCsv(text: string): Promise<FileRecord[]> {
  const { parse } = await import('papaparse');
  const { data, errors } = parse<FileRecord>(text, {
    header: true,
    skipEmptyLines: 'greedy',
    transformHeader: (header) => header.trim(),
  });
  // A row that is shorter than its head says so by itself; a quote that never ends spoils all after it.
  const fault = errors.find(({ type }) => type === 'Quotes');
  if (fault !== undefined) throw new Error(fault.message);
  return data;
}

function parseJson(text: string): FileRecord[] {
  let records: unknown;
  try {
    records = JSON.parse(text);
  } catch {
    records = text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line));
  }
  const list = Array.isArray(records) ? records : [records];
  if (!list.every((record) => typeof record === 'object' && record !== null && !Array.isArray(record))) {
    throw new Error('not a list of objects');
  }
  return list;
}

/** The columns whose names say what they are. */
export function guessMapping(columns: readonly string[]): Mapping {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '');
  return Object.fromEntries(
    fields.flatMap((field) => {
      const column = namesOf[field]
        .flatMap((name) => columns.find((known) => plain(known) === name) ?? [])
        .at(0);
      return column === undefined ? [] : [[field, column]];
    }),
  );
}

/** A row as the server takes it. What makes no sense is left as it is, for the server to say so. */
export function toRow(record: FileRecord, mapping: Mapping): ImportRow {
  const row: FileRecord = {};
  for (const field of fields) {
    const column = mapping[field];
    const given = column === undefined ? undefined : record[column];
    const value = typeof given === 'string' ? given.trim() : given;
    if (value === undefined || value === null || value === '') continue;
    row[field] = flags.includes(field) ? readFlag(value) : value;
  }
  return row as ImportRow;
}

/** A value of a file as people read it. JSON has values that cannot be made a text by themselves. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function readFlag(value: unknown): unknown {
  const text = textOf(value).toLowerCase();
  if (['true', 'yes', 'y', '1', 't'].includes(text)) return true;
  return ['false', 'no', 'n', '0', 'f'].includes(text) ? false : value;
}

/** What the server takes at once, and a little less. */
const mostRows = 500;
const mostBytes = 900_000;

export interface NumberedRow {
  /** Its place in the file, from 1. */
  number: number;
  row: ImportRow;
}

/** Parts of a file that fit into a request. */
export function partsOf(rows: readonly NumberedRow[]): NumberedRow[][] {
  const encoder = new TextEncoder();
  const parts: NumberedRow[][] = [];
  let part: NumberedRow[] = [];
  let bytes = 0;
  for (const numbered of rows) {
    const size = encoder.encode(JSON.stringify(numbered.row)).length + 1;
    if (part.length > 0 && (part.length === mostRows || bytes + size > mostBytes)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(numbered);
    bytes += size;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
