import { Alert, Button, Card, Modal, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAlertTriangle, IconDownload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { call } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { describeFailure } from '../../shared/failures.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { saveFile } from '../../shared/save-file.ts';
import { forgetSession } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { useMe } from '../me.ts';

/** Everything that is held on the user, and the end of the account. */
export function DataPage() {
  const me = useMe();
  const download = useMutation({
    mutationFn: async () =>
      saveFile(
        `account-${me.id}.json`,
        'application/json',
        JSON.stringify(await call('GET /auth/me/export'), null, 2),
      ),
  });
  return (
    <>
      <PageHead title={t('account:data.title')} />
      <Stack maw={560} gap="lg">
        <Card withBorder padding="lg">
          <Stack gap="sm" align="flex-start">
            <Title order={2} size="h4">
              {t('account:data.export.title')}
            </Title>
            <Text size="sm">{t('account:data.export.text')}</Text>
            {download.isError && <FormFailure failure={describeFailure(download.error)} />}
            <Button
              variant="default"
              leftSection={<IconDownload size={16} />}
              loading={download.isPending}
              onClick={() => download.mutate()}
            >
              {t('account:data.export.download')}
            </Button>
          </Stack>
        </Card>
        <CloseAccount />
      </Stack>
    </>
  );
}

function CloseAccount() {
  const [isOpen, { open, close }] = useDisclosure();
  const days = config.deletion_grace_days;
  const text =
    days > 0 ? t('account:data.close.with_grace', { count: days }) : t('account:data.close.at_once');
  const { form, failure, isSending, onSubmit } = useApiForm('DELETE /auth/me', {
    initialValues: { current_password: '' },
    async send(body) {
      await call('DELETE /auth/me', { body });
      forgetSession();
    },
  });
  return (
    <Card withBorder padding="lg">
      <Stack gap="sm" align="flex-start">
        <Title order={2} size="h4">
          {t('account:data.close.title')}
        </Title>
        <Text size="sm">{text}</Text>
        <Button color="red.9" onClick={open}>
          {t('account:data.close.open')}
        </Button>
      </Stack>
      <Modal
        opened={isOpen}
        onClose={close}
        title={t('account:data.close.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <form onSubmit={onSubmit} noValidate>
          <Stack gap="md">
            <Alert color="red" icon={<IconAlertTriangle />}>
              {text}
            </Alert>
            <FormFailure failure={failure} />
            <PasswordInput
              label={t('account:current_password')}
              autoComplete="current-password"
              data-autofocus
              key={form.key('current_password')}
              {...form.getInputProps('current_password')}
            />
            <Button type="submit" color="red.9" loading={isSending}>
              {t('account:data.close.confirm')}
            </Button>
            <Button variant="default" onClick={close}>
              {t('cancel')}
            </Button>
          </Stack>
        </form>
      </Modal>
    </Card>
  );
}
