import { Button, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { type Answer, call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { NewPassword } from '../../shared/new-password.tsx';
import { FormFailure } from '../../shared/states.tsx';
import { Done } from '../done.tsx';
import { BackToLogIn } from '../links.tsx';
import { type MailLinkHere, useMailLink } from '../mail-link.ts';

type Invited = Answer<'POST /auth/invitations/accept'>;

/** Makes the account that somebody is invited to. Only the link knows for which address. */
export function InvitationPage() {
  const link = useMailLink();
  const [user, setUser] = useState<Invited>();
  if (user !== undefined) {
    return (
      <Done title={t('access:invitation.done')} return_to={undefined}>
        {t('access:invitation.done_text', { name: user.name, email: user.email })}
      </Done>
    );
  }
  if (link.token === undefined) {
    return (
      <AccessPage title={t('access:invitation.title')} footer={<BackToLogIn />}>
        <FormFailure failure={link.refusal} />
        <Text size="sm">
          {t(link.refusal === undefined ? 'access:invitation.no_link' : 'access:invitation.ask_again')}
        </Text>
      </AccessPage>
    );
  }
  return (
    <AccessPage title={t('access:invitation.title')} intro={t('access:invitation.intro')}>
      <AcceptForm link={link} token={link.token} onMade={setUser} />
    </AccessPage>
  );
}

function AcceptForm({
  link,
  token,
  onMade,
}: {
  link: MailLinkHere;
  token: string;
  onMade: (user: Invited) => void;
}) {
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/invitations/accept', {
    initialValues: { name: '', password: '' },
    send: ({ name, password }) =>
      link.redeem(token, async (shown) => {
        const named = name.trim() === '' ? {} : { name };
        const body = { token: shown, password, ...named };
        onMade(await call('POST /auth/invitations/accept', { body }));
      }),
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <TextInput
          label={t('access:name')}
          description={t('access:invitation.name_hint')}
          autoComplete="name"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <NewPassword
          label={t('access:password')}
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <Button type="submit" loading={isSending} fullWidth>
          {t('access:invitation.button')}
        </Button>
      </Stack>
    </form>
  );
}
