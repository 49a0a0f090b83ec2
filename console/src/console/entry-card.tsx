import { Card, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/**
 * One thing of a list, with what can be done about it; on narrow screens that stands below. What is long breaks, because
 * names may be one word.
 */
export function EntryCard({
  title,
  details,
  failure,
  actions,
}: {
  title: ReactNode;
  details: ReactNode;
  failure?: string | undefined;
  actions?: ReactNode;
}) {
  return (
    <Card component="li" withBorder padding="md">
      <Group justify="space-between" gap="sm">
        <Stack gap={2} miw={0} style={{ overflowWrap: 'anywhere' }}>
          <Group gap="xs">{title}</Group>
          <Text size="sm" c="dimmed">
            {details}
          </Text>
          {failure !== undefined && (
            <Text size="sm" c="var(--mantine-color-error)" role="alert">
              {failure}
            </Text>
          )}
        </Stack>
        {actions !== undefined && <Group gap="xs">{actions}</Group>}
      </Group>
    </Card>
  );
}

export function EntryList({ children }: { children: ReactNode }) {
  return (
    <Stack component="ul" w="100%" p={0} m={0} gap="sm" style={{ listStyle: 'none' }}>
      {children}
    </Stack>
  );
}
