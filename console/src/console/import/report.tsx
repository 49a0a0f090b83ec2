import { Badge, Button, Group, Stack, Table, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import type { Answer } from '../../shared/api.ts';
import { describeFailure, describeIssue } from '../../shared/failures.ts';
import { language, t } from '../../shared/i18n.ts';
import { saveFile } from '../../shared/save-file.ts';
import type { Outcome } from '../batch.ts';
import { csvFile, csvWriter } from '../csv.ts';
import { type NumberedRow, textOf } from './rows.ts';

type Answered = Answer<'POST /auth/users/import'>;

const colors = {
  created: 'teal',
  would_create: 'teal',
  already_registered: 'yellow',
  invalid: 'red',
  failed: 'red',
  not_done: 'gray',
} as const;
type Result = keyof typeof colors;
const results = Object.keys(colors) as Result[];

/** What became of one row of the file. */
export interface RowReport {
  number: number;
  email: string;
  result: Result;
  userId: number | null;
  reason: string;
}

/** Rows that are shown; all of them are in the file. */
const mostShown = 100;
const number = new Intl.NumberFormat(language);

/** What became of each row, in the order of the file. */
export function reportOf(
  rows: readonly NumberedRow[],
  outcomes: readonly Outcome<NumberedRow[], Answered>[],
): RowReport[] {
  const told = new Map<number, Pick<RowReport, 'result' | 'userId' | 'reason'>>();
  for (const outcome of outcomes) {
    outcome.item.forEach((row, index) => {
      if (!outcome.isDone) {
        told.set(row.number, { result: 'failed', userId: null, reason: describeFailure(outcome.error) });
        return;
      }
      const answer = outcome.result.results[index];
      if (answer === undefined) return;
      const reason = answer.issues.map((issue) => `${issue.loc.at(-1)}: ${describeIssue(issue)}`).join('; ');
      told.set(row.number, { result: answer.result, userId: answer.user_id, reason });
    });
  }
  return rows.map((row) => ({
    number: row.number,
    email: textOf(row.row.email),
    ...(told.get(row.number) ?? { result: 'not_done', userId: null, reason: '' }),
  }));
}

export function Report({ report }: { report: RowReport[] }) {
  const isFine = ({ result }: RowReport) => result === 'created' || result === 'would_create';
  const others = report.filter((row) => !isFine(row));

  async function save(): Promise<void> {
    const write = await csvWriter();
    const lines = report.map((row) => [
      String(row.number),
      row.email,
      row.result,
      String(row.userId ?? ''),
      row.reason,
    ]);
    saveFile(
      'import-report.csv',
      'text/csv',
      csvFile([write([['row', 'email', 'result', 'user_id', 'reason'], ...lines])]),
    );
  }

  return (
    <Stack gap="md" align="flex-start">
      <Group gap="xs" role="status">
        {results.map((result) => {
          const count = report.filter((row) => row.result === result).length;
          return (
            count > 0 && (
              <Badge key={result} size="lg" variant="light" color={colors[result]} tt="none">
                {t(`users:import.results.${result}`)}: {number.format(count)}
              </Badge>
            )
          );
        })}
      </Group>
      {others.length > 0 && (
        <Table.ScrollContainer minWidth={300} type="native" w="100%">
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">{t('users:import.row')}</Table.Th>
                <Table.Th scope="col">{t('users:columns.email')}</Table.Th>
                <Table.Th scope="col">{t('users:bulk.result')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {others.slice(0, mostShown).map((row) => (
                <Table.Tr key={row.number}>
                  <Table.Th scope="row" fw={400}>
                    {number.format(row.number)}
                  </Table.Th>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>{row.email}</Table.Td>
                  <Table.Td>
                    {t(`users:import.results.${row.result}`)}
                    {row.reason !== '' && (
                      <Text size="sm" c="dimmed">
                        {row.reason}
                      </Text>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {others.length > mostShown && (
        <Text size="sm">
          {t('users:import.more', {
            count: others.length - mostShown,
            number: number.format(others.length - mostShown),
          })}
        </Text>
      )}
      <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={save}>
        {t('users:import.download')}
      </Button>
    </Stack>
  );
}
