import { Stack } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { Figures } from './figures.tsx';
import type { DashboardSearch } from './search.ts';
import { Service } from './service.tsx';

const route = getRouteApi('/admin/');

/** What goes on, at a glance. */
export function DashboardPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (part: DashboardSearch) =>
    navigate({ search: (before) => ({ ...before, ...part }), replace: true, resetScroll: false });
  return (
    <>
      <PageHead title={t('insight:dashboard.title')} />
      <Stack gap="xl">
        <Figures search={search} change={change} />
        <Service />
      </Stack>
    </>
  );
}
