import { Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { usePageTitle } from './page-title.ts';

/**
 * The head of a page within a frame: what it is, a line about it, what can be done with all of it. What it is may be a name,
 * which may be one long word.
 */
export function PageHead({ title, intro, actions }: { title: string; intro?: string; actions?: ReactNode }) {
  usePageTitle(title);
  return (
    <Group justify="space-between" align="flex-start" mb="lg" gap="sm">
      <Stack gap={4} miw={0} style={{ overflowWrap: 'anywhere' }}>
        <Title order={1}>{title}</Title>
        {intro !== undefined && (
          <Text size="sm" c="dimmed">
            {intro}
          </Text>
        )}
      </Stack>
      {actions}
    </Group>
  );
}
