import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { type Answer, call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { GoOn } from '../done.tsx';
import { ButtonLink } from '../links.tsx';
import { useMailLink } from '../mail-link.ts';

/** Takes a change of the address back, by the link that the former address got. */
export function UndoEmailChangePage() {
  const link = useMailLink();
  const [user, setUser] = useState<Answer<'POST /auth/change-email/undo'>>();
  const { failure, isSending, onSubmit } = useApiForm('POST /auth/change-email/undo', {
    initialValues: {},
    send: async () => {
      if (link.token === undefined) return;
      await link.redeem(link.token, async (token) => {
        const restored = await call('POST /auth/change-email/undo', { body: { token } });
        // Sessions may have ended, and perhaps one was of this browser.
        await queryClient.invalidateQueries();
        setUser(restored);
      });
    },
  });
  if (user !== undefined) {
    return (
      <AccessPage title={t('access:undo.done')} intro={t('access:undo.done_text', { email: user.email })}>
        <ButtonLink to="/forgot-password" variant="default" fullWidth>
          {t('access:undo.new_password')}
        </ButtonLink>
        <GoOn return_to={undefined} />
      </AccessPage>
    );
  }
  if (link.token === undefined) {
    return (
      <AccessPage title={t('access:undo.title')}>
        <FormFailure failure={link.refusal} />
        <Text size="sm">
          {t(link.refusal === undefined ? 'access:undo.no_link' : 'access:undo.too_late')}
        </Text>
      </AccessPage>
    );
  }
  return (
    <AccessPage title={t('access:undo.title')} intro={t('access:undo.intro')}>
      <form onSubmit={onSubmit} noValidate>
        <Stack gap="md">
          <FormFailure failure={failure} />
          <Button type="submit" loading={isSending} fullWidth>
            {t('access:undo.button')}
          </Button>
        </Stack>
      </form>
    </AccessPage>
  );
}
