import {
  Anchor,
  Badge,
  Card,
  Code,
  Group,
  Progress,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Title,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Answer } from '../../shared/api.ts';
import { language, t } from '../../shared/i18n.ts';
import { LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { mailStates } from '../outbox/search.ts';
import { statusQuery } from '../status.ts';

type Status = Answer<'GET /auth/status'>;

const number = new Intl.NumberFormat(language);

/** How the service is doing: what waits, and what runs. */
export function Service() {
  const { data: status, error, refetch } = useQuery(statusQuery);
  if (status === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
  }
  return (
    <Stack gap="md">
      <Title order={2} size="h4">
        {t('insight:dashboard.service')}
      </Title>
      <SimpleGrid cols={{ base: 1, md: 3 }} spacing="md">
        <HashQueue queue={status.hash_queue} />
        <OutboxState status={status} />
        <AuditState log={status.audit_log} />
      </SimpleGrid>
      <Instances instances={status.instances} database={status.database.kind} />
    </Stack>
  );
}

function Panel({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Card withBorder padding="md">
      <Title order={3} size="h5" mb="sm">
        {title}
      </Title>
      <Stack gap="xs">{children}</Stack>
    </Card>
  );
}

function Line({ name, children }: { name: ReactNode; children: ReactNode }) {
  return (
    <Group justify="space-between" gap="sm">
      <Text size="sm">{name}</Text>
      <Text size="sm" fw={600} component="div">
        {children}
      </Text>
    </Group>
  );
}

/** Of the instance that answered. */
function HashQueue({ queue: { running, waiting, slots, limit } }: { queue: Status['hash_queue'] }) {
  const label = t('insight:dashboard.hash_queue.title');
  return (
    <Panel title={label}>
      <Line name={t('insight:dashboard.hash_queue.running')}>
        {t('insight:dashboard.of', { part: number.format(running), whole: number.format(slots) })}
      </Line>
      <Line name={t('insight:dashboard.hash_queue.waiting')}>
        {t('insight:dashboard.of', { part: number.format(waiting), whole: number.format(limit) })}
      </Line>
      <Progress
        value={(100 * waiting) / limit}
        color={waiting > limit / 2 ? 'red' : 'blue'}
        aria-label={t('insight:dashboard.hash_queue.waiting')}
      />
    </Panel>
  );
}

function OutboxState({ status: { outbox, mail } }: { status: Status }) {
  return (
    <Panel title={t('insight:outbox.title')}>
      {mailStates.map((state) => (
        <Line
          key={state}
          name={
            <Anchor renderRoot={(props) => <Link {...props} to="/outbox" search={{ state }} />} inherit>
              {t(`mail_states.${state}`)}
            </Anchor>
          }
        >
          {state === 'dead' && outbox.dead > 0 ? (
            <Badge color="red" variant="light">
              {number.format(outbox.dead)}
            </Badge>
          ) : (
            number.format(outbox[state])
          )}
        </Line>
      ))}
      {outbox.oldest_waiting_at !== null && (
        <Line name={t('insight:dashboard.oldest_waiting')}>
          <Time value={outbox.oldest_waiting_at} />
        </Line>
      )}
      {!mail.is_configured && (
        <Text size="sm" c="dimmed">
          {t('insight:outbox.unsent.title')}
        </Text>
      )}
    </Panel>
  );
}

function AuditState({ log: { events, checkpoint_at } }: { log: Status['audit_log'] }) {
  return (
    <Panel title={t('insight:audit.title')}>
      <Line name={t('insight:dashboard.events')}>{number.format(events)}</Line>
      {checkpoint_at !== null && (
        <Line name={t('insight:dashboard.checkpoint')}>
          <Time value={checkpoint_at} />
        </Line>
      )}
      <Anchor component={Link} to="/audit" size="sm">
        {t('insight:dashboard.to_audit')}
      </Anchor>
    </Panel>
  );
}

function Instances({
  instances,
  database,
}: {
  instances: Status['instances'];
  database: Status['database']['kind'];
}) {
  const names = { sqlite: 'SQLite', postgresql: 'PostgreSQL' };
  const hasSeveralVersions = new Set(instances.map(({ version }) => version)).size > 1;
  return (
    <Panel title={t('insight:dashboard.instances.title')}>
      <Text size="sm" c="dimmed">
        {t('insight:dashboard.database', { database: names[database] })}
      </Text>
      {hasSeveralVersions && <Text size="sm">{t('insight:dashboard.instances.several_versions')}</Text>}
      <Table.ScrollContainer
        minWidth={560}
        type="native"
        tabIndex={0}
        aria-label={t('insight:dashboard.instances.title')}
      >
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('insight:dashboard.instances.id')}</Table.Th>
              <Table.Th scope="col">{t('insight:dashboard.instances.version')}</Table.Th>
              <Table.Th scope="col">{t('insight:dashboard.instances.started')}</Table.Th>
              <Table.Th scope="col">{t('insight:dashboard.instances.seen')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {instances.map(({ id, version, started_at, last_seen_at, is_current }) => (
              <Table.Tr key={id}>
                <Table.Th scope="row" fw={400}>
                  <Group gap="xs">
                    <Code>{id}</Code>
                    {is_current && (
                      <Badge variant="light" tt="none">
                        {t('insight:dashboard.instances.current')}
                      </Badge>
                    )}
                  </Group>
                </Table.Th>
                <Table.Td>{version}</Table.Td>
                <Table.Td>
                  <Time value={started_at} />
                </Table.Td>
                <Table.Td>
                  <Time value={last_seen_at} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}
