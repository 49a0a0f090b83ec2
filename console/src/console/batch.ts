import { useEffect, useRef, useState } from 'react';

/** What became of one of many. */
export type Outcome<Item, Result> =
  | { item: Item; isDone: true; result: Result }
  | { item: Item; isDone: false; error: unknown };

export interface Batch<Item, Result> {
  readonly state: 'idle' | 'running' | 'finished';
  readonly total: number;
  /** In the order in which they came. What was stopped before its turn is not among them. */
  readonly outcomes: readonly Outcome<Item, Result>[];
  /** Does the work for each item, so many of them at once. */
  run(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<void>;
  /** Begins no further item; what is under way comes to its end. */
  stop(): void;
}

/** Kind to the server, and to browsers, which send six requests at once to a host. */
const usualAtOnce = 4;

/** Work for many items in this page. It stops when the page is left. */
export function useBatch<Item, Result>(atOnce = usualAtOnce): Batch<Item, Result> {
  const [state, setState] = useState<Batch<Item, Result>['state']>('idle');
  const [total, setTotal] = useState(0);
  const [outcomes, setOutcomes] = useState<readonly Outcome<Item, Result>[]>([]);
  const current = useRef<{ isStopped: boolean }>({ isStopped: false });
  const stop = () => {
    current.current.isStopped = true;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: at the end alone.
  useEffect(() => stop, []);

  async function run(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<void> {
    stop();
    const own = { isStopped: false };
    current.current = own;
    setState('running');
    setTotal(items.length);
    setOutcomes([]);
    const waiting = items[Symbol.iterator]();
    const lane = async () => {
      for (const item of waiting) {
        if (own.isStopped) return;
        const outcome = await work(item).then(
          (result) => ({ item, isDone: true, result }) as const,
          (error: unknown) => ({ item, isDone: false, error }) as const,
        );
        if (current.current === own) setOutcomes((before) => [...before, outcome]);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    if (current.current === own) setState('finished');
  }

  return { state, total, outcomes, run, stop };
}
