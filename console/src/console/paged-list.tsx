import { Button, Stack } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Page } from '../shared/api.ts';
import { t } from '../shared/i18n.ts';
import { LoadFailure, Loading } from '../shared/states.tsx';

export interface PageInput {
  limit: number;
  cursor: string | undefined;
}

const pageSize = 50;

/** A list that the server gives a page at a time, longer with every press of a button. */
export function PagedList<Item>({
  queryKey,
  ask,
  empty,
  children,
}: {
  queryKey: readonly unknown[];
  ask: (page: PageInput, signal: AbortSignal) => Promise<Page<Item>>;
  /** In place of a list without items. */
  empty: ReactNode;
  children: (items: Item[]) => ReactNode;
}) {
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage, isPlaceholderData } =
    useInfiniteQuery({
      queryKey,
      queryFn: ({ pageParam, signal }) => ask({ limit: pageSize, cursor: pageParam }, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: ({ next }) => next,
      placeholderData: keepPreviousData,
    });
  if (error !== null) return <LoadFailure error={error} retry={refetch} />;
  if (data === undefined) return <Loading />;
  const items = data.pages.flatMap((page) => page.items);
  if (items.length === 0) return empty;
  return (
    <Stack gap="md" align="flex-start" aria-busy={isPlaceholderData}>
      {children(items)}
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </Stack>
  );
}
