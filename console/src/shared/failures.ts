import { ApiError } from './api.ts';
import { t } from './i18n.ts';

/** One fault of an input, as the server tells it. */
export interface Issue {
  type: string;
  loc: (string | number)[];
  msg: string;
  ctx?: Record<string, string | number>;
}

/** What went wrong, in the language of the page. Failures of the server are told by their code. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof ApiError)) return t('failures.network');
  if (error.code === 'validation_error') {
    return issuesOf(error)
      .map((issue) => `${issue.loc.at(-1)}: ${describeIssue(issue)}`)
      .join('; ');
  }
  return t(`failures.${error.code as 'unknown'}`, { defaultValue: error.message });
}

/** The texts for the fields that the server refused, by the name of the field; empty for other failures. */
export function fieldFailures(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError) || error.code !== 'validation_error') return {};
  return Object.fromEntries(issuesOf(error).map((issue) => [String(issue.loc.at(-1)), describeIssue(issue)]));
}

function issuesOf(error: ApiError): Issue[] {
  return Array.isArray(error.detail) ? error.detail : [];
}

/** What is wrong with one field. */
export function describeIssue({ type, msg, ctx = {} }: Issue): string {
  const { error, min_length, max_length } = ctx;
  if (type === 'value_error') return t(`rules.${String(error)}` as 'rules.invalid', { defaultValue: msg });
  if (type === 'string_too_short') return tooShort(Number(min_length));
  if (type === 'string_too_long') return tooLong(Number(max_length));
  return type === 'missing' ? t('rules.required') : msg;
}

export function tooShort(count: number): string {
  return count <= 1 ? t('rules.required') : t('rules.too_short', { count });
}

export function tooLong(count: number): string {
  return t('rules.too_long', { count });
}
