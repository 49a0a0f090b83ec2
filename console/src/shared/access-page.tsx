import { Card, Center, Group, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';
import { usePageTitle } from './page-title.ts';
import { LanguagePicker, Product } from './product.tsx';

let isFirst = true;

/** The frame of the pages that need nobody signed in: one card with one thing to do. */
export function AccessPage({
  title,
  intro,
  children,
  footer,
}: {
  title: string;
  intro?: string;
  children?: ReactNode;
  footer?: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  usePageTitle(title);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another intro is another step.
  useEffect(() => {
    // The button of the step before is gone: who hears the page is told where they are. A page that opens tells that itself.
    if (!isFirst && document.activeElement === document.body) heading.current?.focus();
    isFirst = false;
  }, [title, intro]);
  return (
    <Center component="main" mih="100dvh" p="md">
      <Stack w="100%" maw={420} gap="lg">
        <Center>
          <Product />
        </Center>
        <Card withBorder shadow="sm" padding="xl" radius="lg">
          <Stack gap="md">
            <Title order={1} size="h3" ref={heading} tabIndex={-1} style={{ outline: 'none' }}>
              {title}
            </Title>
            {intro !== undefined && (
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                {intro}
              </Text>
            )}
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
