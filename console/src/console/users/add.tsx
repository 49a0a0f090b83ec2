import { Button, Modal, NativeSelect, Stack, Switch, Text, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconMailPlus, IconUserPlus } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { languages, t } from '../../shared/i18n.ts';
import { NewAccountFields } from '../../shared/new-account-fields.tsx';
import { queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { notify } from '../notify.ts';

interface Given {
  locale: string;
  is_admin: boolean;
}

const languageChoices = () => [
  { value: '', label: t('users:user.no_language') },
  ...Object.entries(languages).map(([value, label]) => ({ value, label })),
];

/** Opens a form in a dialog. */
function FormButton({
  title,
  icon: Icon,
  variant,
  form: Form,
}: {
  title: string;
  icon: ComponentType<{ size?: number }>;
  variant?: 'default';
  form: ComponentType<{ close: () => void }>;
}) {
  const [isOpen, { open, close }] = useDisclosure();
  return (
    <>
      <Button
        {...(variant === undefined ? {} : { variant })}
        leftSection={<Icon size={16} aria-hidden />}
        onClick={open}
      >
        {title}
      </Button>
      <Modal opened={isOpen} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('close') }}>
        <Form close={close} />
      </Modal>
    </>
  );
}

/** Invites somebody by mail: they choose their own password. */
export function InviteButton() {
  return <FormButton title={t('users:invite.title')} icon={IconMailPlus} form={InviteForm} />;
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
        <LanguageAndRole form={form} />
        <Button type="submit" loading={isSending} fullWidth>
          {t('users:invite.send')}
        </Button>
      </Stack>
    </form>
  );
}

/** Makes an account with a password that the administrator chooses. */
export function CreateButton() {
  return (
    <FormButton title={t('users:create.title')} icon={IconUserPlus} variant="default" form={CreateForm} />
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
        <NewAccountFields form={form} isOwn={false} />
        <LanguageAndRole form={form} />
        <Button type="submit" loading={isSending} fullWidth>
          {t('users:create.title')}
        </Button>
      </Stack>
    </form>
  );
}

/** In which language mails come, and whether the new one is an administrator. */
function LanguageAndRole({ form }: { form: Pick<UseFormReturnType<Given>, 'key' | 'getInputProps'> }) {
  return (
    <>
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
    </>
  );
}
