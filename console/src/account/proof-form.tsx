import { Button, Stack, TextInput } from '@mantine/core';
import { useApiForm } from '../shared/forms.ts';
import { t } from '../shared/i18n.ts';
import { NewPassword } from '../shared/new-password.tsx';
import { FormFailure } from '../shared/states.tsx';
import type { MailLinkHere } from './mail-link.ts';
import { ResendMail } from './resend-mail.tsx';

/** What proves that a mail arrived: its link, or its code, which is somebody's who is named or signed in. */
export type Proof = { token: string } | { email?: string; code: string };

interface ProofFormProps {
  route:
    | 'POST /auth/verify-email'
    | 'POST /auth/login/email/verify'
    | 'POST /auth/change-email'
    | 'POST /auth/reset-password';
  /** The link that opened the page, if it is a page for links. */
  link?: MailLinkHere;
  /** To whom the mail was sent; undefined to ask for it, null for whoever is signed in. */
  email?: string | null | undefined;
  /** Whether it is about a new password. */
  asksPassword?: boolean;
  label: string;
  send: (proof: Proof, new_password: string) => Promise<unknown>;
  /** Asks for the mail once more; by the address, unless somebody is signed in. */
  resend?: (email: string | undefined) => Promise<unknown>;
}

/**
 * Shows the server that a mail arrived. By a link that takes a click, because scanners of mails open links and run the
 * scripts of what they find; otherwise by the code, for another device or browser.
 */
export function ProofForm(props: ProofFormProps) {
  // Anew when the link is refused: then it is another form.
  return <Fields key={props.link?.token ?? ''} {...props} />;
}

function Fields({ route, link, email, asksPassword = false, label, send, resend }: ProofFormProps) {
  const token = link?.token;
  const asksCode = token === undefined;
  const asksEmail = asksCode && email === undefined;
  const { form, failure, isSending, onSubmit } = useApiForm(route, {
    initialValues: { email: email ?? '', code: '', new_password: '' },
    required: [
      ...(asksEmail ? (['email'] as const) : []),
      ...(asksCode ? (['code'] as const) : []),
      ...(asksPassword ? (['new_password'] as const) : []),
    ],
    send: (values) =>
      token === undefined || link === undefined
        ? send(
            email === null ? { code: values.code } : { email: values.email, code: values.code },
            values.new_password,
          )
        : link.redeem(token, (shown) => send({ token: shown }, values.new_password)),
  });

  async function sendAgain(): Promise<void> {
    await resend?.(email === null ? undefined : form.getValues().email);
  }

  function canSendAgain(): boolean {
    const isFit = !asksEmail || !form.validateField('email').hasError;
    if (!isFit) form.getInputNode('email')?.focus();
    return isFit;
  }

  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure ?? link?.refusal} />
        {asksEmail && (
          <TextInput
            label={t('access:email')}
            type="email"
            autoComplete="email"
            autoFocus={link?.refusal !== undefined}
            required
            withAsterisk={false}
            key={form.key('email')}
            {...form.getInputProps('email')}
          />
        )}
        {asksCode && (
          <TextInput
            label={t('access:code')}
            inputMode="numeric"
            autoComplete="one-time-code"
            autoFocus={link?.refusal !== undefined && !asksEmail}
            required
            withAsterisk={false}
            key={form.key('code')}
            {...form.getInputProps('code')}
          />
        )}
        {asksPassword && (
          <>
            {typeof email === 'string' && (
              // Tells password managers whose password this is.
              <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
            )}
            <NewPassword
              label={t('access:new_password')}
              key={form.key('new_password')}
              {...form.getInputProps('new_password')}
            />
          </>
        )}
        <Button type="submit" loading={isSending} fullWidth>
          {label}
        </Button>
        {asksCode && resend !== undefined && <ResendMail isReady={canSendAgain} send={sendAgain} />}
      </Stack>
    </form>
  );
}
