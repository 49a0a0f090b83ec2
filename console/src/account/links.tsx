import { Anchor, type AnchorProps, Button, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { ComponentProps } from 'react';
import { t } from '../shared/i18n.ts';

type Native<Props> = Props & Omit<ComponentProps<'a'>, keyof Props>;

/** A link to a page of this document, with what its path may carry. */
export const AnchorLink = createLink((props: Native<AnchorProps>) => <Anchor {...props} />);

/** The same, as a button. */
export const ButtonLink = createLink((props: Native<ButtonProps>) => <Button component="a" {...props} />);

export function BackToLogIn({ return_to }: { return_to?: string | undefined }) {
  return (
    <AnchorLink to="/login" search={return_to === undefined ? {} : { return_to }} inherit>
      {t('access:back_to_log_in')}
    </AnchorLink>
  );
}
