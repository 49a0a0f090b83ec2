import { Badge, Button, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation } from '@tanstack/react-query';
import { type Answer, call, callPage } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { PagedList } from '../../shared/paged-list.tsx';
import { queryClient } from '../../shared/session.ts';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { EntryCard, EntryList } from '../entry-card.tsx';
import { notify } from '../notify.ts';
import { InviteButton } from '../users/add.tsx';
import { RoleBadge } from '../users/state.tsx';

type Invitation = Answer<'GET /auth/invitations'>[number];

const queryKey = ['invitations'];
const lookAgain = () => queryClient.invalidateQueries({ queryKey });

/** Invitations that nobody has accepted yet. */
export function InvitationsPage() {
  return (
    <Stack gap={0} align="stretch">
      <PageHead
        title={t('users:invitations.title')}
        intro={t('users:invitations.intro')}
        actions={<InviteButton />}
      />
      <PagedList
        queryKey={queryKey}
        ask={(page, signal) => callPage('GET /auth/invitations', { query: { ...page }, signal })}
        empty={
          <Empty title={t('users:invitations.none')}>
            <Text size="sm">{t('users:invitations.none_hint')}</Text>
          </Empty>
        }
      >
        {(invitations) => (
          <EntryList>
            {invitations.map((invitation) => (
              <InvitationCard key={invitation.id} invitation={invitation} />
            ))}
          </EntryList>
        )}
      </PagedList>
    </Stack>
  );
}

function InvitationCard({ invitation }: { invitation: Invitation }) {
  const { id, email, name, is_admin, state, created_at, expires_at } = invitation;
  const resend = useMutation({
    mutationFn: () => call('POST /auth/invitations/{id}/resend', { params: { id } }),
    onSuccess: () => notify(t('users:invite.sent', { email })),
    onSettled: lookAgain,
  });
  const withdraw = useMutation({
    mutationFn: () => call('DELETE /auth/invitations/{id}', { params: { id } }),
    onSettled: lookAgain,
  });
  const failure = resend.error ?? withdraw.error;
  const ask = () =>
    modals.openConfirmModal({
      title: t('users:invitations.withdraw_title', { email }),
      children: <Text size="sm">{t('users:invitations.withdraw_text')}</Text>,
      labels: { confirm: t('users:invitations.withdraw'), cancel: t('cancel') },
      confirmProps: { color: 'red' },
      closeButtonProps: { 'aria-label': t('close') },
      onConfirm: () => withdraw.mutate(),
    });
  return (
    <EntryCard
      title={
        <>
          <Text fw={600}>{email}</Text>
          <Badge variant="light" color={state === 'pending' ? 'blue' : 'gray'} tt="none">
            {t(`users:invitations.states.${state}`)}
          </Badge>
          <RoleBadge isAdmin={is_admin} />
        </>
      }
      details={
        <>
          {name !== null && `${foreignText(name)} · `}
          {t('users:invitations.sent')} <Time value={created_at} />
          {state === 'pending' && ` · ${t('users:invitations.until')} `}
          {state === 'pending' && <Time value={expires_at} />}
        </>
      }
      failure={failure === null ? undefined : describeFailure(failure)}
      actions={
        <>
          <Button
            size="xs"
            variant="default"
            loading={resend.isPending}
            onClick={() => resend.mutate()}
            aria-label={t('users:invitations.resend_one', { email })}
          >
            {t('users:user.resend')}
          </Button>
          <Button
            size="xs"
            variant="default"
            c="var(--mantine-color-error)"
            loading={withdraw.isPending}
            onClick={ask}
            aria-label={t('users:invitations.withdraw_one', { email })}
          >
            {t('users:invitations.withdraw')}
          </Button>
        </>
      }
    />
  );
}
