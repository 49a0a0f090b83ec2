export const spans = [7, 30, 90, 365] as const;
export type Span = (typeof spans)[number];
export const usualSpan: Span = 30;

/** What the overview shows, as the link carries it. */
export interface DashboardSearch {
  days?: Span | undefined;
  /** The figures as tables rather than charts. */
  table?: boolean | undefined;
}

/** What a link says that makes sense; the rest of it is passed over. */
export function readDashboardSearch({ days, table }: Record<string, unknown>): DashboardSearch {
  const span = spans.find((known) => known === days);
  return { days: span === usualSpan ? undefined : span, table: table === true ? true : undefined };
}
