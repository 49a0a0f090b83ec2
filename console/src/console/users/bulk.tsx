import { Alert, Button, Group, Modal, Paper, ScrollArea, Stack, Table, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type Answer, call, type Route } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { AskBeforeLeaving } from '../ask-before-leaving.tsx';
import { type Batch, useBatch } from '../batch.ts';
import { BatchProgress } from '../batch-progress.tsx';
import { TypedConfirmation } from '../typed-confirmation.tsx';
import type { User } from './search.ts';

type Step = Answer<'GET /auth/users/{user_id}/life-cycle'>['transitions'][number];

/** What can be done with many: the request, and the step of the life cycle that tells whether it may be. */
const actions = {
  suspend: { route: 'POST /auth/users/{user_id}/deactivate', step: 'deactivate' },
  reactivate: { route: 'POST /auth/users/{user_id}/activate', step: 'activate' },
  end_sessions: { route: 'DELETE /auth/users/{user_id}/sessions', step: undefined },
  delete: { route: 'DELETE /auth/users/{user_id}', step: 'delete' },
} as const satisfies Record<string, { route: Route; step: Step['action'] | undefined }>;
type BulkAction = keyof typeof actions;

/** What can be done with the users that are selected. */
export function BulkBar({ users, clear }: { users: User[]; clear: () => void }) {
  const [action, setAction] = useState<BulkAction>();
  return (
    <>
      <Paper withBorder p="xs" role="region" aria-label={t('users:bulk.label')}>
        <Group gap="xs">
          <Text size="sm" fw={600} mx="xs" role="status">
            {t('users:bulk.selected', { count: users.length })}
          </Text>
          {(Object.keys(actions) as BulkAction[]).map((name) => (
            <Button
              key={name}
              size="xs"
              variant="default"
              {...(name === 'delete' ? { c: 'var(--mantine-color-error)' } : {})}
              onClick={() => setAction(name)}
            >
              {t(`users:actions.${name}`)}
            </Button>
          ))}
          <Button size="xs" variant="subtle" onClick={clear}>
            {t('users:bulk.clear')}
          </Button>
        </Group>
      </Paper>
      {action !== undefined && (
        <BulkDialog
          action={action}
          users={users}
          close={(isDone) => {
            setAction(undefined);
            if (isDone) clear();
          }}
        />
      )}
    </>
  );
}

/** Looks what may be done, asks, does it, and tells what became of each. */
function BulkDialog({
  action,
  users,
  close,
}: {
  action: BulkAction;
  users: User[];
  close: (isDone: boolean) => void;
}) {
  const { route, step } = actions[action];
  const queryClient = useQueryClient();
  const check = useBatch<User, Step | undefined>();
  const work = useBatch<User, unknown>();
  const [chosen] = useState(users);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, for the users that were selected.
  useEffect(() => {
    if (step !== undefined) check.run(chosen, (user) => findStep(user, step));
    return check.stop;
  }, []);

  const isChecked = step === undefined || check.state === 'finished';
  const refusals = new Map(
    check.outcomes.flatMap((outcome) => {
      const refusal = outcome.isDone ? refusalOf(outcome.result) : describeFailure(outcome.error);
      return refusal === undefined ? [] : [[outcome.item, refusal] as const];
    }),
  );
  const able = chosen.filter((user) => !refusals.has(user));

  async function start(): Promise<void> {
    await work.run(able, ({ id }) => call(route, { params: { user_id: id } }));
    queryClient.invalidateQueries({ queryKey: ['users'] });
    queryClient.invalidateQueries({ queryKey: ['user'] });
  }

  const title = t(`users:actions.${action}`);
  return (
    <Modal
      opened
      onClose={() => work.state !== 'running' && close(work.state === 'finished')}
      withCloseButton={work.state !== 'running'}
      closeButtonProps={{ 'aria-label': t('close') }}
      title={title}
      size="lg"
    >
      {!isChecked ? (
        <BatchProgress
          done={check.outcomes.length}
          total={chosen.length}
          label={t('users:bulk.checking')}
          stop={() => close(false)}
        />
      ) : work.state === 'idle' ? (
        <Question
          action={action}
          able={able}
          refusals={refusals}
          confirm={start}
          cancel={() => close(false)}
        />
      ) : (
        <Results title={title} users={chosen} refusals={refusals} work={work} close={() => close(true)} />
      )}
    </Modal>
  );
}

