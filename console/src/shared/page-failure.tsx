import { Button, Text } from '@mantine/core';
import { t } from './i18n.ts';
import { Empty } from './states.tsx';

/**
 * In place of a page that could not be shown. Mostly a file of it is missing: the server is away, or has been replaced by
 * a newer version, whose files have other names. Either is over once the document is loaded anew.
 */
export function PageFailure() {
  return (
    <Empty isPage title={t('failed.title')}>
      <Text size="sm" role="alert">
        {t('failed.page')}
      </Text>
      <Button variant="default" onClick={() => location.reload()}>
        {t('retry')}
      </Button>
    </Empty>
  );
}
