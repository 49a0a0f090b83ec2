import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useBlocker } from '@tanstack/react-router';
import { t } from '../shared/i18n.ts';

/** While this is shown, leaving the page asks first: the work that it does would end halfway. */
export function AskBeforeLeaving() {
  const { status, proceed, reset } = useBlocker({
    // A view of the same page is no other page.
    shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname,
    enableBeforeUnload: true,
    withResolver: true,
  });
  return (
    <Modal
      opened={status === 'blocked'}
      onClose={() => reset?.()}
      title={t('users:batch.leave.title')}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack gap="md">
        <Text size="sm">{t('users:batch.leave.text')}</Text>
        <Group justify="flex-end">
          <Button variant="default" data-autofocus onClick={() => reset?.()}>
            {t('users:batch.leave.stay')}
          </Button>
          <Button color="red.9" onClick={() => proceed?.()}>
            {t('users:batch.leave.leave')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
