import { useSuspenseQuery } from '@tanstack/react-query';
import { type Me, meQuery } from '../shared/session.ts';

/** Who is signed in, on a page that `AccountFrame` shows to nobody else. */
export function useMe(): Me {
  const { data } = useSuspenseQuery(meQuery);
  if (data === null) throw new Error('A page of somebody who is signed in was shown to nobody');
  return data;
}
