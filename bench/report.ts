/** A figure beside the limit it must keep. */
export interface Row {
  what: string;
  seen: number;
  unit: 'x' | 'ms' | 'MB' | 's' | 'B';
  limit?: { atLeast: number } | { atMost: number };
  note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

const turnsPerRound = 3;

/** The medians of two sides measured in turn, and of their ratios. Each goes first as often as the other. */
export async function inTurn(rounds: number, a: () => Promise<number>, b: () => Promise<number>) {
  const sides: [number, number][] = [];
  await a();
  await b();
  for (let turn = 0; turn < rounds * turnsPerRound; turn++) {
    if (turn % 2 === 0) {
      const first = await a();
      sides.push([first, await b()]);
    } else {
      const first = await b();
      sides.push([await a(), first]);
    }
  }
  const rates = [0, 1].map((side) => median(sides.map((pair) => pair[side] ?? Number.NaN)).toFixed(0));
  return { ratio: median(sides.map(([one, other]) => one / other)), note: `${rates.join(' : ')} a second` };
}

export function holds({ seen, limit }: Row): boolean {
  if (limit === undefined) return true;
  return 'atLeast' in limit ? seen >= limit.atLeast : seen <= limit.atMost;
}

const digits = { x: 2, ms: 1, MB: 0, s: 2, B: 0 };

export function printRows(rows: readonly Row[]): void {
  const cells = rows.map((row) => {
    const show = (value: number) => `${value.toFixed(digits[row.unit])} ${row.unit}`;
    const limit =
      row.limit === undefined
        ? ''
        : 'atLeast' in row.limit
          ? `≥ ${show(row.limit.atLeast)}`
          : `≤ ${show(row.limit.atMost)}`;
    const verdict = row.limit === undefined ? '' : holds(row) ? 'holds' : 'FALLS SHORT';
    return [row.what, show(row.seen), limit, verdict, row.note ?? ''];
  });
  const table = [['what', 'seen', 'limit', '', 'note'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((line) => (line[column] ?? '').length)));
  for (const line of table) {
    console.log(
      line
        .map((cell, column) => (widths[column] === undefined ? cell : cell.padEnd(widths[column])))
        .join('  ')
        .trimEnd(),
    );
  }
}
