import { Card, Center, Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { LanguagePicker, Product } from '../shared/product.tsx';

/** The frame of the pages that need nobody signed in: one card with one thing to do. */
export function AccessPage({
  title,
  intro,
  children,
  footer,
}: {
  title: string;
  intro?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
}) {
  return (
    <Center component="main" mih="100dvh" p="md">
      <Stack w="100%" maw={420} gap="lg">
        <Center>
          <Product />
        </Center>
        <Card withBorder shadow="sm" padding="xl" radius="lg">
          <Stack gap="md">
            <Title order={1} size="h3">
              {title}
            </Title>
            {intro !== undefined && <Text size="sm">{intro}</Text>}
            {children}
          </Stack>
        </Card>
        {footer !== undefined && (
          <Text size="sm" ta="center">
            {footer}
          </Text>
        )}
        <Group justify="center">
          <LanguagePicker />
        </Group>
      </Stack>
    </Center>
  );
}
