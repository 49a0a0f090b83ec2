import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { t } from '../shared/i18n.ts';

/** Asks for a text to be typed before something that cannot be undone. */
export function TypedConfirmation({
  expected,
  action,
  isBusy = false,
  confirm,
  cancel,
  children,
}: {
  expected: string;
  /** What the button says. */
  action: string;
  isBusy?: boolean;
  confirm: () => void;
  cancel: () => void;
  children: ReactNode;
}) {
  const [typed, setTyped] = useState('');
  const isTyped = typed.trim() === expected;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isTyped && !isBusy) confirm();
      }}
    >
      <Stack gap="md">
        {children}
        <TextInput
          data-autofocus
          label={
            <>
              {t('users:confirm.type')}{' '}
              <Text span fw={700} inherit style={{ overflowWrap: 'anywhere' }}>
                {expected}
              </Text>
            </>
          }
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t('cancel')}
          </Button>
          <Button type="submit" color="red" disabled={!isTyped} loading={isBusy}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
