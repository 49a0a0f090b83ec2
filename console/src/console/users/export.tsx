import { Button, Modal, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { saveFile } from '../../shared/save-file.ts';
import { FormFailure } from '../../shared/states.tsx';
import { BatchProgress } from '../batch-progress.tsx';
import { csvFile, csvWriter } from '../csv.ts';
import { columns } from './columns.tsx';
import { askForUsers, columnsOf, type UsersSearch } from './search.ts';

const pageLength = 200;

type Progress = { done: number; total?: number | undefined; failure?: string; isSaved?: boolean };

/** Saves all users of the view as CSV, its columns in its order, a page after the other. */
export function ExportButton({ search }: { search: UsersSearch }) {
  const [progress, setProgress] = useState<Progress>();
  const walk = useRef<AbortController>(undefined);

  async function save(): Promise<void> {
    const controller = new AbortController();
    walk.current = controller;
    const { signal } = controller;
    let at: Progress = { done: 0 };
    setProgress(at);
    try {
      const write = await csvWriter();
      const shown = columnsOf(search);
      const parts = [write([['name', ...shown]])];
      for (let cursor: string | undefined; ; ) {
        const page = await askForUsers(
          { ...search, cursor },
          { limit: pageLength, count: cursor === undefined, signal },
        );
        if (page.items.length > 0) {
          parts.push(
            write(page.items.map((user) => [user.name, ...shown.map((name) => columns[name].text(user))])),
          );
        }
        at = { done: at.done + page.items.length, total: page.total ?? at.total };
        setProgress(at);
        cursor = page.next;
        if (cursor === undefined) break;
      }
      signal.throwIfAborted();
      saveFile('users.csv', 'text/csv', csvFile(parts));
      setProgress({ ...at, isSaved: true });
    } catch (error) {
      if (!signal.aborted) setProgress({ ...at, failure: describeFailure(error) });
    }
  }

  function close(): void {
    walk.current?.abort();
    setProgress(undefined);
  }

  return (
    <>
      <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} onClick={save}>
        {t('users:export.title')}
      </Button>
      <Modal
        opened={progress !== undefined}
        onClose={close}
        closeButtonProps={{ 'aria-label': t('close') }}
        title={t('users:export.title')}
      >
        {progress?.failure !== undefined ? (
          <FormFailure failure={progress.failure} />
        ) : progress?.isSaved ? (
          <Text role="status">{t('users:export.saved', { count: progress.done })}</Text>
        ) : (
          <Stack>
            <BatchProgress
              done={progress?.done ?? 0}
              total={progress?.total}
              label={t('users:export.title')}
              stop={close}
            />
          </Stack>
        )}
      </Modal>
    </>
  );
}
