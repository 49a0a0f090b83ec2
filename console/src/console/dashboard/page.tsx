import { Title } from '@mantine/core';
import { t } from '../../shared/i18n.ts';

export function DashboardPage() {
  return <Title order={1}>{t('insight:dashboard.title')}</Title>;
}
