import { Alert, Box, Button, Card, Code, FileInput, Group, Stack, Text, Title } from '@mantine/core';
import { IconFileImport } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Answer, call } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { FormFailure } from '../../shared/states.tsx';
import { AskBeforeLeaving } from '../ask-before-leaving.tsx';
import { useBatch } from '../batch.ts';
import { BatchProgress } from '../batch-progress.tsx';
import { MappingTable } from './mapping.tsx';
import { Report, reportOf } from './report.tsx';
import {
  type FileContent,
  fields,
  guessMapping,
  type Mapping,
  type NumberedRow,
  partsOf,
  readImportFile,
  toRow,
} from './rows.ts';

/** Parts that are under way at once. The server makes one account after the other. */
const atOnce = 2;

/** What appears below the edge of the screen is not overlooked. */
const reveal = (node: HTMLElement | null) => node?.scrollIntoView({ block: 'nearest' });

/** Takes over users from a file: which column is what, what would come of it, and then in earnest. */
export function ImportPage() {
  const [file, setFile] = useState<File | null>(null);
  const [content, setContent] = useState<FileContent>();
  const [mapping, setMapping] = useState<Mapping>({});
  const [isUnreadable, setUnreadable] = useState(false);
  const [isDryRun, setDryRun] = useState(true);
  const batch = useBatch<NumberedRow[], Answer<'POST /auth/users/import'>>(atOnce);
  const [sent, setSent] = useState<NumberedRow[]>();
  const queryClient = useQueryClient();

  async function choose(chosen: File | null): Promise<void> {
    setFile(chosen);
    setContent(undefined);
    setSent(undefined);
    setUnreadable(false);
    if (chosen === null) return;
    try {
      const read = await readImportFile(chosen);
      setContent(read);
      setMapping(guessMapping(read.columns));
    } catch {
      setUnreadable(true);
    }
  }

  async function run(dry_run: boolean): Promise<void> {
    const rows = (content?.records ?? []).map((record, index) => ({
      number: index + 1,
      row: toRow(record, mapping),
    }));
    setDryRun(dry_run);
    setSent(rows);
    await batch.run(partsOf(rows), (part) =>
      call('POST /auth/users/import', { body: { dry_run, rows: part.map(({ row }) => row) } }),
    );
    if (!dry_run) await queryClient.invalidateQueries({ queryKey: ['users'] });
  }

  const isRunning = batch.state === 'running';
  const isMapped = mapping.email !== undefined && mapping.name !== undefined;
  const report = sent === undefined || isRunning ? undefined : reportOf(sent, batch.outcomes);
  const creatable = report?.filter(({ result }) => result === 'would_create').length ?? 0;
  return (
    <Box maw={960}>
      <PageHead title={t('users:import.title')} intro={t('users:import.intro')} />
      <Stack gap="lg">
        <Card withBorder>
          <Stack gap="md">
            <FileInput
              label={t('users:import.file')}
              description={t('users:import.file_hint')}
              placeholder={t('users:import.choose')}
              accept=".csv,.json,.jsonl,text/csv,application/json"
              leftSection={<IconFileImport size={16} aria-hidden />}
              clearable
              clearButtonProps={{ 'aria-label': t('users:import.clear') }}
              value={file}
              onChange={choose}
              disabled={isRunning}
            />
            {content === undefined && !isUnreadable && (
              <Group gap={6}>
                <Text size="sm" c="dimmed">
                  {t('users:import.fields')}
                </Text>
                {fields.map((field) => (
                  <Code key={field}>{field}</Code>
                ))}
              </Group>
            )}
            <FormFailure failure={isUnreadable ? t('users:import.unreadable') : undefined} />
          </Stack>
        </Card>
        {content !== undefined && (
          <Card withBorder>
            <Stack gap="md">
              <Title order={2} size="h4">
                {t('users:import.mapping', { count: content.records.length })}
              </Title>
              <MappingTable
                content={content}
                mapping={mapping}
                change={(changed) => {
                  setMapping(changed);
                  setSent(undefined);
                }}
                isDisabled={isRunning}
              />
              {mapping.password_hash === undefined && (
                <Alert variant="light" color="blue">
                  {t('users:import.no_passwords')}
                </Alert>
              )}
              <Group gap="sm">
                <Button variant="default" onClick={() => run(true)} disabled={!isMapped || isRunning}>
                  {t('users:import.dry_run')}
                </Button>
                {!isMapped && <Text size="sm">{t('users:import.unmapped')}</Text>}
              </Group>
            </Stack>
          </Card>
        )}
        {sent !== undefined && (
          <Card withBorder ref={reveal}>
            <Stack gap="md">
              <Title order={2} size="h4">
                {t(isDryRun ? 'users:import.dry_run' : 'users:import.import')}
              </Title>
              {isRunning && !isDryRun && <AskBeforeLeaving />}
              {isRunning && (
                <BatchProgress
                  done={batch.outcomes.reduce((done, { item }) => done + item.length, 0)}
                  total={sent.length}
                  label={t(isDryRun ? 'users:import.dry_run' : 'users:import.import')}
                  stop={batch.stop}
                />
              )}
              {report !== undefined && <Report report={report} />}
              {report !== undefined && isDryRun && creatable > 0 && (
                <Button style={{ alignSelf: 'flex-start' }} onClick={() => run(false)}>
                  {t('users:import.start', { count: creatable })}
                </Button>
              )}
            </Stack>
          </Card>
        )}
      </Stack>
    </Box>
  );
}
