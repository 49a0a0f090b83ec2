import { Alert, Button, Center, Loader, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { describeFailure } from './failures.ts';
import { t } from './i18n.ts';
import { usePageTitle } from './page-title.ts';

/** Fills the place of what is being loaded. */
export function Loading() {
  return (
    <Center mih={240} role="status" aria-label={t('loading')}>
      <Loader />
    </Center>
  );
}

/** Says that something could not be loaded, and loads it again. */
export function LoadFailure({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle />} title={t('failed.title')} role="alert">
      <Stack align="flex-start" gap="sm">
        <Text size="sm">{describeFailure(error)}</Text>
        <Button variant="default" size="xs" onClick={retry}>
          {t('retry')}
        </Button>
      </Stack>
    </Alert>
  );
}

/** Says what is not there, and what to do about it. */
export function Empty({
  title,
  isPage = false,
  children,
}: {
  title: string;
  /** Whether there is nothing else on the page. */
  isPage?: boolean;
  children?: ReactNode;
}) {
  return (
    <Center mih={200} p="md">
      <Stack align="center" gap="xs" maw={420} ta="center">
        {isPage ? (
          <PageTitle title={title} />
        ) : (
          <Title order={2} size="h4">
            {title}
          </Title>
        )}
        {children}
      </Stack>
    </Center>
  );
}

function PageTitle({ title }: { title: string }) {
  usePageTitle(title);
  return (
    <Title order={1} size="h4">
      {title}
    </Title>
  );
}

/** What is wrong with a whole form. */
export function FormFailure({ failure }: { failure: string | undefined }) {
  if (failure === undefined) return null;
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle />} role="alert">
      {failure}
    </Alert>
  );
}
