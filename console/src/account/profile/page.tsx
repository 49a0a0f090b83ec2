import { Title } from '@mantine/core';
import { t } from '../../shared/i18n.ts';

export function ProfilePage() {
  return <Title order={1}>{t('account:profile.title')}</Title>;
}
