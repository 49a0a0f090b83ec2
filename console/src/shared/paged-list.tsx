import { Button, Stack } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Page } from './api.ts';
import { t } from './i18n.ts';
import { LoadFailure, Loading } from './states.tsx';

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
  const list = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => ask({ limit: pageSize, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  });
  const { data, error } = list;
  if (data === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={list.refetch} />;
  }
  const items = data.pages.flatMap((page) => page.items);
  if (items.length === 0 && !list.isRefetchError) return empty;
  // What is there already stays, whatever fails.
  return (
    <Stack gap="md" align="flex-start" aria-busy={list.isPlaceholderData}>
      {list.isRefetchError && <LoadFailure error={error} retry={list.refetch} />}
      {items.length > 0 && children(items)}
      {list.isFetchNextPageError && <LoadFailure error={error} retry={list.fetchNextPage} />}
      {list.hasNextPage && !list.isFetchNextPageError && (
        <Button variant="default" loading={list.isFetchingNextPage} onClick={() => list.fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </Stack>
  );
}
