import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { t } from './i18n.ts';
import { canReload, ServerAway } from './lazy-page.ts';
import { Empty } from './states.tsx';

/**
 * In place of a page that could not be shown. Mostly a file of it is missing: the server is away, or has been replaced by
 * a newer version, whose files have other names. Either is over once the document can be loaded anew.
 */
export function PageFailure({ error }: { error: unknown }) {
  const [isTrying, setIsTrying] = useState(false);
  const [isAway, setIsAway] = useState(error instanceof ServerAway);

  async function retry(): Promise<void> {
    setIsTrying(true);
    if (await canReload()) return location.reload();
    setIsAway(true);
    setIsTrying(false);
  }

  return (
    <Empty isPage title={t('failed.title')}>
      <Text size="sm" role="alert">
        {t(isAway ? 'failures.network' : 'failed.page')}
      </Text>
      <Button variant="default" loading={isTrying} onClick={retry}>
        {t('retry')}
      </Button>
    </Empty>
  );
}
