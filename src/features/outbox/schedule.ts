const firstDelayMs = 5_000;
/** Between two tries. */
export const longestDelayMs = 3_600_000;
/** How long a mail is tried. */
export const patienceMs = 48 * 3_600_000;

/** When a mail is tried again that failed so often: after 5 s, then twice as long each time, up to an hour. */
export function nextAttemptAt(attempts: number, now: Date): string {
  return new Date(
    now.getTime() + Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, attempts - 1)),
  ).toISOString();
}

/** Whether there is no sense in sending a mail any more. */
export function isOver(mail: { asked_at: string; expires_at: string | null }, now: Date): boolean {
  const isStale = mail.expires_at !== null && Date.parse(mail.expires_at) <= now.getTime();
  return isStale || Date.parse(mail.asked_at) + patienceMs <= now.getTime();
}
