import type { Answer } from '../../shared/api.ts';

export type Day = Answer<'GET /auth/statistics'>['days'][number];
export type Figure = Exclude<keyof Day, 'day'>;

/** Told apart by dashes as well as by colour; each colour has three to one on light and dark pages (WCAG 2.2, 1.4.11). */
export const figures: readonly { name: Figure; color: string; dashes?: string }[] = [
  { name: 'logins', color: 'blue.6' },
  { name: 'failed_logins', color: 'red.6', dashes: '6 3' },
  { name: 'throttled', color: 'grape.6', dashes: '2 3' },
  { name: 'active_users', color: 'teal.7' },
  { name: 'sign_ups', color: 'orange.8' },
];

/** What is seen together, because it is of one scale. */
export const charts = [
  { name: 'access', figures: ['logins', 'failed_logins', 'throttled'] },
  { name: 'active', figures: ['active_users'] },
  { name: 'sign_ups', figures: ['sign_ups'] },
] as const satisfies readonly { name: string; figures: readonly Figure[] }[];
