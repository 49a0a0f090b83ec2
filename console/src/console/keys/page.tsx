import { Alert, Badge, Button, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { IconCheck, IconRefresh } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { type Answer, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { queryClient, whileKnown } from '../../shared/session.ts';
import { Empty, FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { EntryCard, EntryList } from '../entry-card.tsx';

type SigningKey = Answer<'GET /auth/keys'>[number];

const colors = { next: 'blue', signing: 'teal', former: 'gray' } as const;

/** Others may make a key, by the command line or another instance, and the next one begins to sign. */
const lookAgainMs = 15_000;

const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) => call('GET /auth/keys', { signal }),
  refetchInterval: whileKnown(lookAgainMs),
});

/** What signs the tokens, how old it is, and what follows it. */
export function KeysPage() {
  const { data: keys, error, refetch } = useQuery(keysQuery);
  const rotate = useMutation({
    mutationFn: () => call('POST /auth/keys/rotate'),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keysQuery.queryKey }),
  });
  const ask = () =>
    modals.openConfirmModal({
      title: t('insight:keys.rotate.title'),
      children: t('insight:keys.rotate.text'),
      labels: { confirm: t('insight:keys.rotate.confirm'), cancel: t('cancel') },
      closeButtonProps: { 'aria-label': t('close') },
      onConfirm: () => rotate.mutate(),
    });
  return (
    <>
      <PageHead
        title={t('insight:keys.title')}
        intro={t('insight:keys.intro')}
        actions={
          <Button
            leftSection={<IconRefresh size={16} aria-hidden />}
            loading={rotate.isPending}
            onClick={ask}
          >
            {t('insight:keys.rotate.confirm')}
          </Button>
        }
      />
      <Stack gap="md">
        {rotate.isError && <FormFailure failure={describeFailure(rotate.error)} />}
        {rotate.isSuccess && (
          <Alert color="teal" icon={<IconCheck />} role="status">
            {t('insight:keys.rotate.done')} <Time value={rotate.data.signs_from} />
          </Alert>
        )}
        {keys === undefined && error !== null && <LoadFailure error={error} retry={refetch} />}
        {keys === undefined && error === null && <Loading />}
        {keys?.length === 0 && (
          <Empty title={t('insight:keys.none')}>
            <Text size="sm">{t('failures.shared_secret_signs')}</Text>
          </Empty>
        )}
        {keys !== undefined && keys.length > 0 && (
          <EntryList>
            {keys.map((key) => (
              <KeyCard key={key.kid} signingKey={key} />
            ))}
          </EntryList>
        )}
      </Stack>
    </>
  );
}

function KeyCard({ signingKey }: { signingKey: SigningKey }) {
  const { kid, algorithm, state, created_at, signs_from, retires_at } = signingKey;
  return (
    <EntryCard
      title={
        <>
          <Text size="sm" ff="monospace">
            {kid}
          </Text>
          <Badge variant="light" color={colors[state]} tt="none">
            {t(`insight:keys.states.${state}`)}
          </Badge>
          {state === 'next' && (
            <Text size="sm" c="dimmed">
              <Time value={signs_from} />
            </Text>
          )}
        </>
      }
      details={
        <>
          {algorithm} · {t('insight:keys.created')}: <Time value={created_at} />
          {retires_at !== null && ` · ${t('insight:keys.retires')}: `}
          {retires_at !== null && <Time value={retires_at} />}
        </>
      }
    />
  );
}
