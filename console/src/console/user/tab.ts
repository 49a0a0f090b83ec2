export const tabs = ['profile', 'sessions', 'activity', 'mails'] as const;
export type Tab = (typeof tabs)[number];

/** Undefined for the first one, so that it is not in the link. */
export function readTab(value: unknown): Exclude<Tab, 'profile'> | undefined {
  return value === 'sessions' || value === 'activity' || value === 'mails' ? value : undefined;
}
