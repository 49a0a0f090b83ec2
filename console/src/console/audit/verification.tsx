import { Alert, Button, Code, Progress, Stack, Table, Text } from '@mantine/core';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { type Answer, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { language, t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { statusQuery } from '../status.ts';

type Verification = Answer<'POST /auth/audit-events/verify'>;
type Result = NonNullable<Verification['result']>;

const pollMs = 1_000;
/** An instance that is gone is told of for a minute. */
const lookForInstanceMs = 15_000;
const number = new Intl.NumberFormat(language);

const verificationQuery = queryOptions({
  queryKey: ['audit-verification'],
  async queryFn({ signal, client }): Promise<Verification> {
    const told = await call('GET /auth/audit-events/verification', { signal });
    // Each instance knows of its own verification; the answer of another one says nothing of ours.
    const known = client.getQueryData<Verification>(['audit-verification']);
    if (known?.state !== 'running' || known.instance_id === told.instance_id) return told;
    // Ours ends with its instance.
    const { instances } = await client.fetchQuery({ ...statusQuery, staleTime: lookForInstanceMs });
    return instances.some(({ id }) => id === known.instance_id) ? known : { ...known, state: 'failed' };
  },
  refetchInterval: ({ state }) => (state.data?.state === 'running' ? pollMs : false),
});

export function useVerification() {
  const { data } = useQuery(verificationQuery);
  const verify = useMutation({
    mutationFn: () => call('POST /auth/audit-events/verify'),
    onSuccess: (told) => queryClient.setQueryData(verificationQuery.queryKey, told),
  });
  return { verification: data, verify, isRunning: verify.isPending || data?.state === 'running' };
}

export function VerifyButton({ verify, isRunning }: ReturnType<typeof useVerification>) {
  return (
    <Button
      leftSection={<IconShieldCheck size={16} aria-hidden />}
      loading={isRunning}
      onClick={() => verify.mutate()}
    >
      {t('insight:audit.verify')}
    </Button>
  );
}

/** How far the verification is, or what it found. */
export function VerificationState({ verification, verify }: ReturnType<typeof useVerification>) {
  if (verify.isError) return <FormFailure failure={describeFailure(verify.error)} />;
  if (verification === undefined || verification.state === 'none') return null;
  const { state, events_checked, events_total, finished_at, result } = verification;
  if (state === 'failed') return <FormFailure failure={t('insight:audit.verification.failed')} />;
  if (state === 'running' || result === null) {
    return (
      <Stack gap="xs" role="status">
        <Text size="sm">
          {t('insight:audit.verification.running', {
            checked: number.format(events_checked),
            total: number.format(events_total),
          })}
        </Text>
        <Progress
          value={events_total === 0 ? 0 : (100 * events_checked) / events_total}
          aria-label={t('insight:audit.verify')}
        />
      </Stack>
    );
  }
  return (
    <Stack gap="md">
      <Alert
        role={result.ok ? 'status' : 'alert'}
        color={result.ok ? 'teal' : 'red'}
        icon={result.ok ? <IconShieldCheck /> : <IconShieldX />}
        title={t(result.ok ? 'insight:audit.verification.ok' : 'insight:audit.verification.broken')}
      >
        <Stack gap="xs">
          <Text size="sm">
            {t('insight:audit.verification.checked', {
              count: result.events,
              number: number.format(result.events),
              pruned: number.format(result.pruned),
              erased: number.format(result.erased),
            })}
            {finished_at !== null && (
              <>
                {' · '}
                <Time value={finished_at} />
              </>
            )}
          </Text>
          {!result.ok && <Text size="sm">{t('insight:audit.verification.what_to_do')}</Text>}
        </Stack>
      </Alert>
      {!result.ok && <Findings result={result} />}
    </Stack>
  );
}

function Findings({ result: { findings, findings_left_out } }: { result: Result }) {
  return (
    <>
      <Table.ScrollContainer
        minWidth={520}
        mah={320}
        type="native"
        tabIndex={0}
        aria-label={t('insight:audit.verification.findings')}
      >
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('insight:audit.verification.finding')}</Table.Th>
              <Table.Th scope="col">{t('insight:audit.verification.where')}</Table.Th>
              <Table.Th scope="col">{t('insight:audit.id')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {findings.map(({ code, message, chain, position, event_id }) => (
              <Table.Tr key={`${code} ${chain} ${position} ${event_id} ${message}`}>
                <Table.Td title={message}>
                  {t(`insight:audit.findings.${code as 'event_changed'}`, { defaultValue: message })}
                </Table.Td>
                <Table.Td>{[chain, position].filter((part) => part !== undefined).join(' / ')}</Table.Td>
                <Table.Td>{event_id !== undefined && <Code>{event_id}</Code>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {findings_left_out > 0 && (
        <Text size="sm">{t('insight:audit.verification.left_out', { count: findings_left_out })}</Text>
      )}
    </>
  );
}
