import { Button, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { type Answer, call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { NewPassword } from '../../shared/new-password.tsx';
import { FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Done } from '../done.tsx';
import { BackToLogIn } from '../links.tsx';
import { type MailLinkHere, useMailLink } from '../mail-link.ts';

type Invitation = Answer<'POST /auth/invitations/show'>;
type Invited = Answer<'POST /auth/invitations/accept'>;

/** Makes the account that somebody is invited to. */
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
      <Accept link={link} token={link.token} onMade={setUser} />
    </AccessPage>
  );
}

interface ByLink {
  link: MailLinkHere;
  token: string;
  onMade: (user: Invited) => void;
}

function Accept(byLink: ByLink) {
  const { link, token } = byLink;
  const { data, error, refetch } = useQuery({
    queryKey: ['invitation', token],
    queryFn: () =>
      link.look(token, (shown) => call('POST /auth/invitations/show', { body: { token: shown } })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (data !== undefined) return <AcceptForm {...byLink} invitation={data} />;
  return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
}

function AcceptForm({ link, token, onMade, invitation }: ByLink & { invitation: Invitation }) {
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/invitations/accept', {
    initialValues: { name: invitation.name ?? '', password: '' },
    required: ['name'],
    send: ({ name, password }) =>
      link.redeem(token, async (shown) => {
        onMade(await call('POST /auth/invitations/accept', { body: { token: shown, password, name } }));
      }),
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <TextInput
          label={t('access:email')}
          value={invitation.email}
          autoComplete="username"
          variant="filled"
          readOnly
        />
        <TextInput
          label={t('access:name')}
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
