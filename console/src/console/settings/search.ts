/** Which settings are shown, as the link carries it. */
export interface SettingsSearch {
  q?: string | undefined;
  /** Whether only those that have another value than the default. */
  set?: boolean | undefined;
}

/** What a link says that makes sense; the rest of it is passed over. */
export function readSettingsSearch({ q, set }: Record<string, unknown>): SettingsSearch {
  return {
    q: typeof q === 'string' || typeof q === 'number' ? String(q) : undefined,
    set: set === true ? true : undefined,
  };
}
