/** What makes a spreadsheet calculate, as OWASP lists it; also in the width that Asian keyboards have. */
const formula = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
/** The same behind what ends a cell where a comma is decimal, as in German, or behind what else may. */
const formulaWithin = /(?<=[;\t\r\n])(?=[\s"]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/g;

/** Writes rows as CSV (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe before it. */
export async function csvWriter(): Promise<(rows: readonly (readonly string[])[]) => string> {
  const { unparse } = await import('papaparse');
  return (rows) =>
    `${unparse(
      rows.map((row) => row.map((text) => text.replaceAll(formulaWithin, "'"))),
      { escapeFormulae: formula },
    )}\r\n`;
}

/** With a mark, or Excel takes it for the code page of the machine. */
export function csvFile(parts: readonly string[]): Blob {
  return new Blob(['\uFEFF', ...parts], { type: 'text/csv;charset=utf-8' });
}
