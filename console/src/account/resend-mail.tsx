import { Button, Group, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { describeFailure } from '../shared/failures.ts';
import { t } from '../shared/i18n.ts';
import { FormFailure } from '../shared/states.tsx';

/** Asks for a mail once more, and says what came of it. `isReady` tells first whether there is enough to ask with. */
export function ResendMail({ isReady, send }: { isReady: () => boolean; send: () => Promise<void> }) {
  const again = useMutation({ mutationFn: send });
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <Text size="sm" c="dimmed" role="status">
          {t(again.isSuccess ? 'access:mail.sent_again' : 'access:mail.none_came')}
        </Text>
        <Button
          variant="transparent"
          size="compact-sm"
          px={0}
          loading={again.isPending}
          onClick={() => {
            if (isReady()) again.mutate();
          }}
        >
          {t('access:mail.send_again')}
        </Button>
      </Group>
      <FormFailure failure={again.isError ? describeFailure(again.error) : undefined} />
    </Stack>
  );
}
