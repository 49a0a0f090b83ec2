import { Button, Modal, NativeSelect, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMailPlus, IconUserPlus } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { NewPassword } from '../../account/new-password.tsx';
import { call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { languages, t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { notify } from '../notify.ts';

const languageChoices = () => [
  { value: '', label: t('users:user.no_language') },
  ...Object.entries(languages).map(([value, label]) => ({ value, label })),
];

/** Invites somebody by mail: they choose their own password. */
export function InviteButton() {
  const [isOpen, { open, close }] = useDisclosure();
  return (
    <>
      <Button leftSection={<IconMailPlus size={16} aria-hidden />} onClick={open}>
        {t('users:invite.title')}
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        title={t('users:invite.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <InviteForm close={close} />
      </Modal>
    </>
  );
}

export function InviteForm({ close }: { close: () => void }) {
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/invitations', {
    initialValues: { email: '', name: '', locale: '', is_admin: false },
    async send({ email, name, locale, is_admin }) {
      const named = name.trim() === '' ? {} : { name };
      const spoken = locale === '' ? {} : { locale };
      await call('POST /auth/invitations', { body: { email, is_admin, ...named, ...spoken } });
      await queryClient.invalidateQueries({ queryKey: ['invitations'] });
      notify(t('users:invite.sent', { email }));
      close();
    },
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <Text size="sm">{t('users:invite.intro')}</Text>
        <FormFailure failure={failure} />
        <TextInput
          data-autofocus
          label={t('users:columns.email')}
          type="email"
          autoComplete="off"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <TextInput
          label={t('users:invite.name')}
          autoComplete="off"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <NativeSelect
          label={t('users:user.mail_language')}
          data={languageChoices()}
          key={form.key('locale')}
          {...form.getInputProps('locale')}
        />
        <Switch
          label={t('users:roles.admin')}
          description={t('users:user.admin_hint')}
          key={form.key('is_admin')}
          {...form.getInputProps('is_admin', { type: 'checkbox' })}
        />
        <Button type="submit" loading={isSending} fullWidth>
          {t('users:invite.send')}
        </Button>
      </Stack>
    </form>
  );
}

/** Makes an account with a password that the administrator chooses. */
export function CreateButton() {
  const [isOpen, { open, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" leftSection={<IconUserPlus size={16} aria-hidden />} onClick={open}>
        {t('users:create.title')}
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        title={t('users:create.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <CreateForm close={close} />
      </Modal>
    </>
  );
}

export function CreateForm({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/users', {
    initialValues: { name: '', email: '', password: '', locale: '', is_admin: false },
    async send({ locale, ...account }) {
      const spoken = locale === '' ? {} : { locale };
      const user = await call('POST /auth/users', { body: { ...account, ...spoken } });
      await queryClient.invalidateQueries({ queryKey: ['users'] });
      await navigate({ to: '/users/$id', params: { id: String(user.id) } });
      close();
    },
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <Text size="sm">{t('users:create.intro')}</Text>
        <FormFailure failure={failure} />
        <TextInput
          data-autofocus
          label={t('users:columns.name')}
          autoComplete="off"
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <TextInput
          label={t('users:columns.email')}
          type="email"
          autoComplete="off"
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <NewPassword
          label={t('access:password')}
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <NativeSelect
          label={t('users:user.mail_language')}
          data={languageChoices()}
          key={form.key('locale')}
          {...form.getInputProps('locale')}
        />
        <Switch
          label={t('users:roles.admin')}
          description={t('users:user.admin_hint')}
          key={form.key('is_admin')}
          {...form.getInputProps('is_admin', { type: 'checkbox' })}
        />
        <Button type="submit" loading={isSending} fullWidth>
          {t('users:create.title')}
        </Button>
      </Stack>
    </form>
  );
}
