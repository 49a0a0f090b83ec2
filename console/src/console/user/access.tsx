import { Button, Card, Divider, Group, Modal, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { modals } from '@mantine/modals';
import { IconLock } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useId } from 'react';
import { call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { notify } from '../notify.ts';
import { TypedConfirmation } from '../typed-confirmation.tsx';
import { lifeQuery, noteUser, type User } from './queries.ts';

/** What may be done about the account just now, and why what may not. */
export function AccessCard({ user }: { user: User }) {
  const { data: life, error, refetch } = useQuery(lifeQuery(user.id));
  return (
    <Card withBorder style={{ alignSelf: 'start' }}>
      <Stack gap="md">
        <Title order={2} size="h4">
          {t('users:user.access')}
        </Title>
        {life === undefined && error !== null && <LoadFailure error={error} retry={refetch} />}
        {life === undefined && error === null && <Loading />}
        {life?.transitions.map(({ action, refused_because }) => {
          const refusal = refused_because === null ? undefined : t(`failures.${refused_because}`);
          if (action === 'activate') return <Reactivate key={action} user={user} refusal={refusal} />;
          if (action === 'deactivate') return <Suspend key={action} user={user} refusal={refusal} />;
          if (action === 'delete') return <Delete key={action} user={user} refusal={refusal} />;
          // By the form beside this.
          return null;
        })}
        <Divider />
        <SendReset user={user} />
        <Unlock user={user} />
      </Stack>
    </Card>
  );
}

type StepProps = { user: User; refusal: string | undefined };

function Reactivate({ user, refusal }: StepProps) {
  const step = useMutation({
    mutationFn: () => call('POST /auth/users/{user_id}/activate', { params: { user_id: user.id } }),
    onSuccess: noteUser,
  });
  return (
    <Step hint={t('users:user.reactivate_hint')} refusal={refusal} error={step.error}>
      {(props) => (
        <Button {...props} variant="default" loading={step.isPending} onClick={() => step.mutate()}>
          {t('users:actions.reactivate')}
        </Button>
      )}
    </Step>
  );
}

function Suspend({ user, refusal }: StepProps) {
  const step = useMutation({
    mutationFn: () => call('POST /auth/users/{user_id}/deactivate', { params: { user_id: user.id } }),
    onSuccess: noteUser,
  });
  const ask = () =>
    modals.openConfirmModal({
      title: t('users:user.suspend_title', { name: user.name }),
      children: <Text size="sm">{t('users:consequences.suspend')}</Text>,
      labels: { confirm: t('users:actions.suspend'), cancel: t('cancel') },
      closeButtonProps: { 'aria-label': t('close') },
      onConfirm: () => step.mutate(),
    });
  return (
    <Step hint={t('users:user.suspend_hint')} refusal={refusal} error={step.error}>
      {(props) => (
        <Button {...props} variant="default" loading={step.isPending} onClick={ask}>
          {t('users:actions.suspend')}
        </Button>
      )}
    </Step>
  );
}

function Delete({ user, refusal }: StepProps) {
  const [isAsking, { open, close }] = useDisclosure();
  const navigate = useNavigate();
  const step = useMutation({
    mutationFn: () => call('DELETE /auth/users/{user_id}', { params: { user_id: user.id } }),
    async onSuccess() {
      await navigate({ to: '/users' });
      queryClient.removeQueries({ queryKey: ['user', user.id] });
      await queryClient.invalidateQueries({ queryKey: ['users'] });
      notify(t('users:user.deleted', { name: user.name }));
    },
  });
  return (
    <Step hint={t('users:user.delete_hint')} refusal={refusal}>
      {(props) => (
        <>
          <Button
            {...props}
            variant="default"
            {...(refusal === undefined ? { c: 'var(--mantine-color-error)' } : {})}
            onClick={open}
          >
            {t('users:actions.delete')}
          </Button>
          <Modal
            opened={isAsking}
            onClose={close}
            title={t('users:user.delete_title', { name: user.name })}
            closeButtonProps={{ 'aria-label': t('close') }}
          >
            <TypedConfirmation
              expected={user.email}
              action={t('users:actions.delete')}
              isBusy={step.isPending}
              confirm={() => step.mutate()}
              cancel={close}
            >
              <FormFailure failure={step.error === null ? undefined : describeFailure(step.error)} />
              <Text size="sm">{t('users:consequences.delete')}</Text>
            </TypedConfirmation>
          </Modal>
        </>
      )}
    </Step>
  );
}

function SendReset({ user }: { user: User }) {
  const step = useMutation({
    mutationFn: () => call('POST /auth/users/{user_id}/reset-password', { params: { user_id: user.id } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['user', user.id] }),
  });
  return (
    <Step
      hint={t('users:user.reset_hint')}
      error={step.error}
      done={step.isSuccess ? t('users:user.reset_sent', { email: user.email }) : undefined}
    >
      {(props) => (
        <Button {...props} variant="default" loading={step.isPending} onClick={() => step.mutate()}>
          {t('users:user.reset')}
        </Button>
      )}
    </Step>
  );
}

function Unlock({ user }: { user: User }) {
  const step = useMutation({
    mutationFn: () => call('POST /auth/users/{user_id}/unlock', { params: { user_id: user.id } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['user', user.id] }),
  });
  return (
    <Step
      hint={t('users:user.unlock_hint')}
      error={step.error}
      done={step.isSuccess ? t('users:user.unlocked') : undefined}
    >
      {(props) => (
        <Button {...props} variant="default" loading={step.isPending} onClick={() => step.mutate()}>
          {t('users:user.unlock')}
        </Button>
      )}
    </Step>
  );
}

/** A thing to do: what comes of it, why it may not be done, or how it went. */
function Step({
  hint,
  refusal,
  error,
  done,
  children,
}: {
  hint: string;
  refusal?: string | undefined;
  error?: Error | null;
  done?: string | undefined;
  children: (props: { disabled: boolean; 'aria-describedby': string }) => ReactNode;
}) {
  const hintId = useId();
  return (
    <Group justify="space-between" wrap="nowrap" align="flex-start" gap="md">
      <Stack gap={2}>
        <Text size="sm" id={hintId}>
          {refusal === undefined ? (
            hint
          ) : (
            <>
              <IconLock size={14} aria-hidden /> {refusal}
            </>
          )}
        </Text>
        {done !== undefined && (
          <Text size="sm" fw={600} role="status">
            {done}
          </Text>
        )}
        {error && (
          <Text size="sm" c="var(--mantine-color-error)" role="alert">
            {describeFailure(error)}
          </Text>
        )}
      </Stack>
      <div style={{ flexShrink: 0 }}>
        {children({ disabled: refusal !== undefined, 'aria-describedby': hintId })}
      </div>
    </Group>
  );
}
