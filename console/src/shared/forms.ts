import { type Schema, Validator } from '@cfworker/json-schema';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { type FormEvent, useState } from 'react';
import type { Route } from './api.ts';
import bodySchemas from './body-schemas.json';
import { describeFailure, fieldFailures, tooLong, tooShort } from './failures.ts';
import { t } from './i18n.ts';

type FormRoute = Route & keyof typeof bodySchemas;

interface BodySchema {
  properties?: Record<string, Schema>;
  required?: string[];
}

/** A form for the body of an endpoint. */
export interface ApiForm<Values> {
  readonly form: UseFormReturnType<Values>;
  readonly isSending: boolean;
  /** What is wrong with the whole, for `FormFailure`; faults of a field stand at the field. */
  readonly failure: string | undefined;
  onSubmit(event: FormEvent<HTMLFormElement>): void;
}

/**
 * A form that is checked, before it is sent, by the server's own schema of the endpoint's body, and that shows what the
 * server says of its fields. Fields that the schema does not know are `send`'s.
 */
export function useApiForm<Values extends Record<string, unknown>>(
  route: FormRoute,
  options: {
    initialValues: Values;
    /** What this form needs, though the endpoint can do without. */
    required?: readonly (keyof Values & string)[];
    send: (values: Values) => Promise<unknown>;
  },
): ApiForm<Values> {
  const [isSending, setSending] = useState(false);
  const [failure, setFailure] = useState<string>();
  const form = useForm<Values>({
    mode: 'uncontrolled',
    initialValues: options.initialValues,
    validate: (values) => ({ ...checkBody(route, values), ...checkRequired(values) }),
  });

  function checkRequired(values: Values): Record<string, string> {
    const empty = (options.required ?? []).filter((name) => values[name] === '');
    return Object.fromEntries(empty.map((name) => [name, t('rules.required')]));
  }

  function focusFirst(errors: object): void {
    const [first] = Object.keys(errors);
    if (first !== undefined) form.getInputNode(first)?.focus();
  }

  async function send(values: Values): Promise<void> {
    setSending(true);
    setFailure(undefined);
    try {
      await options.send(values);
    } catch (error) {
      const fields = Object.entries(fieldFailures(error)).filter(([name]) => name in values);
      if (fields.length === 0) setFailure(describeFailure(error));
      else {
        form.setErrors(Object.fromEntries(fields));
        focusFirst(Object.fromEntries(fields));
      }
    } finally {
      setSending(false);
    }
  }

  return { form, isSending, failure, onSubmit: form.onSubmit(send, focusFirst) };
}

/** What is wrong with the fields of a body, by the schema that the server checks them with. */
export function checkBody(route: FormRoute, values: Record<string, unknown>): Record<string, string> {
  const schema = bodySchemas[route] as BodySchema;
  const faults: Record<string, string> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (!(name in values)) continue;
    const value = values[name];
    const isEmpty = value === '' || value === null || value === undefined;
    if (isEmpty && schema.required?.includes(name)) faults[name] = t('rules.required');
    if (isEmpty) continue;
    const fault = faultOf(
      field,
      typeof value === 'string' && field.format === 'email' ? value.trim() : value,
    );
    if (fault !== undefined) faults[name] = fault;
  }
  return faults;
}

function faultOf(schema: Schema, value: unknown): string | undefined {
  const { errors, valid } = new Validator(schema, '2020-12', false).validate(value);
  if (valid) return undefined;
  const keywords = new Set(errors.map(({ keyword }) => keyword));
  if (keywords.has('minLength')) return tooShort(schema.minLength ?? 1);
  if (keywords.has('maxLength')) return tooLong(schema.maxLength ?? 0);
  return t(keywords.has('format') ? 'rules.email' : 'rules.invalid');
}
