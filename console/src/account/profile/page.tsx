import { Alert, Button, NativeSelect, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { IconCheck, IconMail } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { useApiForm } from '../../shared/forms.ts';
import { changeLanguage, language, languages, t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { type Me, meQuery, queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { useMe } from '../me.ts';

/** Name, email and language. A new email waits until it is confirmed, where the server sends mails. */
export function ProfilePage() {
  const me = useMe();
  return (
    <>
      <PageHead title={t('account:profile.title')} intro={t('account:profile.intro')} />
      <Stack maw={480} gap="lg">
        <EmailState me={me} />
        <ProfileForm me={me} />
      </Stack>
    </>
  );
}

function show(me: Me): void {
  queryClient.setQueryData(meQuery.queryKey, me);
}

/** Whether the address is confirmed, and which one would replace it. */
function EmailState({ me }: { me: Me }) {
  const cancel = useMutation({
    mutationFn: () => call('PUT /auth/me', { body: { email: me.email } }),
    onSuccess: show,
  });
  const verify = useMutation({ mutationFn: () => call('POST /auth/verify-email/request', { body: {} }) });
  if (me.pending_email !== null) {
    return (
      <Alert icon={<IconMail />} title={t('account:profile.pending.title', { email: me.pending_email })}>
        <Stack gap="sm" align="flex-start">
          <Text size="sm">{t('account:profile.pending.text', { email: me.email })}</Text>
          {cancel.isError && <FormFailure failure={describeFailure(cancel.error)} />}
          <Button variant="default" size="xs" loading={cancel.isPending} onClick={() => cancel.mutate()}>
            {t('account:profile.pending.cancel')}
          </Button>
        </Stack>
      </Alert>
    );
  }
  if (me.email_verified) return null;
  return (
    <Alert color="yellow" icon={<IconMail />} title={t('account:profile.unverified.title')}>
      <Stack gap="sm" align="flex-start">
        <Text size="sm" role="status">
          {t(verify.isSuccess ? 'account:profile.unverified.sent' : 'account:profile.unverified.text')}
        </Text>
        {verify.isError && <FormFailure failure={describeFailure(verify.error)} />}
        <Button variant="default" size="xs" loading={verify.isPending} onClick={() => verify.mutate()}>
          {t('account:profile.unverified.send')}
        </Button>
      </Stack>
    </Alert>
  );
}

function ProfileForm({ me }: { me: Me }) {
  const [asksPassword, setAsksPassword] = useState(false);
  const [isSaved, setSaved] = useState(false);
  const { form, failure, isSending, onSubmit } = useApiForm('PUT /auth/me', {
    initialValues: {
      name: me.name,
      email: me.pending_email ?? me.email,
      locale: me.locale ?? language,
      current_password: '',
    },
    async send({ name, email, locale, current_password }) {
      setSaved(false);
      try {
        const changed = await call('PUT /auth/me', {
          body: {
            name,
            locale,
            // The waiting address stays what it is unless another one is asked for.
            ...(email === (me.pending_email ?? me.email) ? {} : { email }),
            ...(current_password === '' ? {} : { current_password }),
          },
        });
        show(changed);
        setSaved(true);
        setAsksPassword(false);
        form.setFieldValue('current_password', '');
        changeLanguage(locale);
      } catch (error) {
        if (error instanceof ApiError && error.code === 'recent_login_required') setAsksPassword(true);
        throw error;
      }
    },
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <TextInput
          label={t('account:profile.name')}
          autoComplete="name"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <TextInput
          label={t('account:profile.email')}
          type="email"
          autoComplete="email"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <NativeSelect
          label={t('language')}
          description={t('account:profile.language_text')}
          data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
          key={form.key('locale')}
          {...form.getInputProps('locale')}
        />
        {asksPassword && (
          <PasswordInput
            label={t('account:current_password')}
            autoComplete="current-password"
            autoFocus
            key={form.key('current_password')}
            {...form.getInputProps('current_password')}
          />
        )}
        <Button type="submit" loading={isSending} style={{ alignSelf: 'flex-start' }}>
          {t('save')}
        </Button>
        {isSaved && (
          <Alert color="green" icon={<IconCheck />} role="status">
            {t('saved')}
          </Alert>
        )}
      </Stack>
    </form>
  );
}
