const dayMs = 86_400_000;

/** The day of a point in time, in UTC. */
export const dayOf = (time: Date): string => time.toISOString().slice(0, 10);

export const startOf = (day: string): Date => new Date(`${day}T00:00:00Z`);

/** So many days later, or before. */
export const addDays = (day: string, days: number): string =>
  dayOf(new Date(startOf(day).getTime() + days * dayMs));

/** The days from one until before another. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let day = from; day < to; day = addDays(day, 1)) days.push(day);
  return days;
}
