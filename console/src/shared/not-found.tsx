import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { t } from './i18n.ts';
import { Empty } from './states.tsx';

export function NotFound({ home }: { home: string }) {
  return (
    <main>
      <Empty isPage title={t('not_found.title')}>
        <Anchor component={Link} to={home}>
          {t('not_found.home')}
        </Anchor>
      </Empty>
    </main>
  );
}