async function findStep(user: User, action: Step['action']): Promise<Step | undefined> {
  const { transitions } = await call('GET /auth/users/{user_id}/life-cycle', {
    params: { user_id: user.id },
  });
  return transitions.find((transition) => transition.action === action);
}

function refusalOf(step: Step | undefined): string | undefined {
  if (step === undefined) return t('users:bulk.not_needed');
  return step.refused_because === null ? undefined : t(`failures.${step.refused_because}`);
}

function Question({
  action,
  able,
  refusals,
  confirm,
  cancel,
}: {
  action: BulkAction;
  able: User[];
  refusals: ReadonlyMap<User, string>;
  confirm: () => void;
  cancel: () => void;
}) {
  const explanation = (
    <>
      <Text size="sm">
        {t(`users:bulk.${action}`, { count: able.length })} {t(`users:consequences.${action}`)}
      </Text>
      {refusals.size > 0 && (
        <Alert color="yellow" variant="light" title={t('users:bulk.left_out', { count: refusals.size })}>
          <ScrollArea.Autosize mah={160}>
            {[...refusals].map(([user, refusal]) => (
              <Text key={user.id} size="sm">
                {foreignText(user.name)}: {refusal}
              </Text>
            ))}
          </ScrollArea.Autosize>
        </Alert>
      )}
    </>
  );
  if (action === 'delete' && able.length > 0) {
    return (
      <TypedConfirmation
        expected={String(able.length)}
        action={t('users:actions.delete')}
        confirm={confirm}
        cancel={cancel}
      >
        {explanation}
      </TypedConfirmation>
    );
  }
  return (
    <Stack gap="md">
      {explanation}
      <Group justify="flex-end">
        <Button variant="default" onClick={cancel}>
          {t('cancel')}
        </Button>
        <Button data-autofocus onClick={confirm} disabled={able.length === 0}>
          {t(`users:actions.${action}`)}
        </Button>
      </Group>
    </Stack>
  );
}

function Results({
  title,
  users,
  refusals,
  work,
  close,
}: {
  title: string;
  users: User[];
  refusals: ReadonlyMap<User, string>;
  work: Batch<User, unknown>;
  close: () => void;
}) {
  const outcomes = new Map(work.outcomes.map((outcome) => [outcome.item, outcome]));
  const done = work.outcomes.filter(({ isDone }) => isDone).length;
  const isRunning = work.state === 'running';

  function tell(user: User): { text: string; isFailure?: boolean } {
    const outcome = outcomes.get(user);
    if (outcome?.isDone) return { text: t('users:bulk.done') };
    if (outcome !== undefined) return { text: describeFailure(outcome.error), isFailure: true };
    const refusal = refusals.get(user);
    if (refusal !== undefined) return { text: refusal };
    return { text: isRunning ? t('users:bulk.waiting') : t('users:bulk.stopped') };
  }

  return (
    <Stack gap="md">
      {isRunning && <AskBeforeLeaving />}
      {isRunning ? (
        <BatchProgress done={work.outcomes.length} total={work.total} label={title} stop={work.stop} />
      ) : (
        <Text size="sm" fw={600} role="status">
          {t('users:bulk.finished', { done, count: users.length })}
        </Text>
      )}
      <ScrollArea.Autosize mah={320} viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': title }}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('users:columns.name')}</Table.Th>
              <Table.Th scope="col">{t('users:bulk.result')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {users.map((user) => {
              const { text, isFailure = false } = tell(user);
              return (
                <Table.Tr key={user.id}>
                  <Table.Th scope="row" fw={400} style={{ overflowWrap: 'anywhere' }}>
                    {foreignText(user.name)}
                  </Table.Th>
                  <Table.Td {...(isFailure ? { c: 'var(--mantine-color-error)' } : {})}>{text}</Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
      {!isRunning && (
        <Group justify="flex-end">
          <Button data-autofocus onClick={close}>
            {t('close')}
          </Button>
        </Group>
      )}
    </Stack>
  );
}
