import { Button, Group, Progress, Stack, Text } from '@mantine/core';
import { IconPlayerStop } from '@tabler/icons-react';
import { t } from '../shared/i18n.ts';

const number = new Intl.NumberFormat(document.documentElement.lang || undefined);

/** How far long work is, and how to stop it. */
export function BatchProgress({
  done,
  total,
  label,
  stop,
}: {
  done: number;
  /** Undefined while nobody knows. */
  total: number | undefined;
  label: string;
  stop: () => void;
}) {
  return (
    <Stack gap="xs">
      <Progress.Root size="lg">
        <Progress.Section
          value={total === undefined || total === 0 ? 100 : (done / total) * 100}
          animated
          aria-label={label}
        />
      </Progress.Root>
      <Group justify="space-between">
        <Text size="sm">
          {total === undefined
            ? number.format(done)
            : t('users:batch.progress', { done: number.format(done), total: number.format(total) })}
        </Text>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerStop size={14} aria-hidden />}
          onClick={stop}
        >
          {t('users:batch.stop')}
        </Button>
      </Group>
    </Stack>
  );
}
