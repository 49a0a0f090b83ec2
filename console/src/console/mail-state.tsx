import { Badge } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation } from '@tanstack/react-query';
import { type Answer, call } from '../shared/api.ts';
import { t } from '../shared/i18n.ts';
import { queryClient } from '../shared/session.ts';

export type Mail = Answer<'GET /auth/outbox'>[number];

const colors = { asked: 'gray', queued: 'blue', sent: 'teal', dead: 'red' } as const;

export function MailStateBadge({ state }: { state: Mail['state'] }) {
  return (
    <Badge variant="light" color={colors[state]} tt="none">
      {t(`mail_states.${state}`)}
    </Badge>
  );
}

/** Sends a mail again, once that was confirmed: its former link stops working. */
export function useResend(id: number) {
  const resend = useMutation({
    mutationFn: () => call('POST /auth/outbox/{id}/resend', { params: { id } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['outbox'] }),
  });
  return {
    resend,
    ask: () =>
      modals.openConfirmModal({
        title: t('insight:outbox.resend.title'),
        children: t('insight:outbox.resend.text'),
        labels: { confirm: t('insight:outbox.resend.confirm'), cancel: t('cancel') },
        closeButtonProps: { 'aria-label': t('close') },
        onConfirm: () => resend.mutate(),
      }),
  };
}
