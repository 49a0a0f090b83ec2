import { maskPasswords } from '../../masked-url.ts';
import { describeSetting, type GivenSettings, type Settings, settingNames } from '../../settings.ts';

/** Where a value comes from. `file`: `.env`, or the secret.key that Doorward made; `option`: the embedding program. */
export const settingSources = ['environment', 'file', 'option', 'default'] as const;
export type SettingSource = (typeof settingSources)[number];

/** What whoever read the settings for us knows of where it found them. */
export type KnownSources = ReadonlyMap<string, 'environment' | 'file'>;

/** A setting as administrators see it. */
interface ListedSetting {
  readonly name: string;
  readonly description: string;
  readonly accepts: string;
  /** Texts as in the environment; null where there is none. */
  readonly default: string | null;
  /** Null for a secret. */
  readonly value: string | null;
  readonly source: SettingSource;
  readonly is_secret: boolean;
  readonly is_set: boolean;
}

/** The settings in force. */
export interface SettingsView {
  list(): ListedSetting[];
}

export function createSettingsView(
  settings: Settings,
  {
    given,
    sources,
    secretKeyIsInFile,
  }: { given: GivenSettings; sources: KnownSources; secretKeyIsInFile: boolean },
): SettingsView {
  function sourceOf(name: (typeof settingNames)[number]): SettingSource {
    if (given[name] !== undefined) return sources.get(name) ?? 'option';
    return name === 'SECRET_KEY' && secretKeyIsInFile ? 'file' : 'default';
  }
  return {
    list: () =>
      settingNames.map((name) => {
        const { default: fallback = null, accepts, help, secret } = describeSetting(name);
        const value = settings[name];
        return {
          name,
          description: help,
          accepts,
          default: fallback,
          value: secret || value === undefined ? null : maskPasswords(String(value)),
          source: sourceOf(name),
          is_secret: secret,
          is_set: value !== undefined,
        };
      }),
  };
}
