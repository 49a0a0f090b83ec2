import { Card, Group, SegmentedControl, SimpleGrid, Stack, Switch, Table, Text, Title } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { type Answer, call } from '../../shared/api.ts';
import { language, t } from '../../shared/i18n.ts';
import { whileKnown } from '../../shared/session.ts';
import { LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import classes from './figures.module.css';
import { type DashboardSearch, type Span, spans, usualSpan } from './search.ts';
import { charts, type Day, figures } from './series.ts';

const DayChart = lazy(() => import('./chart.tsx').then((module) => ({ default: module.DayChart })));
const number = new Intl.NumberFormat(language);
const wholeDay = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' });
const chartHeight = 240;
/** The server counts anew no more often. */
const lookAgainMs = 60_000;

/** How many accounts there are, and what happened day by day. */
export function Figures({
  search: { days: span = usualSpan, table = false },
  change,
}: {
  search: DashboardSearch;
  change: (part: DashboardSearch) => void;
}) {
  const { data, error, refetch } = useQuery({
    queryKey: ['statistics', span],
    queryFn: ({ signal }) => call('GET /auth/statistics', { query: { days: span }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: whileKnown(lookAgainMs),
  });
  if (data === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
  }
  return (
    <Stack gap="md">
      <Totals totals={data.totals} />
      <Group justify="space-between" gap="sm">
        <Title order={2} size="h4">
          {t('insight:dashboard.by_day')}
        </Title>
        <Group gap="md">
          <Switch
            label={t('insight:dashboard.as_table')}
            checked={table}
            onChange={({ currentTarget }) => change({ table: currentTarget.checked || undefined })}
          />
          <SegmentedControl
            size="xs"
            aria-label={t('insight:dashboard.span')}
            value={String(span)}
            onChange={(days) => change({ days: Number(days) as Span })}
            data={spans.map((days) => ({
              value: String(days),
              label: t('insight:dashboard.days', { count: days }),
            }))}
          />
        </Group>
      </Group>
      {table ? <DayTable days={data.days} /> : <DayCharts days={data.days} />}
      <Text size="sm" c="dimmed">
        {t('insight:dashboard.counted')} <Time value={data.counted_at} />
      </Text>
    </Stack>
  );
}

function Totals({ totals }: { totals: Answer<'GET /auth/statistics'>['totals'] }) {
  const names = ['users', 'active', 'admins', 'unverified', 'scheduled'] as const;
  return (
    <SimpleGrid component="dl" m={0} cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm">
      {names.map((name) => (
        <Card key={name} withBorder padding="sm">
          <Text component="dt" size="sm" c="dimmed">
            {t(`insight:dashboard.totals.${name}`)}
          </Text>
          <Text component="dd" m={0} fz={26} fw={700}>
            {number.format(totals[name])}
          </Text>
        </Card>
      ))}
    </SimpleGrid>
  );
}

function sum(days: Day[], name: keyof Omit<Day, 'day'>): number {
  return days.reduce((total, day) => total + day[name], 0);
}

function DayCharts({ days }: { days: Day[] }) {
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      {charts.map(({ name, figures: shown }) => {
        const title = t(`insight:dashboard.charts.${name}`);
        const told = shown
          .filter((figure) => figure !== 'active_users')
          .map(
            (figure) => `${t(`insight:dashboard.figures.${figure}`)}: ${number.format(sum(days, figure))}`,
          );
        return (
          <Card key={name} withBorder padding="md" className={classes.chart}>
            <Title order={3} size="h5" mb="sm">
              {title}
            </Title>
            <Suspense fallback={<div style={{ height: chartHeight }} />}>
              <DayChart
                days={days}
                shown={shown}
                height={chartHeight}
                label={`${[title, ...told].join('. ')}. ${t('insight:dashboard.chart_hint')}`}
              />
            </Suspense>
          </Card>
        );
      })}
    </SimpleGrid>
  );
}

/** The same, the newest day first. */
function DayTable({ days }: { days: Day[] }) {
  return (
    <Table.ScrollContainer
      minWidth={640}
      type="native"
      tabIndex={0}
      aria-label={t('insight:dashboard.by_day')}
    >
      <Table striped>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t('insight:dashboard.day')}</Table.Th>
            {figures.map(({ name }) => (
              <Table.Th key={name} scope="col" ta="end">
                {t(`insight:dashboard.figures.${name}`)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {days.toReversed().map((day) => (
            <Table.Tr key={day.day}>
              <Table.Th scope="row" fw={400}>
                {wholeDay.format(new Date(day.day))}
              </Table.Th>
              {figures.map(({ name }) => (
                <Table.Td key={name} ta="end">
                  {number.format(day[name])}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
