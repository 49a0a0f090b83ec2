import { Button, Card, NativeSelect, SimpleGrid, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import { call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { languages, t } from '../../shared/i18n.ts';
import { FormFailure } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { notify } from '../notify.ts';
import { AccessCard } from './access.tsx';
import { lifeQuery, noteUser, type User } from './queries.ts';

/** Who the user is, and what may be done about the account. */
export function ProfileTab({ user }: { user: User }) {
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
      <Stack gap="lg">
        <EditCard key={user.id} user={user} />
        <FactsCard user={user} />
      </Stack>
      <AccessCard user={user} />
    </SimpleGrid>
  );
}

function valuesOf({ name, email, locale, is_admin }: User) {
  return { name, email, locale: locale ?? '', is_admin };
}

/** What somebody else changes meanwhile is shown in the fields that nobody has touched here; the others stay. */
function EditCard({ user }: { user: User }) {
  const { data: life } = useQuery(lifeQuery(user.id));
  const demotionRefusal = user.is_admin ? (life?.demotion_refused_because ?? null) : null;
  const { form, failure, isSending, onSubmit } = useApiForm('PATCH /auth/users/{user_id}', {
    initialValues: valuesOf(user),
    async send(values) {
      const { locale, ...rest } = values;
      const given = Object.entries({ ...rest, ...(locale === '' ? {} : { locale }) });
      const body = Object.fromEntries(given.filter(([name, value]) => value !== user[name as keyof User]));
      const changed = await call('PATCH /auth/users/{user_id}', { params: { user_id: user.id }, body });
      form.setInitialValues(valuesOf(changed));
      form.reset();
      await noteUser(changed);
      notify(t('saved'));
    },
  });
  const { name, email, locale, is_admin } = user;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever what is known of the user changes.
  useEffect(() => {
    const known = valuesOf(user);
    const fields = Object.keys(known) as (keyof typeof known)[];
    const untouched = fields.filter((field) => !form.isDirty(field));
    form.setInitialValues(known);
    for (const field of untouched) {
      if (form.getValues()[field] !== known[field]) form.setFieldValue(field, known[field]);
    }
  }, [name, email, locale, is_admin]);
  return (
    <Card withBorder>
      <form onSubmit={onSubmit} noValidate>
        <Stack gap="md">
          <Title order={2} size="h4">
            {t('users:user.edit')}
          </Title>
          <FormFailure failure={failure} />
          <TextInput
            label={t('users:columns.name')}
            autoComplete="off"
            key={form.key('name')}
            {...form.getInputProps('name')}
          />
          <TextInput
            label={t('users:columns.email')}
            description={t('users:user.email_hint')}
            type="email"
            autoComplete="off"
            key={form.key('email')}
            {...form.getInputProps('email')}
          />
          <NativeSelect
            label={t('users:user.mail_language')}
            key={form.key('locale')}
            {...form.getInputProps('locale')}
            data={[
              ...(user.locale === null ? [{ value: '', label: t('users:user.no_language') }] : []),
              ...Object.entries(languages).map(([value, label]) => ({ value, label })),
            ]}
          />
          <Switch
            label={t('users:roles.admin')}
            description={
              demotionRefusal === null ? t('users:user.admin_hint') : t(`failures.${demotionRefusal}`)
            }
            disabled={demotionRefusal !== null}
            key={form.key('is_admin')}
            {...form.getInputProps('is_admin', { type: 'checkbox' })}
          />
          <Button type="submit" loading={isSending} style={{ alignSelf: 'flex-start' }}>
            {t('save')}
          </Button>
        </Stack>
      </form>
    </Card>
  );
}

function FactsCard({ user }: { user: User }) {
  return (
    <Card withBorder>
      <Stack gap="sm" component="dl" m={0}>
        <Fact name={t('users:columns.id')}>{user.id}</Fact>
        <Fact name={t('users:columns.created_at')}>
          <Time value={user.created_at} />
        </Fact>
        <Fact name={t('users:columns.email_verified')}>{t(user.email_verified ? 'yes' : 'no')}</Fact>
        {user.pending_email !== null && (
          <Fact name={t('users:columns.pending_email')}>{user.pending_email}</Fact>
        )}
        {user.delete_after !== null && (
          <Fact name={t('users:columns.delete_after')}>
            <Time value={user.delete_after} />
          </Fact>
        )}
      </Stack>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <Text component="dt" size="sm" c="dimmed">
        {name}
      </Text>
      <Text component="dd" m={0} style={{ overflowWrap: 'anywhere' }}>
        {children}
      </Text>
    </div>
  );
}
